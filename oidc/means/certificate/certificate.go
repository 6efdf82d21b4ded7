// Package certificate is the means of a person's certificate in TLS: an eID, a CPS, an eHealth certificate. Whose certificate it
// is, whether its chain holds and whether it is revoked, [sceau/certs] says; this package says what that proves, and when.
//
// # Two addresses
//
// A browser is asked for a certificate when it connects, and never later: TLS 1.3 knows no renegotiation, HTTP/2 forbids it. So
// there is a second listener, for authn.Attempt.SecureURL, whose TLS asks for a certificate and does without:
//
//	connections := &certificate.Connections{}
//	server := &http.Server{TLSConfig: certificate.TLS(base, authorities...), ConnContext: connections.Context, Handler: …}
//
// At the address of the means on any other listener a page says what to insert, and leads there.
//
// # When the PIN was entered
//
// The card asks for its PIN when the private key signs a handshake, and a connection then lives for hours. What is proven is the
// handshake, and its instant is the auth_time (EXI FI 19): so a connection proves somebody for MaxAge only, and nobody where it
// began before authn.Attempt.NotBefore; then the browser is led to a new one (Connection: close, which HTTP/2 turns into a
// GOAWAY). The instant that is recorded is that at which the connection was accepted, a little before: never later than the truth.
//
// A session that is resumed (RFC 8446 section 2.2) has the certificate of the handshake before it and no signature: TLS turns
// tickets off, and whatever was resumed nevertheless proves nobody.
//
// What no server sees: middleware that keeps a card open signs again without asking for the PIN. An establishment that wants
// the PIN each time has to configure the middleware so.
//
// # What it proves
//
// What Config.References says of the profile that admitted the certificate. Card is for certificates whose key never leaves a
// card with a PIN; Software for keys in files, which a copy has too, and which no one can tell whether a passphrase guards:
//
//	Card       sc pin mfa hwk
//	Software   swk
//
// What a means yields at least is what its profiles have in common: cards and software are two means, each with its own, or no
// policy that wants a card offers either.
//
// Whom: ssin of an eID, or of an eHealth certificate; nihii of eight digits or eleven; rpps of a CPS. An organisation is nobody.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"sceau/certs"
	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// Card are the references of a key on a card with a PIN.
func Card() []string { return []string{"sc", "pin", "mfa", "hwk"} }

// Software are those of a key in a file.
func Software() []string { return []string{"swk"} }

// Config says whose certificates are taken.
type Config struct {
	Verifier *certs.Verifier
	Role     certs.Role // certs.RolePerson if empty

	// References are those of each profile of the role, by its name. What a profile without any admits is refused.
	References map[string][]string

	// Cards are their names on the page: eID, CPS.
	Cards []string

	// MaxAge is for how long after its handshake a connection proves somebody. A minute if zero.
	MaxAge time.Duration
}

// Means is the means. New makes it.
type Means struct {
	config Config
	least  []string
}

// New makes the means.
func New(c Config) (*Means, error) {
	if c.Role == "" {
		c.Role = certs.RolePerson
	}
	if c.MaxAge == 0 {
		c.MaxAge = time.Minute
	}
	switch {
	case c.Verifier == nil:
		return nil, errors.New("certificate: no verifier")
	case !c.Verifier.Serves(c.Role):
		return nil, fmt.Errorf("certificate: no profile serves the role %q", c.Role)
	case len(c.References) == 0:
		return nil, errors.New("certificate: no profile with what it proves")
	case c.MaxAge < 0:
		return nil, errors.New("certificate: a negative time")
	}
	m := &Means{config: c}
	for name, references := range c.References {
		if len(references) == 0 {
			return nil, fmt.Errorf("certificate: profile %q proves nothing", name)
		}
		// What every certificate proves at least is what all profiles have in common.
		if m.least == nil {
			m.least = slices.Clone(references)
		}
		m.least = slices.DeleteFunc(m.least, func(r string) bool { return !slices.Contains(references, r) })
	}
	return m, nil
}

// References implements authn.Means.
func (m *Means) References() []string { return slices.Clone(m.least) }

// TLS gives the settings of a listener that asks browsers for a certificate: of one of the authorities (DER), so that they offer
// those alone; no authority is no restriction. It trusts none: certs does. Sessions are not resumed.
func TLS(base *tls.Config, authorities ...[]byte) (*tls.Config, error) {
	c := base.Clone()
	c.ClientAuth = tls.RequestClientCert
	c.SessionTicketsDisabled = true
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.ClientCAs = nil
	for _, der := range authorities {
		a, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate: an authority: %w", err)
		}
		if c.ClientCAs == nil {
			c.ClientCAs = x509.NewCertPool()
		}
		c.ClientCAs.AddCert(a)
	}
	return c, nil
}

// Connections say of each connection of a listener when it began.
type Connections struct {
	Now func() time.Time // time.Now if nil
}

type began struct{}

// Context is for http.Server.ConnContext. It marks the connections of a listener that asks for certificates: on no other does the
// means look at one.
func (c *Connections) Context(ctx context.Context, _ net.Conn) context.Context {
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	return context.WithValue(ctx, began{}, now())
}

// state is what is kept between requests.
type state struct {
	Fault page.CertificateFault // of what was shown last
	Again int                   // how often the browser was led to a new connection and came by an old one
}

// mostAgain bounds that.
const mostAgain = 3

