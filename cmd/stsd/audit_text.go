package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sceau/audit"
	"sceau/sts"
)

// milliseconds is RFC 3339 with a fixed number of digits, so that lines align.
const milliseconds = "2006-01-02T15:04:05.000Z"

// writeLine shows a record on one line, in columns of fixed width, because records are
// shown as they are read and not when the last is known.
func writeLine(out io.Writer, e *audit.Entry) error {
	at := e.Time.UTC().Format(milliseconds)
	if e.Kind != "event" {
		_, err := fmt.Fprintf(out, "%s  -- %s of the journal, record %d\n", at, plain(e.Kind), e.Seq)
		return err
	}
	what := plain(e.Cause)
	if e.Service == audit.ServiceOIDC {
		what = plain(strings.Join(slicesNonEmpty([]string{e.Operation, after("by", e.Means), after("of", e.Client), after("grant", e.Grant), e.Cause}), ", "))
	}
	if e.AssertionID != "" {
		what = "assertion " + plain(e.AssertionID) + " until " + e.NotOnOrAfter.UTC().Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(out, "%s  %-7s  %-9s  %-9s  %s  %s\n", at, plain(e.Outcome), plain(cmp.Or(e.Code, "-")),
		plain(cmp.Or(e.Stage, "-")), plain(e.ID), what)
	return err
}

// writeRecord shows all there is to a record. What it does not have is left out.
func writeRecord(out io.Writer, e *audit.Entry) error {
	if e.Kind != "event" {
		return writeLine(out, e)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n", plain(e.ID))
	line := func(name string, words ...string) {
		words = slicesNonEmpty(words)
		if len(words) > 0 {
			fmt.Fprintf(w, "  %s\t%s\n", name, plain(strings.Join(words, " ")))
		}
	}
	line("time", e.Time.UTC().Format(time.RFC3339Nano), after("took", tookText(e.DurationMicros)))
	line("asked", e.Service, e.Operation, after("mode", e.Mode), after("from", e.Remote))
	line("outcome", e.Outcome, e.Code, after("at", e.Stage))
	line("cause", e.Cause)
	line("request", e.RequestID)
	line("message", after("sha256", e.Message))
	for _, party := range []struct {
		name string
		audit.PartyEntry
	}{{"signer", e.Identity}, {"holder", e.Holder}} {
		line(party.name, party.Kind, party.Type, party.Pseudonym)
		line("", after("certificate", party.Certificate))
	}
	line("subject", e.Subject.Type, e.Subject.Pseudonym)
	line("client", e.Client)
	line("action", e.Action)
	line("resource", e.Resource.Type, e.Resource.Name, e.Resource.Pseudonym)
	line("policies", e.Policies)
	line("profiles", e.Profiles...)
	for i, a := range e.Attributes {
		name := ""
		if i == 0 {
			name = "attributes"
		}
		line(name, fmt.Sprintf("%-8s %-8s", cmp.Or(a.Disposition, "asked"), cmp.Or(a.State, "-")), a.Name, after("rule", a.Rule), after("source", a.Source), origin(&a))
	}
	if e.MoreAttributes > 0 {
		line("", fmt.Sprintf("and %d more", e.MoreAttributes))
	}
	line("establishment", e.Establishment)
	line("means", e.Means, after("amr", strings.Join(e.Methods, ",")), after("acr", e.ACR), after("at", moment(e.AuthTime, "")))
	line("credential", e.Credential)
	line("authentication", e.Authentication)
	line("session", e.Session, after("attempt", e.Attempt))
	line("grant", e.Grant, after("scope", e.Scope))
	for i := range e.Tokens {
		line(once(i, "tokens"), e.Tokens[i].Use, tokenText(&e.Tokens[i]))
	}
	if len(e.Sealed) > 0 {
		line("sealed", "see stsd audit trace --reveal")
	}
	line("assertion", e.AssertionID)
	if !e.NotOnOrAfter.IsZero() {
		line("valid", e.NotBefore.UTC().Format(time.RFC3339Nano), "until", e.NotOnOrAfter.UTC().Format(time.RFC3339Nano))
	}
	line("record", fmt.Sprintf("%d, %s:%d, hash %s", e.Seq, e.File, e.Line, e.Hash))
	fmt.Fprintln(w)
	return w.Flush()
}

// writeRoad shows how far a request came on the road of a token.
func writeRoad(out io.Writer, e *audit.Entry) error {
	if e.Service != "saml11" {
		return writeRecord(out, e)
	}
	stages := sts.Stages()
	stopped := slices.IndexFunc(stages, func(s sts.Stage) bool { return s.Name == e.Stage })
	if e.Stage == "" {
		stopped = len(stages) // it arrived
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\t%s\n", plain(e.ID), e.Time.UTC().Format(time.RFC3339Nano), plain(strings.TrimSpace(e.Outcome+" "+e.Code)))
	if stopped < 0 { // a stage before the road: HTTP
		fmt.Fprintf(w, "FAILED\t%s\t%s\n", plain(e.Stage), plain(e.Cause))
	}
	for i, s := range stages {
		switch {
		case i < stopped:
			fmt.Fprintf(w, "passed\t%s\t%s\n", s.Name, s.Proves)
		case i == stopped:
			fmt.Fprintf(w, "FAILED\t%s\t%s\n\t\t%s\n", s.Name, s.Proves, plain(e.Cause))
		default:
			fmt.Fprintf(w, "not looked at\t%s\t%s\n", s.Name, s.Proves)
		}
	}
	return w.Flush()
}

// origin says where an answer was had, if not from its source for this request.
func origin(a *audit.AttributeEntry) string {
	if a.Origin == "" {
		return ""
	}
	return a.Origin + " since " + a.RetrievedAt.UTC().Format(time.RFC3339Nano)
}

func slicesNonEmpty(words []string) []string {
	var kept []string
	for _, word := range words {
		if word != "" {
			kept = append(kept, word)
		}
	}
	return kept
}

func tookText(micros int64) string {
	if micros == 0 {
		return ""
	}
	return (time.Duration(micros) * time.Microsecond).String()
}

// writeReport shows what a verification found, the findings last, where the eye rests.
func writeReport(out io.Writer, report *audit.Report, anchors int) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "files\t%d\n", report.Files)
	fmt.Fprintf(w, "records\t%d, %d of them events\n", report.Records, report.Events)
	if report.Before.Seq > 0 && report.RemovedByRetention() {
		fmt.Fprintf(w, "kept since\trecord %d; the journal itself removed what was older\n", report.Before.Seq+1)
	} else if report.Before.Seq > 0 {
		fmt.Fprintf(w, "kept since\trecord %d; compare with the head of what was archived: %s\n", report.Before.Seq+1, report.Before)
	}
	fmt.Fprintf(w, "head\t%s\n", report.Head)
	for _, name := range report.Torn {
		fmt.Fprintf(w, "set aside\t%s, half written when the process or the machine stopped\n", plain(name))
	}
	for _, anchor := range report.Unchecked {
		fmt.Fprintf(w, "not checked\t%s lies before what is kept\n", anchor)
	}
	switch {
	case !report.Intact():
		fmt.Fprintf(w, "result\tDOES NOT HOLD TOGETHER\n")
	case anchors > len(report.Unchecked):
		fmt.Fprintf(w, "result\tintact, up to the anchors as it was when they were noted\n")
	default:
		fmt.Fprintf(w, "result\tintact as far as it goes; only an anchor shows whether the end was cut off or rewritten\n")
	}
	for _, f := range report.Findings {
		fmt.Fprintf(w, "%s\n", plain(f.String()))
	}
	if report.FindingsOmitted > 0 {
		fmt.Fprintf(w, "and %d more\n", report.FindingsOmitted)
	}
	return w.Flush()
}
