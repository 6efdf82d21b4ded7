package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/audit"
)

func auditCommand() *cobra.Command { return newAuditCommand(time.Now) }

func newAuditCommand(now func() time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Search the audit trail and prove that it is whole",
		Long: `The audit trail has one record for each request, whatever its end, written before
the answer left. All commands work while a server appends to it.`,
	}
	c.AddCommand(auditListCommand(now), auditExplainCommand(), auditTraceCommand(now), auditVerifyCommand(),
		auditHeadCommand(), auditExportCommand(now), auditPruneCommand(now))
	return c
}

func directoryFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", "", "the `directory` of the journal")
	_ = c.MarkFlagRequired("dir") // fails only for a flag that is not there
}

// listFlags are the words of audit list as they were typed.
type listFlags struct {
	dir, since, until      string
	service, code, outcome string
	operation, client      string
	session                string
	id, request, assertion string
	subject, key           string
	json, long, control    bool
	pseudonyms             []audit.Pseudonym // made of subject
}

func auditListCommand(now func() time.Time) *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list --dir DIR",
		Short: "Show records, the oldest first",
		Long: `List shows the records that all flags given agree on, a line each; --long shows
all there is to each, and so does --id. It does not check the chain of the
journal: stsd audit verify does.

Times are RFC 3339 (2026-11-21T20:00:00Z), a day in UTC (2026-11-21), or how long
ago (90m).

A record names persons and organisations by pseudonym. --subject finds those of
an identifier that you know, be it of the subject, of the signer or of the
holder; it needs the journal's key.`,
		Example: `  stsd audit list --dir audit --since 24h --outcome refused
  stsd audit list --dir audit --subject SSIN:00000000097
  stsd audit list --dir audit --id 019f2c…`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := f.query(now())
			if err != nil {
				return err
			}
			return f.list(cmd.OutOrStdout(), cmd.ErrOrStderr(), query)
		},
	}
	flags := c.Flags()
	directoryFlag(c, &f.dir)
	flags.StringVar(&f.since, "since", "", "records of this `time` and later")
	flags.StringVar(&f.until, "until", "", "records before this `time`")
	flags.StringVar(&f.service, "service", "", "the `face` that was asked: saml11, authzen, oidc, wsp, or policy for what was put in force")
	flags.StringVar(&f.operation, "operation", "", "`what` was asked: attribute-query, authentication, token, …")
	flags.StringVar(&f.client, "client", "", "the `client` that asked, where it has a name in the configuration")
	flags.StringVar(&f.session, "session", "", "the `sid` of a session; see also stsd audit trace")
	flags.StringVar(&f.code, "code", "", "the `code` that was answered: REQ-01")
	flags.StringVar(&f.outcome, "outcome", "", "`success, refused or fault`")
	flags.StringVar(&f.id, "id", "", "the audit `id` that an answer carried")
	flags.StringVar(&f.request, "request", "", "the `RequestID` of the consumer")
	flags.StringVar(&f.assertion, "assertion", "", "the `AssertionID` that was issued")
	flags.StringVar(&f.subject, "subject", "", "whom: `TYPE:VALUE`, such as SSIN:00000000097")
	flags.StringVar(&f.key, "key", "", "the key `file` of the pseudonyms; else pseudonym.key in the directory")
	flags.BoolVar(&f.json, "json", false, "the records themselves, one JSON object a line")
	flags.BoolVar(&f.long, "long", false, "all there is to each record")
	flags.BoolVar(&f.control, "control", false, "also starts, stops and new files of the journal")
	return c
}

// query turns the flags into a query, or says everything that is wrong with them.
func (f *listFlags) query(now time.Time) (audit.Query, error) {
	q := audit.Query{Service: f.service, Operation: f.operation, Client: f.client, Session: f.session, Code: f.code, RequestID: f.request, AssertionID: f.assertion, Control: f.control}
	var wrong []error
	var err error
	for _, bound := range []struct {
		flag, text string
		to         *time.Time
	}{{"--since", f.since, &q.Since}, {"--until", f.until, &q.Until}} {
		if bound.text == "" {
			continue
		}
		if *bound.to, err = parseMoment(bound.text, now); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", bound.flag, err))
		}
	}
	outcomes := []audit.Outcome{audit.Success, audit.Refused, audit.Fault}
	if i := slices.IndexFunc(outcomes, func(o audit.Outcome) bool { return o.String() == strings.ToLower(f.outcome) }); i >= 0 {
		q.Outcome = outcomes[i]
	} else if f.outcome != "" {
		wrong = append(wrong, errors.New("--outcome is none of success, refused and fault"))
	}
	if f.id != "" {
		if q.ID, err = audit.ParseID(strings.ToLower(f.id)); err != nil {
			wrong = append(wrong, fmt.Errorf("--id: %w", err))
		}
		f.long = true
	}
	if f.subject != "" {
		wrong = append(wrong, f.pseudonymize())
	}
	return q, errors.Join(wrong...)
}

