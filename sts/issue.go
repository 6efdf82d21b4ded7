package sts

import (
	"context"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/saml"
	"sceau/soap"
)

var (
	wireTrue  = []string{"true"}
	wireFalse = []string{"false"}
)

// issue writes the answer with the signed assertion behind dst.
func (r *road) issue(ctx context.Context, c *Certified, dst []byte) ([]byte, error) {
	r.stage = "issue"
	b := c.permitted.bound
	notBefore, notOnOrAfter := r.window(b, c.answers)
	if !notOnOrAfter.After(r.now) {
		return dst, refuse(WindowInvalid, "no time is left: a certificate, an attribute or the profile ends")
	}
	if !r.SignerNotAfter.After(r.now) {
		return dst, refuse(IssuanceFailed, "the certificate of the signer has ended")
	}
	if r.now.Before(r.SignerNotBefore) {
		return dst, refuse(IssuanceFailed, "the certificate of the signer has not begun")
	}
	if err := ctx.Err(); err != nil {
		return dst, refuseFor(IssuanceFailed, err)
	}
	identity := b.confirmed.identity.Certificate()
	r.issued = saml.Issue{
		AssertionID: r.newID(0), Issuer: r.Issuer, IssueInstant: r.now,
		NotBefore: notBefore, NotOnOrAfter: notOnOrAfter,
		Subject:      saml.Name{Subject: identity.Subject().String(), Issuer: identity.Issuer().String()},
		HolderBase64: b.confirmed.holder.Certificate().Base64(),
		Attributes:   r.statements(b, c.answers),
	}
	code := saml.Status{Code: "Success", LeftOut: r.status.LeftOut}
	w := saml.Writer{Out: soap.AppendOpen(dst)}
	saml.OpenResponse(&w, r.newID(1), alias(r.request.RequestID), r.now, &code)
	if err := w.Err(); err != nil {
		return dst, refuseFor(IssuanceFailed, err)
	}
	out, err := saml.AppendAssertion(w.Out, &r.issued, r.Signer)
	if err != nil {
		return dst, refuseFor(IssuanceFailed, err)
	}
	w.Out = out
	saml.CloseResponse(&w)
	r.event.AssertionID = r.ids[0][:]
	r.event.NotBefore, r.event.NotOnOrAfter = notBefore, notOnOrAfter
	return soap.AppendClose(w.Out), nil
}

// window is what was asked, within every bound: NotBefore back-dated as the platform
// does, but never from a beginning further back than clocks may differ; NotOnOrAfter
// the earliest of the end that was asked for, the profile's maximum, either
// certificate's end and the earliest end of a certified attribute (attacks.md R4).
func (r *road) window(b *Bound, answers []attrs.Certified) (notBefore, notOnOrAfter time.Time) {
	notBefore = b.notBefore
	if oldest := r.now.Add(-r.Security.Timestamp.Skew); notBefore.Before(oldest) {
		notBefore = oldest
	}
	notOnOrAfter = earliest(b.notOnOrAfter, r.now.Add(r.release.MaximumValidity))
	notOnOrAfter = earliest(notOnOrAfter, b.confirmed.identity.NotAfter())
	notOnOrAfter = earliest(notOnOrAfter, b.confirmed.holder.NotAfter())
	if end := attrs.Earliest(answers); !end.IsZero() {
		notOnOrAfter = earliest(notOnOrAfter, end)
	}
	return notBefore.Add(-r.BackDate), notOnOrAfter
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// statements lists the attributes in the order asked, under the names asked:
// identification ones as proven, certified ones as answered.
func (r *road) statements(b *Bound, answers []attrs.Certified) []saml.Statement {
	list, next := r.issued.Attributes[:0], 0
	r.values = r.values[:0]
	for i := range b.wanted {
		w, event := &b.wanted[i], &r.event.Attributes[i]
		if !w.permitted {
			continue
		}
		event.Disposition = audit.Released
		statement := r.named(w)
		if !w.definition.Certified() {
			r.values = append(r.values, r.question.Subjects[w.claimed].Value)
			statement.Values = r.values[len(r.values)-1:]
		} else {
			answer := &answers[next]
			next++
			event.Source, event.State = answer.Source, auditState(answer.State)
			event.Origin, event.RetrievedAt = auditOrigin(answer.Origin), answer.RetrievedAt
			switch { // an Unresolved one is not here: leaveOut took it out
			case w.definition.Kind == attrs.Boolean && answer.State == attrs.Affirmed:
				statement.Values = wireTrue
			case w.definition.Kind == attrs.Boolean: // denied or unknown: a signed false
				statement.Values = wireFalse
			default: // unknown: no value, written as an empty one
				statement.Values = answer.Values
			}
		}
		list = append(list, statement)
	}
	return list
}

func auditState(s attrs.State) audit.State {
	switch s {
	case attrs.Affirmed:
		return audit.Affirmed
	case attrs.Denied:
		return audit.Denied
	case attrs.Unknown:
		return audit.Unknown
	}
	return 0
}

func auditOrigin(o attrs.Origin) audit.Origin {
	switch o {
	case attrs.Cached:
		return audit.Cached
	case attrs.Stale:
		return audit.Stale
	}
	return audit.Live
}

// named returns a statement under the name that was asked; an alias is answered under
// itself.
func (r *road) named(w *wanted) saml.Statement {
	s := saml.Statement{Name: w.definition.Name, Namespace: w.definition.Namespace}
	if s.Name != string(w.asked.Name) {
		s.Name = string(w.asked.Name)
	}
	if s.Namespace != string(w.asked.Namespace) {
		s.Namespace = string(w.asked.Namespace)
	}
	return s
}

// appendRefusal writes a samlp:Response without assertion. A message always stands
// in it: the platform's connectors read it without looking whether it is there.
func (r *road) appendRefusal(dst []byte, refusal *Refusal) []byte {
	code, sub := refusal.Code.Status()
	if refusal.sub != "" {
		sub = refusal.sub
	}
	status := saml.Status{Code: code, SubCode: sub, Message: refusal.Code.Message(), AuditID: r.event.ID.String()}
	w := saml.Writer{Out: soap.AppendOpen(dst)}
	saml.OpenResponse(&w, r.newID(1), alias(r.request.RequestID), r.now, &status)
	saml.CloseResponse(&w)
	return soap.AppendClose(w.Out)
}

func (r *road) appendFault(dst []byte, f soap.Fault) []byte {
	f.Environment, f.ID = r.Environment, r.event.ID.String()
	return soap.AppendFault(dst, f)
}
