package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
	"sceau/soap"
	"sceau/sts"
	"sceau/wsc"
	"sceau/wsp"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// judgeRequest runs the STS itself on a request, up to its policy: what is asked there and
// of the registers is the business of those who have them.
func (e *explanation) judgeRequest(root xmltext.Node, at time.Time) (*verdict, error) {
	trust, err := e.flags.verifier(root, at)
	if err != nil {
		return nil, err
	}
	defer trust.Close()
	last := &lastRecord{}
	gate := &policyGate{}
	config := sts.DefaultConfig()
	config.Security.Signature.SHA1, config.Inner.SHA1 = e.flags.sha1, e.flags.sha1
	config.Security.Replay = soap.NewMemoryReplay(1)
	config.Certificates, config.Catalogue, config.Policy, config.Journal = trust.Verifier, attrs.EHealth(), gate, last
	config.ClientNames, config.AcceptClaimed = e.flags.clients, e.flags.acceptClaimed
	config.Now = func() time.Time { return at }
	config.SignerNotAfter = at.Add(time.Hour)
	if config.Signer, err = xmlsec.NewSigner(xmlsec.SignerConfig{Key: trust.key, KeyInfo: xmlsec.CertificateKeyInfo(trust.own)}); err != nil {
		return nil, err
	}
	nobody, err := attrs.NewStatic("none", config.Now, nil)
	if err != nil {
		return nil, err
	}
	config.Attributes, err = attrs.NewResolver(attrs.Config{Catalogue: config.Catalogue, Routes: []attrs.Route{{Source: nobody}}, Budget: time.Second})
	if err != nil {
		return nil, err
	}
	defer config.Attributes.Close()
	service, err := sts.New(config)
	if err != nil {
		return nil, err
	}
	service.AttributeQuery(context.Background(), &sts.Message{Body: e.content}, nil)
	v := &verdict{what: "the STS", checks: requestChecks(), failed: -1, unchecked: append(trust.unchecked,
		"whether the message was sent before, and whether policy and registers give what is asked: the STS knows")}
	if !gate.reached {
		v.failed, v.cause = last.check(v.checks), last.event.Cause
		v.rules = e.rules(trust, v.checks[v.failed].name, at)
	}
	return v, nil
}

// A policyGate is a policy that notes that it was asked, and permits nothing.
type policyGate struct{ reached bool }

// Release implements policy.PDP.
func (g *policyGate) Release(_ context.Context, r *policy.ReleaseRequest, d *policy.Release) error {
	g.reached = true
	*d = policy.Release{}
	for range r.Attributes {
		d.Decisions = append(d.Decisions, policy.Deny("explain"))
	}
	return nil
}

// A lastRecord is a journal that keeps the last record, of one goroutine.
type lastRecord struct {
	event      audit.Event
	identified bool // the certificate of the sender was looked at
	held       bool // and that of the holder
}

// Record implements sts.Recorder.
func (l *lastRecord) Record(_ context.Context, e *audit.Event) error {
	l.event = audit.Event{Stage: e.Stage, Code: e.Code, Cause: e.Cause}
	l.identified, l.held = e.Identity.Fingerprint != [32]byte{}, e.Holder.Fingerprint != [32]byte{}
	return nil
}

// check finds the check that a record speaks of.
func (l *lastRecord) check(checks []check) int {
	for code, name := range codeChecks {
		if l.event.Code != code.String() {
			continue
		}
		if code == sts.ConfirmationFailed && l.held {
			name = queryInner
		}
		i := locate(checks, name)
		checks[i].advice = codeAdvice[code]
		return i
	}
	if l.event.Stage == "query" {
		return locate(checks, checkBody)
	}
	for reason, name := range requestReasons {
		if !strings.HasPrefix(l.event.Cause, "soap: "+reason.String()) {
			continue
		}
		switch {
		case l.identified && (reason == soap.UnsupportedAlgorithm || reason == soap.BadSecurity):
			name = checkSignature
		case !l.identified && reason == soap.BadSignature:
			name = checkToken
		case l.event.Stage == "read" && (reason == soap.UnsupportedToken || reason == soap.BadTimestamp):
			name = checkSecurity
		case l.event.Stage != "read" && reason == soap.BadSecurity:
			name = checkToken
		}
		return locate(checks, name)
	}
	return 0
}

