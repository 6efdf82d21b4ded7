package sts

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"time"
	"unsafe"

	"sceau/attrs"
	"sceau/audit"
	"sceau/certs"
	"sceau/policy"
	"sceau/saml"
	"sceau/soap"
	"sceau/xmlsec"
)

// A road is one request on its way: the memory of its steps, used again by the next
// request, and the audit event that is filled along the way. One goroutine at a time.
type road struct {
	*settings
	now   time.Time
	event audit.Event
	stage string

	envelope *soap.Envelope
	recalled *certs.Certificate // of the token, by its base64; nil when it is not known
	identity certs.Identity     // who signed the message; set by Key, proven once Verify returned
	path     []*certs.Certificate

	// What each step proved; zero, and so proving nothing, until it did.
	signed    soap.Signed
	confirmed Confirmed
	bound     Bound
	permitted Permitted
	certified Certified

	request  saml.Request
	self     saml.Assertion
	heldText []byte // base64 of the holder's certificate, as the SubjectConfirmation has it
	der      []byte // of the holder's certificate
	answered bool   // the query was reached: refusals are answered as samlp:Response

	wanted    []wanted
	question  attrs.Query
	answers   []attrs.Certified
	asked     policy.ReleaseRequest
	release   policy.Release
	issued    saml.Issue
	values    []string
	status    saml.Status
	ids       [2][33]byte // "_" and 32 hexadecimal digits: assertion, response
	random    [16]byte
	startedAt time.Time
}

// Recall implements soap.Recaller.
func (r *road) Recall(text []byte) bool {
	r.recalled = r.Certificates.Recall(text)
	return r.recalled != nil
}

// Key implements soap.Keys: it identifies the certificate that the message says it
// was signed with, before any signature is verified.
func (r *road) Key(token *soap.Token) (crypto.PublicKey, error) {
	r.stage = "identify"
	var err error
	certificate := r.recalled
	if certificate == nil || token.Certificate != nil {
		if certificate, err = r.Certificates.Parse(token.Certificate); err != nil {
			return nil, err
		}
	}
	r.path = r.path[:0]
	for _, der := range token.Path {
		c, err := r.Certificates.Parse(der)
		if err != nil {
			return nil, err
		}
		r.path = append(r.path, c)
	}
	if !selects(&token.KeyInfo, certificate) {
		return nil, errors.New("sts: the key identifier is not that of the token")
	}
	// Until the signature is verified this is a certificate that anybody may have sent,
	// and the record says no more than which.
	r.event.Identity.Fingerprint = certificate.Fingerprint()
	if r.identity, err = r.Certificates.Identify(certs.RoleIdentity, certificate, r.path, r.now); err != nil {
		return nil, err
	}
	r.stage = "verify"
	return r.identity.PublicKey(), nil
}

// selects reports whether a KeyInfo that names a certificate by an identifier names
// this one (attacks.md A6).
func selects(info *xmlsec.KeyInfo, certificate *certs.Certificate) bool {
	switch info.Selector {
	case xmlsec.ByReference:
		return true
	case xmlsec.ByIssuerSerial:
		return certificate.IssuerIs(info.Issuer) && certificate.SerialNumber().String() == string(bytes.TrimSpace(info.Serial))
	case xmlsec.BySKI:
		ski, err := xmlsec.AppendBase64(nil, info.Value)
		return err == nil && len(ski) > 0 && bytes.Equal(ski, certificate.SKI())
	case xmlsec.ByThumbprint:
		thumbprint, err := xmlsec.AppendBase64(nil, info.Value)
		want := certificate.ThumbprintSHA1()
		return err == nil && bytes.Equal(thumbprint, want[:])
	}
	return false
}

func party(i certs.Identity) audit.Party {
	t, value := i.Identifier()
	return audit.Party{
		Kind:        i.Kind().String(),
		Identifier:  audit.Identifier{Type: string(t), Value: value},
		Fingerprint: i.Certificate().Fingerprint(),
	}
}

func (r *road) begin(s *settings, message *Message) {
	r.settings = s
	r.startedAt = time.Now()
	r.now = s.Now()
	r.answered = false
	r.stage = "read"
	r.event.Reset()
	r.event.ID = audit.NewID(r.now)
	r.event.Time = r.now
	r.event.Service = "saml11"
	r.event.Operation = "attribute-query"
	r.event.Remote = message.Remote
}

// end lets go of everything that belongs to the request.
func (r *road) end() {
	r.envelope.Release()
	r.envelope, r.settings, r.recalled, r.identity, r.heldText = nil, nil, nil, certs.Identity{}, nil
	if cap(r.der) > 1<<16 { // a giant must not keep its memory for ever
		r.der = nil
	}
	r.request.Reset()
	r.self.Reset()
	r.event.Reset()
	r.signed, r.confirmed, r.bound = soap.Signed{}, Confirmed{}, Bound{}
	r.permitted, r.certified = Permitted{}, Certified{}
	clear(r.wanted)
	clear(r.answers)
	clear(r.question.Subjects)
	clear(r.issued.Attributes)
	clear(r.path)
}

// finish turns how the road ended into an answer, once that end is on record. out
// begins with base bytes of the caller's; after them stands the answer with the
// assertion when failure is nil. Without a record it does not leave.
func (r *road) finish(ctx context.Context, out []byte, base int, failure error) Answer {
	answer := Answer{Status: http.StatusOK, Body: out, Audit: r.event.ID}
	if failure != nil {
		answer.Status, answer.Body = r.failed(out[:base], failure)
	} else {
		r.event.Outcome, r.stage = audit.Success, ""
	}
	r.event.Stage = r.stage
	r.event.Duration = time.Since(r.startedAt)
	if err := r.Journal.Record(ctx, &r.event); err != nil {
		// Nothing is issued, and nothing is refused, unrecorded.
		fault := soap.Fault{Code: soap.FaultServer, SOA: soap.SOATemporarily}
		answer.Status, answer.Body = http.StatusInternalServerError, r.appendFault(out[:base], fault)
	}
	return answer
}

// failed writes the answer to a request that failed and says so in the event.
func (r *road) failed(dst []byte, failure error) (status int, body []byte) {
	r.event.Cause = failure.Error()
	var refusal *Refusal
	if r.answered && errors.As(failure, &refusal) {
		r.event.Outcome, r.event.Code = audit.Refused, refusal.Code.String()
		return http.StatusOK, r.appendRefusal(dst, refusal)
	}
	fault := faultOf(failure)
	r.event.Outcome, r.event.Code = audit.Fault, fault.SOA.Code
	return http.StatusInternalServerError, r.appendFault(dst, fault) // SOAP 1.1 section 6.2
}

// abandoned records a request whose answering panicked. Nothing of it leaves.
func (r *road) abandoned(ctx context.Context) {
	r.event.Outcome, r.event.Code = audit.Fault, soap.SOAServiceError.Code
	r.event.Stage, r.event.Cause = r.stage, "panic; the log has the stack"
	r.event.Duration = time.Since(r.startedAt)
	_ = r.Journal.Record(ctx, &r.event) // the panic says more than this error could
}

// alias lends the bytes of a request's memory as a string, for the writers that
// take strings and keep none.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// newID fills r.ids[i] with "_" and 128 random bits in hexadecimal: an NCName that cannot
// be guessed (core 1.2.3).
func (r *road) newID(i int) string {
	rand.Read(r.random[:]) // never fails (crypto/rand)
	r.ids[i][0] = '_'
	hex.Encode(r.ids[i][1:], r.random[:])
	return alias(r.ids[i][:])
}
