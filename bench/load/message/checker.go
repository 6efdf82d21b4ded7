package message

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"sceau/bench/load/measure"
	"sceau/certs"
	"sceau/saml"
	"sceau/xmlsec"
)

const labelSuccess = "200 samlp:Success"

// DefaultExpect says which answers are right, by kind of message, each as measure.Run.Codes
// has it: those of this project's service, which leans on SOAP Message Security 1.0 section
// 12 and the platform's REQ codes. A replay that was kept until its Timestamp ended may be
// refused for that.
func DefaultExpect() map[measure.Kind][]string {
	return map[measure.Kind][]string{
		measure.Query:            {labelSuccess},
		measure.ColdCertificate:  {labelSuccess},
		measure.BadSignature:     {"500 wsse:FailedCheck"},
		measure.Replay:           {"500 wsse:FailedCheck", "500 wsu:MessageExpired"},
		measure.IllFormed:        {"500 soapenv:Client"},
		measure.UnknownAttribute: {"200 REQ-12"},
	}
}

// clockSkew is how far the clocks may differ.
const clockSkew = time.Minute

// CheckerConfig says how answers are judged.
type CheckerConfig struct {
	PKI *PKI // of the consumers who ask
	// Sample is the share of assertions, 0 to 1, whose signature is verified; all else is
	// checked of every answer.
	Sample float64
	// Signers are the certificates, DER, one of which the target signs with. Nothing else is
	// trusted. Nil: those of the PKI.
	Signers [][]byte
	// Expect replaces DefaultExpect for the kinds it names.
	Expect map[measure.Kind][]string
	// Clock is the moment agreed with the server, if one is.
	Clock time.Time
	// Replay, unless nil, is given what was answered.
	Replay *Ring
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Checker judges answers: it satisfies drive.Checker. NewChecker makes it; it is safe for
// concurrent use.
type Checker struct {
	config  CheckerConfig
	wire    *Wire
	signers []*certs.Certificate
	policy  xmlsec.Policy
	expect  map[measure.Kind][]string
	room    sync.Pool // *reading
}

// A reading is the memory of one judgement.
type reading struct {
	answer    answer
	assertion saml.Assertion
	der       []byte
}

// NewChecker returns a Checker.
func NewChecker(config CheckerConfig) (*Checker, error) {
	c := &Checker{config: config, policy: xmlsec.DefaultPolicy(), expect: DefaultExpect()}
	c.room.New = func() any { return new(reading) }
	switch {
	case config.PKI == nil:
		return nil, errors.New("message: checker: no PKI")
	case !(config.Sample >= 0 && config.Sample <= 1):
		return nil, errors.New("message: checker: the sample is a share from 0 to 1")
	}
	c.wire = &config.PKI.config.Wire
	if c.config.Now == nil {
		c.config.Now = time.Now
	}
	if config.Signers == nil {
		config.Signers = config.PKI.signers
	}
	for _, der := range config.Signers {
		signer, err := certs.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("message: checker: certificate of a signer: %w", err)
		}
		c.signers = append(c.signers, signer)
	}
	if len(c.signers) == 0 {
		return nil, errors.New("message: checker: no certificate of a signer")
	}
	for kind, labels := range config.Expect {
		if !slices.Contains(measure.Kinds(), kind) || len(labels) == 0 {
			return nil, fmt.Errorf("message: checker: nothing is expected of kind %q, or there is no such kind", kind)
		}
		c.expect[kind] = labels
	}
	return c, nil
}

// Check judges one answer. What is Right is what the message asked for, in every part that
// is read: the label that is expected, InResponseTo and, of an assertion, issuer, subject,
// holder, validity, and the attributes asked for with the values that the registry has, no
// more and no less. Busy is SOA-02002 or HTTP 503, whatever was asked.
func (c *Checker) Check(shot *measure.Shot, status int, body []byte) measure.Verdict {
	r := c.room.Get().(*reading)
	a := &r.answer
	a.read(status, body)
	verdict := c.judge(shot, r)
	r.assertion.Reset()
	a.release()
	*a = answer{}
	c.room.Put(r)
	if verdict.Class == measure.Right && shot.Kind == measure.Query && c.config.Replay != nil {
		c.config.Replay.put(shot.Body, c.config.Now())
	}
	return verdict
}

func (c *Checker) judge(shot *measure.Shot, r *reading) measure.Verdict {
	a := &r.answer
	verdict := measure.Verdict{Class: measure.Wrong, Code: a.label}
	if busy := string(a.soa) == "SOA-02002"; busy || a.status == http.StatusServiceUnavailable {
		verdict.Class = measure.Busy
		if len(a.soa) > 0 {
			a.name(word(a.soa))
			verdict.Code = a.label
		}
		return verdict
	}
	if a.isResponse && (shot.ID == "" || string(a.response.InResponseTo) != shot.ID) {
		verdict.Why = "InResponseTo is not the RequestID"
		return verdict
	}
	if !slices.Contains(c.expect[shot.Kind], a.label) {
		verdict.Why = fmt.Sprintf("%s instead of %q", a.label, c.expect[shot.Kind])
		return verdict
	}
	if a.isResponse && a.response.Success {
		if verdict.Why = c.assertion(shot, r); verdict.Why != "" {
			return verdict
		}
		if c.sampled(shot.Sequence) {
			if verdict.Why = c.signature(r); verdict.Why != "" {
				return verdict
			}
			verdict.Verified = true
		}
	} else if a.isResponse && !a.response.Assertion.IsZero() {
		verdict.Why = "a refusal with an assertion"
		return verdict
	}
	verdict.Class = measure.Right
	return verdict
}

// sampled spreads the sample evenly over the sequence.
func (c *Checker) sampled(n uint64) bool {
	const period = 1 << 20 // of which float64 is exact enough
	k := float64(n % period)
	return uint64((k+1)*c.config.Sample) > uint64(k*c.config.Sample)
}

// now returns what the server must take for now.
func (c *Checker) now() time.Time {
	if !c.config.Clock.IsZero() {
		return c.config.Clock
	}
	return c.config.Now()
}