// pseudonymize makes the pseudonyms of the subject that is looked for. The type counts
// in either case: certificates write SSIN where attributes write ssin.
func (f *listFlags) pseudonymize() error {
	t, value, ok := strings.Cut(f.subject, ":")
	if !ok || t == "" || value == "" {
		return errors.New("--subject is not TYPE:VALUE")
	}
	path := f.key
	if path == "" {
		path = filepath.Join(f.dir, "pseudonym.key")
	}
	key, err := audit.ReadKeyFile(path)
	if err != nil {
		return fmt.Errorf("--subject: %w", err)
	}
	for _, t := range []string{strings.ToUpper(t), strings.ToLower(t), t} {
		f.pseudonyms = append(f.pseudonyms, key.Pseudonym(audit.Identifier{Type: t, Value: value}))
	}
	return nil
}

// names tells whether the record is about the subject that is looked for, if any is.
func (f *listFlags) names(e *audit.Entry) bool {
	if f.subject == "" {
		return true
	}
	return slices.ContainsFunc(f.pseudonyms, func(p audit.Pseudonym) bool {
		text := p.String()
		return e.Subject.Pseudonym == text || e.Identity.Pseudonym == text || e.Holder.Pseudonym == text
	})
}

// parseMoment reads a time, a day, or how long before now.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a time (2026-11-21T20:00:00Z) nor a day (2026-11-21) nor how long ago (90m)", text)
}

// list writes what the query finds. A record that cannot be read does not hide the
// others, and is not passed over in silence.
func (f *listFlags) list(out, complaints io.Writer, q audit.Query) error {
	unread := 0
	for entry, err := range audit.List(f.dir, q) {
		if err != nil {
			var malformed *audit.Error
			if errors.As(err, &malformed) && malformed.Reason == audit.Malformed {
				fmt.Fprintln(complaints, plain(err.Error()))
				unread++
				continue
			}
			return err
		}
		if !f.names(entry) {
			continue
		}
		switch {
		case f.json:
			_, err = fmt.Fprintf(out, "%s\n", entry.Raw)
		case f.long:
			err = writeRecord(out, entry)
		default:
			err = writeLine(out, entry)
		}
		if err != nil {
			return err
		}
	}
	if unread > 0 {
		return finding(count(unread, "record", "records") + " could not be read; see stsd audit verify")
	}
	return nil
}

func auditExplainCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "explain ID --dir DIR",
		Short: "Say how far a request came, and what stopped it",
		Long: `Explain finds the record with the audit id that an answer carried, and says which
checks the request passed, which it did not, and why. Where policy stopped it,
stsd policy explain says more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := audit.ParseID(strings.ToLower(args[0]))
			if err != nil {
				return err
			}
			entry, err := first(audit.List(dir, audit.Query{ID: id}))
			if err != nil {
				return err
			}
			if entry == nil {
				return finding("the trail has no such record")
			}
			return writeRoad(cmd.OutOrStdout(), entry)
		},
	}
	directoryFlag(c, &dir)
	return c
}

func auditVerifyCommand() *cobra.Command {
	var dir string
	var texts []string
	c := &cobra.Command{
		Use:   "verify --dir DIR [--anchor ANCHOR]...",
		Short: "Check that no record was changed, removed, added or moved",
		Long: `Verify reads the whole journal and reports every place where it does not hold
together; the status is then 1. The chain alone cannot show that records were cut
off the end, or that everything from some record on was rewritten: give an anchor
that was noted elsewhere (stsd audit head) for that.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var anchors []audit.Anchor
			for _, text := range texts {
				anchor, err := audit.ParseAnchor(strings.TrimSpace(text))
				if err != nil {
					return fmt.Errorf("--anchor: %w", err)
				}
				anchors = append(anchors, anchor)
			}
			report, err := audit.Verify(dir, anchors...)
			if err != nil {
				return err
			}
			if report.Records == 0 && len(anchors) == 0 && report.Intact() {
				return fmt.Errorf("there is no journal in %s", dir)
			}
			if err := writeReport(cmd.OutOrStdout(), &report, len(anchors)); err != nil {
				return err
			}
			if !report.Intact() {
				return finding("the journal does not hold together")
			}
			return nil
		},
	}
	directoryFlag(c, &dir)
	c.Flags().StringArrayVar(&texts, "anchor", nil, "an `anchor` noted earlier; may be given several times")
	return c
}

func auditHeadCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "head --dir DIR",
		Short: "Print the anchor of the last record, to be noted elsewhere",
		Long: `Head checks the journal and prints the place and hash of its last record. Keep it
where whoever can write the journal cannot; stsd audit verify --anchor then shows
whether anything before it was cut off or rewritten.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := audit.Verify(dir)
			if err != nil {
				return err
			}
			if report.Records == 0 && report.Intact() {
				return fmt.Errorf("there is no journal in %s", dir)
			}
			if !report.Intact() { // an anchor would vouch for it
				return finding("the journal does not hold together: see stsd audit verify")
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), report.Head)
			return err
		},
	}
	directoryFlag(c, &dir)
	return c
}
