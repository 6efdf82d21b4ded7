package wsp

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"

	"sceau/saml"
	"sceau/saml/trust"
	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// A PDP is a policy decision point that the Guard asks last, about a caller who is
// proven and has the required attributes. Implementations are safe for concurrent use.
type PDP interface {
	// Decide returns nil to admit. An error denies; one that wraps ErrNoDecision or
	// an error of ctx says that there is no decision, which refuses too, with a
	// fault that tells the caller to come back later.
	Decide(ctx context.Context, caller *Caller) error
}

// ErrNoDecision is wrapped by a PDP that cannot decide.
var ErrNoDecision = errors.New("no decision")

// A Guard admits messages. NewGuard makes it; the zero Guard admits none. It is safe
// for concurrent use.
type Guard struct {
	config   Config
	envelope soap.Config
	message  soap.Policy
	judge    trust.Judge
	known    *knownAssertions // nil: none is remembered
}

// NewGuard checks a configuration, and reports all that is wrong with it.
func NewGuard(c Config) (*Guard, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Issuers, c.Audiences = slices.Clone(c.Issuers), slices.Clone(c.Audiences)
	c.HolderRoles, c.Require, c.SenderVouches = slices.Clone(c.HolderRoles), slices.Clone(c.Require), slices.Clone(c.SenderVouches)
	for i := range c.Require {
		c.Require[i].Values = slices.Clone(c.Require[i].Values)
	}
	g := &Guard{config: c, envelope: soap.Config{Limits: c.Limits, Actor: c.Actor}}
	g.judge = trust.Judge{Certificates: c.Certificates, Issuers: c.Issuers, Audiences: c.Audiences, HolderRoles: c.HolderRoles, Skew: c.Skew,
		Signature: xmlsec.DefaultPolicy()}
	g.message = soap.Policy{
		Signature: xmlsec.DefaultPolicy(),
		Timestamp: c.Timestamp,
		Replay:    c.Replay,
		Tokens:    []soap.TokenKind{soap.SAMLAssertion},
	}
	if len(c.SenderVouches) > 0 {
		g.message.Tokens, g.message.Vouched = []soap.TokenKind{soap.SAMLAssertion, soap.X509}, true
	}
	g.message.Signature.SHA1 = c.MessageSHA1
	g.judge.Signature.SHA1 = c.AssertionSHA1
	g.judge.Signature.MaxReferences = 1 // the assertion itself, and nothing beside (attacks.md W19)
	if c.CacheBytes > 0 {
		var err error
		if g.known, err = newKnownAssertions(c.CacheBytes); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Close forgets the verified assertions. The Guard must not be used afterwards.
func (g *Guard) Close() {
	if g != nil && g.known != nil {
		g.known.close()
	}
}

// Admit judges a message at now and tells who sent it. The message is not kept. On
// refusal the Caller is nil and the error an *Error. A message that was admitted, or that only
// the rules of access refused, is remembered: it is not admitted a second time.
func (g *Guard) Admit(message []byte, now time.Time) (*Caller, error) {
	return g.AdmitContext(context.Background(), message, now)
}

// AdmitContext is Admit with a context for the PDP.
func (g *Guard) AdmitContext(ctx context.Context, message []byte, now time.Time) (*Caller, error) {
	caller, err := g.decide(ctx, message, now)
	if err != nil {
		return nil, err
	}
	return caller, nil
}

// decide also tells whom the rules of access refused.
func (g *Guard) decide(ctx context.Context, message []byte, now time.Time) (*Caller, error) {
	if g == nil || g.config.Certificates == nil {
		return nil, refuse(Unconfigured, nil)
	}
	envelope, err := soap.Parse(message, &g.envelope)
	if err != nil {
		return nil, messageError(err)
	}
	defer envelope.Release()
	a := admissions.Get().(*admission)
	defer a.release()
	a.guard, a.now, a.policy = g, now, g.message
	a.policy.Replay = a
	signed, err := envelope.Verify(&a.policy, a, now) // asks a for the holder's key
	if err != nil {
		return nil, messageError(err)
	}
	caller, err := a.admit(&signed)
	if err != nil {
		return nil, err
	}
	return caller, g.permit(ctx, caller)
}

// permit applies the rules of access.
func (g *Guard) permit(ctx context.Context, caller *Caller) error {
	for i := range g.config.Require {
		if r := &g.config.Require[i]; !r.holds(caller) {
			return refuse(MissingAttribute, errors.New(r.Name))
		}
	}
	if g.config.PDP == nil {
		return nil
	}
	switch err := g.config.PDP.Decide(ctx, caller); {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoDecision), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(NoDecision, err)
	default:
		return refuse(Denied, err)
	}
}

// An admission is the work on one message: it gives package soap the key of the
// holder whom the assertion names, and keeps what it proved on the way.
type admission struct {
	guard  *Guard
	now    time.Time
	policy soap.Policy // the Guard's, with this admission as ReplayState

	token     xmltext.Node // whose key signed the message
	node      xmltext.Node // the assertion that was judged
	proven    *assertion
	fresh     bool // proven was verified now, not remembered
	vouched   bool // by the sender of the message
	holder    holder
	keyDigest [sha256.Size]byte // of the SubjectPublicKeyInfo that signed the message
	digest    [sha256.Size]byte // what the replay state remembers

	parsed    saml.Assertion
	canonical []byte
	der       []byte
}

var admissions = sync.Pool{New: func() any { return new(admission) }}

// maxKept bounds the memory that a pooled admission keeps.
const maxKept = 256 << 10

func (a *admission) release() {
	if cap(a.canonical) <= maxKept {
		*a = admission{canonical: a.canonical[:0], der: a.der[:0]}
		admissions.Put(a)
	}
}

// Remember implements soap.ReplayState. The digest that package soap gives is of what
// the message says is signed: Timestamp and Body, but not who signed it, because the
// assertion is not among the signed parts. The holder's key is joined to it, so that two
// holders who send the same request at the same moment are not taken for one. The
// assertion is not joined: whoever captures a call must not be able to send it again
// with another assertion of the same holder (attacks.md R1).
func (a *admission) Remember(digest [sha256.Size]byte, until, now time.Time) error {
	var both [2 * sha256.Size]byte
	copy(both[:], digest[:])
	copy(both[sha256.Size:], a.keyDigest[:])
	a.digest = sha256.Sum256(both[:])
	return a.guard.config.Replay.Remember(a.digest, until, now)
}

// admit makes the Caller of a message that was verified with the key a gave.
func (a *admission) admit(signed *soap.Signed) (*Caller, error) {
	body := signed.Body()
	if a.proven == nil || body.IsZero() || signed.Token() == nil || signed.Token().Node != a.token {
		return nil, refuse(BadSecurity, errors.New("token is not the one that was judged"))
	}
	if a.guard.config.ProtectTokens && !signed.Covers(a.node) {
		return nil, refuse(NotCovered, errors.New("assertion"))
	}
	octets, err := c14n.Append(make([]byte, 0, len(body.Source())+bodyRoom), body, c14n.Options{})
	if err != nil {
		return nil, refuse(BadMessage, err)
	}
	if a.fresh && a.guard.known != nil {
		a.guard.known.add(a.proven, a.now)
	}
	c := &Caller{assertion: a.proven, catalogue: a.guard.config.Catalogue, holder: a.holder.identity, digest: a.digest, created: signed.Created()}
	c.body = octets[:len(octets):len(octets)]
	octets = append(octets, body.Namespace()...)
	c.bodyNamespace = octets[len(c.body):len(octets):len(octets)]
	octets = append(octets, body.Local()...)
	c.bodyLocal = octets[len(octets)-len(body.Local()):]
	return c, nil
}

// bodyRoom is room for the declarations that the canonical form of a body adds, and
// for the name of its element.
const bodyRoom = 320
