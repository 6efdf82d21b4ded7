package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sceau/audit"
	"sceau/audit/trace"
)

// traceFlags are the words of audit trace as they were typed.
type traceFlags struct {
	dir, key                           string
	since, until                       string
	sub, jti, token, session           string
	authentication, grant, subjectType string
	format                             string
	reveal                             bool
}

func auditTraceCommand(now func() time.Time) *cobra.Command {
	var f traceFlags
	c := &cobra.Command{
		Use:   "trace --dir DIR --sub|--jti|--token|--session|--authentication|--grant …",
		Short: "Follow a federated identification from a token or a person to all that led to it",
		Long: `Trace finds the federated identifications of a person, a token, a session, an
authentication or a grant, and shows for each what led to it and what came of it:

  client, tokens, grant and code, authorization, session, authentications with
  their means and what failed before, certificate or credential, attributes.

It works on a journal and on what stsd audit export copied of one. Records name
persons by pseudonym: --sub needs the journal's key. --reveal opens, with that
key, what records keep sealed: the source address and the account.

The chain of the journal is checked too: where it does not hold together, the
status is 1.`,
		Example: `  stsd audit trace --dir audit --jti 3f0c…
  stsd audit trace --dir audit --sub f:hopital:0f8fad5b --since 2026-08-01 --format csv
  stsd audit trace --dir audit --session 7d1e… --reveal`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			search, key, err := f.search(now())
			if err != nil {
				return err
			}
			return f.trace(cmd.OutOrStdout(), cmd.ErrOrStderr(), search, key)
		},
	}
	flags := c.Flags()
	directoryFlag(c, &f.dir)
	flags.StringVar(&f.since, "since", "", "records of this `time` and later")
	flags.StringVar(&f.until, "until", "", "records before this `time`")
	flags.StringVar(&f.sub, "sub", "", "the `sub` of a person; or another identifier with --type")
	flags.StringVar(&f.subjectType, "type", audit.SubjectType, "what --sub is: `sub`, credential, or a type of the means, such as rpps")
	flags.StringVar(&f.jti, "jti", "", "the `id` of a token, or the AssertionID of an assertion")
	flags.StringVar(&f.token, "token", "", "a code, or a token without an id, `itself`")
	flags.StringVar(&f.session, "session", "", "the `sid` of a session")
	flags.StringVar(&f.authentication, "authentication", "", "the audit `id` of an authentication")
	flags.StringVar(&f.grant, "grant", "", "the `id` of a grant")
	flags.StringVar(&f.format, "format", "text", "`text, json or csv`")
	flags.StringVar(&f.key, "key", "", "the key `file` of the journal; else pseudonym.key in the directory")
	flags.BoolVar(&f.reveal, "reveal", false, "open what is sealed: source addresses and accounts")
	c.MarkFlagsOneRequired("sub", "jti", "token", "session", "authentication", "grant")
	c.MarkFlagsMutuallyExclusive("sub", "jti", "token", "session", "authentication", "grant")
	return c
}

// search turns the flags into a search, or says everything that is wrong with them.
func (f *traceFlags) search(now time.Time) (trace.Search, audit.Key, error) {
	s := trace.Search{Session: f.session, TokenID: f.jti, Token: f.token, Grant: f.grant}
	var key audit.Key
	var wrong []error
	var err error
	for _, bound := range []struct {
		flag, text string
		to         *time.Time
	}{{"--since", f.since, &s.Since}, {"--until", f.until, &s.Until}} {
		if bound.text == "" {
			continue
		}
		if *bound.to, err = parseMoment(bound.text, now); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", bound.flag, err))
		}
	}
	if f.authentication != "" {
		if s.Authentication, err = audit.ParseID(strings.ToLower(f.authentication)); err != nil {
			wrong = append(wrong, fmt.Errorf("--authentication: %w", err))
		}
	}
	if !slices.Contains([]string{"text", "json", "csv"}, f.format) {
		wrong = append(wrong, errors.New("--format is none of text, json and csv"))
	}
	if f.sub != "" || f.reveal {
		if key, err = audit.ReadKeyFile(cmp.Or(f.key, filepath.Join(f.dir, "pseudonym.key"))); err != nil {
			wrong = append(wrong, err)
		} else if f.sub != "" {
			s.Pseudonym = key.Pseudonym(audit.Identifier{Type: f.subjectType, Value: f.sub})
		}
	}
	return s, key, errors.Join(wrong...)
}

func (f *traceFlags) trace(out, complaints io.Writer, s trace.Search, key audit.Key) error {
	unread := 0
	found, err := trace.Find(f.dir, s, func(err error) {
		fmt.Fprintln(complaints, plain(err.Error()))
		unread++
	})
	if err != nil {
		return err
	}
	stories := make([]story, len(found))
	for i, one := range found {
		stories[i] = story{Identification: one, Summary: one.Summary()}
		if f.reveal {
			if stories[i].sealed, err = one.Reveal(key); err != nil {
				return fmt.Errorf("--reveal: %w", err)
			}
		}
	}
	switch f.format {
	case "json":
		err = writeStoriesJSON(out, stories)
	case "csv":
		err = writeStoriesCSV(out, stories)
	default:
		err = writeStories(out, stories)
	}
	if err != nil {
		return err
	}
	report, err := audit.Verify(f.dir)
	switch {
	case err != nil:
		return err
	case !report.Intact():
		return finding("the journal does not hold together: see stsd audit verify")
	case unread > 0:
		return finding(count(unread, "record", "records") + " could not be read; see stsd audit verify")
	case len(found) == 0:
		return finding("the trail has no such identification")
	}
	return nil
}