// Serve implements authn.Means.
func (m *Means) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return nil, nil
	}
	var st state
	if len(a.State) > 0 {
		if err := json.Unmarshal(a.State, &st); err != nil {
			return nil, errors.New("certificate: the state of the attempt cannot be read")
		}
	}
	since, secure := r.Context().Value(began{}).(time.Time)
	if !secure || r.TLS == nil || r.Method != http.MethodGet {
		fault := st.Fault
		st.Fault = 0 // it is told once
		st.keep(a)
		m.explain(w, r, a, fault)
		return nil, nil
	}
	// Whatever comes of it: the next try needs a new handshake.
	w.Header().Set("Connection", "close")
	switch {
	case len(r.TLS.PeerCertificates) == 0:
		m.explain(w, r, a, page.CertificateNone)
		return nil, nil
	case r.TLS.DidResume, a.Now.Sub(since) > m.config.MaxAge, since.Before(a.NotBefore):
		if st.Again++; st.Again > mostAgain {
			st.Again = 0
			st.keep(a)
			return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("certificate: the browser makes no new connection")}
		}
		st.keep(a)
		http.Redirect(w, r, a.SecureURL, http.StatusSeeOther)
		return nil, nil
	}
	proof, err := m.judge(r.TLS.PeerCertificates, a.Now)
	if err != nil {
		st.Fault, st.Again = faultOf(err), 0
		st.keep(a)
		return nil, err
	}
	if proof.Time = since; since.After(a.Now) {
		proof.Time = a.Now
	}
	return proof, nil
}

func (st state) keep(a *authn.Attempt) { a.State, _ = json.Marshal(st) } // two numbers: it cannot fail

// explain shows the page that leads to the listener for certificates.
func (m *Means) explain(w http.ResponseWriter, r *http.Request, a *authn.Attempt, fault page.CertificateFault) {
	p := page.Certificate{Secure: a.SecureURL, Cards: m.config.Cards, Fault: fault, Return: a.ReturnURL}
	if a.Refused != nil {
		p.Refused = a.Refused.Reason
	}
	a.Pages.Write(w, r, http.StatusOK, p)
}

// mostCertificates is how many a path has without its root, at most.
const mostCertificates = 5

// judge says whom the certificates of a handshake prove: the first is the person's, whose key signed.
func (m *Means) judge(shown []*x509.Certificate, now time.Time) (*authn.Proof, error) {
	if len(shown) > mostCertificates {
		return nil, refused(&certs.Error{Reason: certs.TooManyCertificates})
	}
	leaf, err := m.config.Verifier.Parse(shown[0].Raw)
	if err != nil {
		return nil, refused(err)
	}
	var between []*certs.Certificate
	for _, c := range shown[1:] {
		parsed, err := m.config.Verifier.Parse(c.Raw)
		if err != nil {
			return nil, refused(err)
		}
		between = append(between, parsed)
	}
	identity, err := m.config.Verifier.Identify(m.config.Role, leaf, between, now)
	if err != nil {
		return nil, refused(err)
	}
	return m.proof(identity)
}

// proof is what an identity proves.
func (m *Means) proof(identity certs.Identity) (*authn.Proof, error) {
	references := m.config.References[identity.Profile()]
	if len(references) == 0 {
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: fmt.Errorf("certificate: not said what profile %q proves", identity.Profile())}
	}
	id, attributes := identifier(identity)
	if id.Value == "" {
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: fmt.Errorf("certificate: of no person: %s", identity.Kind())}
	}
	fingerprint := identity.Certificate().Fingerprint()
	return &authn.Proof{
		Identifier: id, References: slices.Clone(references), Attributes: attributes,
		Certificate: slices.Clone(identity.Certificate().Raw()), Credential: hex.EncodeToString(fingerprint[:]),
	}, nil
}

// identifier says whom it identifies, and how that is written where persons are named to others.
func identifier(identity certs.Identity) (authn.Identifier, map[string][]string) {
	switch identity.Kind() {
	case certs.EID, certs.EHealthPerson:
		if ssin := identity.SSIN(); ssin != "" {
			return authn.Identifier{Type: "ssin", Value: ssin}, nil
		}
		return authn.Identifier{Type: "nihii", Value: identity.NIHII() + identity.NIHII11()}, nil // one of them is empty
	case certs.IGCSantePerson:
		rpps := identity.RPPS()
		return authn.Identifier{Type: "rpps", Value: rpps}, map[string][]string{"SubjectNameID": {"8" + rpps}}
	}
	return authn.Identifier{}, nil
}

// refused makes a refusal of the person of what is his certificate's fault, and an outage of what is not.
func refused(err error) error {
	switch certs.ReasonOf(err) {
	case 0, certs.RevocationUnknown, certs.Unavailable, certs.UnknownRole, certs.NoTrust:
		return err
	}
	return &authn.Refusal{Reason: authn.Unsuitable, Cause: err}
}

// faultOf says what of a refusal may be told.
func faultOf(err error) page.CertificateFault {
	var refusal *authn.Refusal
	if !errors.As(err, &refusal) {
		return 0
	}
	switch certs.ReasonOf(refusal.Cause) {
	case certs.Expired, certs.NotYetValid:
		return page.CertificateExpired
	case certs.Revoked:
		return page.CertificateRevoked
	}
	return page.CertificateForeign
}

var _ authn.Means = (*Means)(nil)