// judgeCall runs the guard of a service on a call.
func (e *explanation) judgeCall(root xmltext.Node, at time.Time) (*verdict, error) {
	trust, err := e.flags.verifier(root, at)
	if err != nil {
		return nil, err
	}
	defer trust.Close()
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: trust.Verifier, Issuers: []string{e.flags.issuer}, Audiences: e.flags.audiences, HolderRoles: bothRoles(),
		MessageSHA1: e.flags.sha1, AssertionSHA1: e.flags.sha1, Skew: time.Minute, Replay: soap.NewMemoryReplay(1), CacheBytes: -1,
		Now: func() time.Time { return at }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	v := &verdict{what: "a guarded service", checks: callChecks(), failed: -1, unchecked: append(trust.unchecked, "whether the message was sent before, and the service's own rules of access: the service knows")}
	if len(e.flags.trust.files) == 0 {
		v.unchecked = append(v.unchecked, "whether the STS is trusted: give --trust")
	}
	if _, err := guard.Admit(e.content, at); err != nil {
		if v.failed, v.cause = callCheck(v.checks, err), err.Error(); v.failed < 0 {
			return nil, err
		}
		// What is wrong with the message as it stands, before anything in it is judged.
		envelope, err := soap.Parse(e.content, &soap.Config{Limits: xmltext.DefaultLimits()})
		if err != nil {
			record := lastRecord{event: audit.Event{Stage: "read", Cause: err.Error()}}
			v.failed, v.cause = record.check(v.checks), err.Error()
		}
		envelope.Release()
		v.rules = e.rules(trust, v.checks[v.failed].name, at)
	}
	return v, nil
}

// judgeAnswer runs this client's own checks on an answer.
func (e *explanation) judgeAnswer(root xmltext.Node, at time.Time) (*verdict, error) {
	trust, err := e.flags.verifier(root, at)
	if err != nil {
		return nil, err
	}
	defer trust.Close()
	client, err := wsc.NewClient(wsc.Config{Trust: trust.Verifier, Issuer: e.flags.issuer, MaxAnswer: maxFile, Signature: e.algorithms(), Now: func() time.Time { return at }})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	v := &verdict{what: "a client", failed: -1}
	k, _ := kindOf(root)
	v.checks = answerChecks(root.Is(soap.NamespaceEnvelope, "Envelope"), k == kindAnswer, e.request != nil)
	if len(e.flags.trust.files) == 0 {
		v.unchecked = append(v.unchecked, "whether the STS is trusted: give --trust")
	}
	if e.request == nil {
		v.unchecked = append(v.unchecked, "whom it is for, and whether it answers all that was asked: give --request")
	}
	err = client.Examine(e.content, e.request)
	var status *wsc.StatusError
	switch {
	case err == nil:
	case errors.As(err, &status):
		v.failed, v.cause = locate(v.checks, checkSuccess), "the STS refused the query: "+e.named(status.Message)
		v.checks[v.failed].advice = adviceOf(status.Message)
	case wsc.ReasonOf(err) == wsc.BadRequest: // of --request
		return nil, err
	default:
		name := answerReasons[wsc.ReasonOf(err)]
		if name == answerSigned && mismatch(err) {
			name = answerIntact
		}
		if k == kindToken && name == answerOne {
			name = answerAlone
		}
		if !slices.ContainsFunc(v.checks, func(c check) bool { return c.name == name }) {
			return nil, err
		}
		v.failed, v.cause = locate(v.checks, name), strings.TrimPrefix(err.Error(), "wsc: ")
		if name == answerIssuer { // the error names it, and whoever issues about himself is a person
			v.cause = "it is not " + e.flags.issuer
		}
		v.rules = e.rules(trust, name, at)
	}
	return v, nil
}

func (e *explanation) algorithms() xmlsec.Policy {
	p := xmlsec.DefaultPolicy()
	p.SHA1 = e.flags.sha1
	return p
}

// fault explains a fault: what it says, and what a server means by it.
func (e *explanation) fault(f *wsc.Fault) {
	e.title("A SOAP fault: the message was refused, or the server failed")
	e.line("code", "%s", e.label(f.Code.Local))
	e.line("says", "%s", e.named(f.Message))
	if f.SOACode != "" {
		e.line("platform", "%s", e.label(f.SOACode))
	}
	if f.ID != "" {
		e.line("audit id", "%s (by it the operator of the server finds the cause)", e.label(f.ID))
	}
	if f.Retry {
		e.line("retry", "the same may succeed later")
	}
	writeMeanings(e.out, f)
}

// writeMeanings lists what servers of this kind mean by a fault, from the tables by which
// they write them.
func writeMeanings(out io.Writer, f *wsc.Fault) {
	writeList(out, "\nA server says so for one of these reasons, and not for which:", meaningsOf(f))
	if f.ElsewhereMaySucceed() {
		writeList(out, "\nClients of the platform try another endpoint after it. What can be done here:", []string{
			"wsc explain the request that was refused: it names the first check that fails",
			"wsc clock compares the clocks",
		})
	}
}