// A story is an identification with what was opened of it.
type story struct {
	trace.Identification
	trace.Summary
	sealed map[string]audit.Sealed // by the id of the record; nil: nothing was asked
}

// writeStories shows identifications for a person: the chain from the client to the means, then every event.
func writeStories(out io.Writer, stories []story) error {
	for i := range stories {
		s := &stories[i]
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "identification %d\t%s\t%s\n", i+1, s.Begun.UTC().Format(milliseconds), plain(s.Summary.Outcome))
		line := func(name string, words ...string) {
			if words = slicesNonEmpty(words); len(words) > 0 {
				fmt.Fprintf(w, "  %s\t%s\n", name, plain(strings.Join(words, " ")))
			}
		}
		line("client", s.Client, after("of establishment", s.Establishment))
		for n, t := range s.Tokens {
			line(once(n, "tokens"), tokenText(&t))
		}
		line("grant", strings.Join(s.Grants, " "), after("scope", s.Scope))
		line("attributes", s.Summary.Attributes...)
		line("session", strings.Join(s.Sessions, " "), after("ended", moment(s.Ended, "")))
		line("authentication", s.Authentication, after("at", moment(s.AuthTime, "")))
		line("means", s.Means, after("amr", strings.Join(s.Methods, ",")), after("acr", s.ACR))
		line("certificate", s.Certificate)
		line("credential", s.Credential)
		line("person", after("sub", s.Subject))
		for n, account := range s.accounts() {
			line(once(n, "account"), account)
		}
		fmt.Fprintln(w, "  events")
		if err := w.Flush(); err != nil {
			return err
		}
		if err := writeStoryEvents(out, s); err != nil {
			return err
		}
	}
	return nil
}

