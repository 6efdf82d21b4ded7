package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"sceau/saml"
	"sceau/soap"
	"sceau/wsc"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

type explainFlags struct {
	authorities
	trust
	at, request        string
	personal, sha1     bool
	clients, audiences []string
	acceptClaimed      []string
}

func explainCommand() *cobra.Command {
	f := &explainFlags{}
	cmd := &cobra.Command{
		Use:   "explain FILE",
		Short: "Say what a message says, which checks it passes, and the first that it fails",
		Long: `Explains the message in FILE (- is standard input): a request for a token, the answer
of an STS, an assertion, a call of a service with one, or a SOAP fault.

The checks are those of the STS, of the guard of a service, and of this client: the same
code is run on the message. It is judged as at now or --at; one that fails now is judged as
at its own making too. What cannot be judged here is said: whether certificates are trusted
without --eid-ca, --ehealth-ca or --trust (they are then taken as if they were), revocation
without --crl, replay, policy and registers.

No name, identifier or value of a person is shown without --personal. The status is 5 when
a check fails.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.at, "at", "", "judge as at this `time` (2026-11-21T20:00:00Z) and not now")
	flags.BoolVar(&f.personal, "personal", false, "show names, identifiers and values")
	f.authorities.register(flags)
	f.trust.register(flags)
	flags.StringVar(&f.request, "request", "", "`FILE` with the message that an answer or fault answers: then whom an answer is for is judged too, and what a fault refused")
	flags.BoolVar(&f.sha1, "sha1", false, "the STS or service admits SHA-1 in requests and calls")
	flags.StringArrayVar(&f.clients, "client-name", nil, "`name` that the STS admits as Issuer of requests besides the subject name (repeatable)")
	flags.StringArrayVar(&f.acceptClaimed, "accept-claimed", nil, "`name` of an identification attribute that the STS takes as claimed (repeatable)")
	flags.StringArrayVar(&f.audiences, "audience", nil, "`name` of the service, where an assertion is for certain ones (repeatable)")
	return cmd
}

// errFails: the message fails a check.
var errFails = errors.New("the message fails a check")

func (f *explainFlags) run(cmd *cobra.Command, file string) error {
	at, err := when(f.at)
	if err != nil {
		return err
	}
	content, err := readInput(cmd, file)
	if err != nil {
		return err
	}
	e := &explanation{flags: f, out: cmd.OutOrStdout(), content: content, at: at, fixed: f.at != ""}
	if f.request != "" {
		if e.request, err = readInput(cmd, f.request); err != nil {
			return err
		}
	}
	return e.explain()
}

// An explanation is of one file.
type explanation struct {
	flags            *explainFlags
	out              io.Writer
	content, request []byte
	at               time.Time
	fixed            bool              // at is the user's, and the only moment
	found            map[string][]byte // certificates of the message, by the label under which they are shown
}

// A kind is what a message is.
type kind uint8

const (
	kindRequest kind = iota + 1 // of an STS, or what may have been meant as one
	kindCall                    // of a service, with an assertion in its header
	kindAnswer                  // of an STS
	kindToken                   // an assertion alone
	kindFault
)

// explain describes the message, then judges it.
func (e *explanation) explain() error {
	limits := xmltext.DefaultLimits()
	limits.Bytes = maxFile
	document, err := xmltext.Parse(e.content, limits)
	if err != nil {
		// Nothing can be said of it but why; the STS would have stopped here too.
		e.title("A text that is not XML in the form of the wire")
		e.verdict(e.at, &verdict{what: "the STS", checks: requestChecks(), failed: 0, cause: err.Error()})
		return errFails
	}
	defer document.Release()
	root := document.Root()
	var made time.Time
	var judge func(time.Time) (*verdict, error)
	switch k, n := kindOf(root); k {
	case kindFault:
		fault, _ := wsc.ReadFault(n)
		e.fault(fault)
		return e.cause()
	case kindAnswer, kindToken:
		if made, err = e.answer(k, n); err != nil {
			return err
		}
		judge = func(at time.Time) (*verdict, error) { return e.judgeAnswer(root, at) }
	case kindCall:
		made = e.call(root)
		judge = func(at time.Time) (*verdict, error) { return e.judgeCall(root, at) }
	default:
		made = e.requested(root)
		judge = func(at time.Time) (*verdict, error) { return e.judgeRequest(root, at) }
	}
	return e.judge(judge, made)
}

// cause explains the message that --request says a fault answers.
func (e *explanation) cause() error {
	if e.request == nil {
		return nil
	}
	fmt.Fprintln(e.out, "\nThe message that was refused:")
	return (&explanation{flags: e.flags, out: e.out, content: e.request, at: e.at, fixed: e.fixed}).explain()
}

// judge judges at the moment that was asked for, and where that fails at the message's own.
func (e *explanation) judge(judge func(time.Time) (*verdict, error), made time.Time) error {
	now, err := judge(e.at)
	if err != nil {
		return err
	}
	defer e.open(now)
	e.verdict(e.at, now)
	if now.failed < 0 {
		return nil
	}
	if !e.fixed && !made.IsZero() {
		then, err := judge(made)
		if err != nil {
			return err
		}
		if then.failed != now.failed || then.cause != now.cause {
			e.verdict(made, then)
		}
	}
	return errFails
}

// kindOf tells what a document is, and gives the element that says it.
func kindOf(root xmltext.Node) (kind, xmltext.Node) {
	if !root.Is(soap.NamespaceEnvelope, "Envelope") {
		return kindOfElement(root)
	}
	for n := root.FirstElement(); !n.IsZero(); n = n.NextElement() {
		if n.Is(soap.NamespaceEnvelope, "Body") {
			if k, n := kindOfElement(n.FirstElement()); k != kindRequest {
				return k, n
			}
		}
	}
	for block := root.FirstElement().FirstElement(); !block.IsZero(); block = block.NextElement() {
		if !block.Is(xmlsec.NamespaceWSSE, "Security") {
			continue
		}
		for n := block.FirstElement(); !n.IsZero(); n = n.NextElement() {
			if n.Is(saml.NamespaceAssertion, "Assertion") {
				return kindCall, n
			}
		}
	}
	return kindRequest, root
}

func kindOfElement(n xmltext.Node) (kind, xmltext.Node) {
	switch {
	case n.Is(soap.NamespaceEnvelope, "Fault"):
		return kindFault, n
	case n.Is(saml.NamespaceProtocol, "Response"):
		return kindAnswer, n
	case n.Is(saml.NamespaceAssertion, "Assertion"):
		return kindToken, n
	}
	return kindRequest, n
}

// A verdict is what came of judging a message: the checks before the failed one hold.
type verdict struct {
	what      string // whose checks they are
	checks    []check
	failed    int // -1: none
	cause     string
	rules     []string // of a certificate, where it is that which fails
	unchecked []string
}

// A check is one that a message must pass, and what to do where it does not.
type check struct{ name, advice string }

// locate returns the place of a check.
func locate(checks []check, name string) int {
	for i := range checks {
		if checks[i].name == name {
			return i
		}
	}
	panic("no check " + name) // a table that names what is not in another
}