func writeStoryEvents(out io.Writer, s *story) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range s.Entries {
		what := []string{after("by", e.Means), after("amr", strings.Join(e.Methods, ",")), after("of", e.Client), after("assertion", e.AssertionID)}
		for i := range e.Tokens {
			what = append(what, e.Tokens[i].Use+" "+tokenText(&e.Tokens[i]))
		}
		if sealed, ok := s.sealed[e.ID]; ok && sealed.Source.IsValid() {
			what = append(what, after("from", sealed.Source.String()))
		}
		what = append(what, e.Cause)
		fmt.Fprintf(w, "    %s\t%s\t%s\t%s\trecord %d\t%s\n", e.Time.UTC().Format(milliseconds), plain(cmp.Or(e.Operation, e.Service)),
			plain(strings.TrimSpace(e.Outcome+" "+e.Code)), plain(e.ID), e.Seq, plain(strings.Join(slicesNonEmpty(what), ", ")))
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// accounts are those that were opened, each once.
func (s *story) accounts() []string {
	var all []string
	for _, e := range s.Entries {
		if account := s.sealed[e.ID].Account; account != "" && !slices.Contains(all, account) {
			all = append(all, account)
		}
	}
	return all
}

func after(word, text string) string {
	if text == "" {
		return ""
	}
	return word + " " + text
}

func once(n int, name string) string {
	if n > 0 {
		return ""
	}
	return name
}

func tokenText(t *audit.TokenEntry) string {
	name := t.ID
	if name == "" {
		name = after("sha256", t.Digest)
	}
	return strings.Join(slicesNonEmpty([]string{t.Kind, name, after("of", t.Issuer), after("until", moment(t.Expires, ""))}), " ")
}

// storyJSON is an identification for a program.
type storyJSON struct {
	Begun          time.Time    `json:"begun"`
	Last           time.Time    `json:"last"`
	Outcome        string       `json:"outcome"`
	Establishment  string       `json:"establishment,omitempty"`
	Client         string       `json:"client,omitempty"`
	Grants         []string     `json:"grants,omitempty"`
	Scope          string       `json:"scope,omitempty"`
	Sessions       []string     `json:"sessions,omitempty"`
	Ended          *time.Time   `json:"sessionEnded,omitempty"`
	Authentication string       `json:"authentication,omitempty"`
	AuthTime       *time.Time   `json:"authTime,omitempty"`
	Means          string       `json:"means,omitempty"`
	Methods        []string     `json:"amr,omitempty"`
	ACR            string       `json:"acr,omitempty"`
	Certificate    string       `json:"certificate,omitempty"`
	Credential     string       `json:"credential,omitempty"`
	Subject        string       `json:"subject,omitempty"`
	Accounts       []string     `json:"accounts,omitempty"`
	Attributes     []string     `json:"attributes,omitempty"`
	Events         []storyEvent `json:"events"`
}

// storyEvent is a record as it stands in the journal, with its place, and what was opened of it.
type storyEvent struct {
	File     string          `json:"file"`
	Line     int             `json:"line"`
	Record   json.RawMessage `json:"record"`
	Revealed *audit.Sealed   `json:"revealed,omitempty"`
}

func writeStoriesJSON(out io.Writer, stories []story) error {
	all := []storyJSON{}
	for i := range stories {
		s := &stories[i]
		one := storyJSON{Begun: s.Begun, Last: s.Last, Outcome: s.Summary.Outcome, Establishment: s.Establishment, Client: s.Client, Grants: s.Grants, Scope: s.Scope,
			Sessions: s.Sessions, Authentication: s.Authentication, Means: s.Means, Methods: s.Methods, ACR: s.ACR, Certificate: s.Certificate,
			Credential: s.Credential, Subject: s.Subject, Accounts: s.accounts(), Attributes: s.Summary.Attributes, Ended: unlessZero(s.Ended), AuthTime: unlessZero(s.AuthTime)}
		for _, e := range s.Entries {
			event := storyEvent{File: e.File, Line: e.Line, Record: e.Raw}
			if sealed, ok := s.sealed[e.ID]; ok {
				event.Revealed = &sealed
			}
			one.Events = append(one.Events, event)
		}
		all = append(all, one)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(all)
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// writeStoriesCSV writes a row for each event.
func writeStoriesCSV(out io.Writer, stories []story) error {
	w := csv.NewWriter(out)
	w.Write([]string{"identification", "time", "operation", "outcome", "code", "cause", "establishment", "client", "session", "authentication", "attempt", "grant",
		"means", "amr", "acr", "auth_time", "certificate", "credential", "subject", "scope", "attributes", "tokens", "source", "account", "id", "record", "hash"})
	for i := range stories {
		for _, e := range stories[i].Entries {
			var tokens, attributes []string
			for k := range e.Tokens {
				tokens = append(tokens, e.Tokens[k].Use+" "+tokenText(&e.Tokens[k]))
			}
			if e.AssertionID != "" {
				tokens = append(tokens, "issued assertion "+e.AssertionID)
			}
			for _, a := range e.Attributes {
				attributes = append(attributes, cmp.Or(a.Disposition, "asked")+" "+a.Name)
			}
			sealed, source := stories[i].sealed[e.ID], ""
			if sealed.Source.IsValid() {
				source = sealed.Source.String()
			}
			row := []string{strconv.Itoa(i + 1), e.Time.UTC().Format(milliseconds), cmp.Or(e.Operation, e.Service), e.Outcome, e.Code, e.Cause, e.Establishment, e.Client, e.Session,
				e.Authentication, e.Attempt, e.Grant, e.Means, strings.Join(e.Methods, " "), e.ACR, moment(e.AuthTime, ""), e.Identity.Certificate, e.Credential, e.Subject.Pseudonym,
				e.Scope, strings.Join(attributes, "; "), strings.Join(tokens, "; "), source, sealed.Account, e.ID, strconv.FormatUint(e.Seq, 10), e.Hash}
			for k := range row {
				row[k] = cell(row[k])
			}
			w.Write(row)
		}
	}
	w.Flush()
	return w.Error()
}

// cell makes a text safe in a table that a spreadsheet opens: one that begins like a formula would be computed.
func cell(text string) string {
	text = plain(text)
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func auditExportCommand(now func() time.Time) *cobra.Command {
	var dir, to, since, until string
	c := &cobra.Command{
		Use:   "export --dir DIR --to DIR [--since TIME] [--until TIME]",
		Short: "Copy the files of some time, with the proof that they are whole",
		Long: `Export copies the whole files of the journal that may hold records of the time
given, octet for octet, to a new directory: a chain of hashes proves no single
record without those beside it. The copy can be listed, traced and verified as
the journal can; stsd audit verify --anchor with the printed anchors shows that
it is part of the journal. The key of the pseudonyms is not copied.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var from, end time.Time
			var err error
			if since != "" {
				if from, err = parseMoment(since, now()); err != nil {
					return fmt.Errorf("--since: %w", err)
				}
			}
			if until != "" {
				if end, err = parseMoment(until, now()); err != nil {
					return fmt.Errorf("--until: %w", err)
				}
			}
			report, err := audit.Export(dir, to, from, end)
			if err != nil {
				return err
			}
			if err := writeReport(cmd.OutOrStdout(), &report, 0); err != nil {
				return err
			}
			if !report.Intact() {
				return finding("the journal does not hold together; it was copied as it is")
			}
			return nil
		},
	}
	directoryFlag(c, &dir)
	c.Flags().StringVar(&to, "to", "", "the new `directory`")
	_ = c.MarkFlagRequired("to")
	c.Flags().StringVar(&since, "since", "", "records of this `time` and later")
	c.Flags().StringVar(&until, "until", "", "records before this `time`")
	return c
}
