// Package assertion is a means of authentication: an assertion of a token service, ours or one that we trust, shown by its holder. A
// program of the person's that has a session with the token service logs him in by it, without another card or password.
//
// The holder proves himself by mutual TLS: the certificate of the connection is the one in the assertion, octet by octet, and the key
// is there. An assertion that somebody else found proves nothing. Whose word the assertion is [sceau/saml/trust] says, as it says to the
// guard of a service; the holder must be a person, and the one whom the attributes name: an organisation that holds an assertion about
// its physician is not that physician.
//
// # On the wire
//
// POST to authn.Attempt.SecureURL + "/assertion", a form: "assertion" is the assertion in base64 (RFC 4648 section 4), "token" that of the
// attempt, from the page at the address of the means.
package assertion

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sceau/attrs"
	"sceau/certs"
	"sceau/oidc/authn"
	"sceau/oidc/page"
	"sceau/saml"
	"sceau/saml/trust"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// Bounds of what is shown.
const (
	maxAssertion    = 64 << 10
	maxAttributes   = 256
	maxCertificates = 5 // of a path without its root
)

// Config says whose assertions are taken.
type Config struct {
	// Judge says whose assertions are believed and who may hold them. Its Audiences are our names, its HolderRoles the roles of persons.
	// The zero Signature is xmlsec.DefaultPolicy().
	Judge trust.Judge
	// Persons are the attributes by which an assertion names its person, the preferred first. Required.
	Persons []Person
	// References are those of each profile that admits a holder, by its name (certificate.Card, certificate.Software): what the holder's key
	// proves. A profile without any is refused. Required.
	References map[string][]string
	// Attributes are passed on, by the names that they are given here.
	Attributes map[attrs.Designator]string
	// Limits of the XML text; the zero value is xmltext.DefaultLimits.
	Limits xmltext.Limits
}

// A Person is an attribute that names a person.
type Person struct {
	Attribute attrs.Designator
	// Type is that of the identifier: "ssin", "nihii" or "rpps", for the certificate of the holder says these and no other.
	Type string
}

// Means is the means. New makes it. It is safe for concurrent use.
type Means struct {
	c     Config
	least []string
}

var _ authn.Means = (*Means)(nil)

// New checks a configuration.
func New(c Config) (*Means, error) {
	if c.Limits == (xmltext.Limits{}) {
		c.Limits = xmltext.DefaultLimits()
	}
	if c.Limits.Bytes > maxAssertion {
		c.Limits.Bytes = maxAssertion
	}
	if c.Judge.Signature == (xmlsec.Policy{}) {
		c.Judge.Signature = xmlsec.DefaultPolicy()
	}
	c.Judge.Signature.MaxReferences = 1 // the assertion, and nothing beside (attacks.md W19)
	switch {
	case c.Judge.Certificates == nil, len(c.Judge.Issuers) == 0, len(c.Judge.HolderRoles) == 0:
		return nil, errors.New("assertion: no certificates, no issuers or no roles of holders")
	case slices.Contains(c.Judge.Issuers, "") || slices.Contains(c.Judge.Audiences, ""):
		return nil, errors.New("assertion: an empty issuer or audience")
	case !c.Judge.Certificates.Serves(certs.RoleSTS):
		return nil, fmt.Errorf("assertion: no profile serves the role %q: no assertion could be believed", certs.RoleSTS)
	case len(c.Persons) == 0:
		return nil, errors.New("assertion: no attribute names a person")
	case len(c.References) == 0:
		return nil, errors.New("assertion: no profile with what it proves")
	}
	for _, role := range c.Judge.HolderRoles {
		if role == certs.RoleSTS || !c.Judge.Certificates.Serves(role) {
			return nil, fmt.Errorf("assertion: no profile serves the role %q, or it is no person's", role)
		}
	}
	for _, p := range c.Persons {
		if p.Attribute.Name == "" || p.Type != "ssin" && p.Type != "nihii" && p.Type != "rpps" {
			return nil, fmt.Errorf("assertion: no certificate says a %q", p.Type)
		}
	}
	m := &Means{c: c}
	for name, references := range c.References {
		if len(references) == 0 {
			return nil, fmt.Errorf("assertion: profile %q proves nothing", name)
		}
		if m.least == nil { // what every profile proves
			m.least = slices.Clone(references)
		}
		m.least = slices.DeleteFunc(m.least, func(r string) bool { return !slices.Contains(references, r) })
	}
	return m, nil
}

// References implements authn.Means.
func (m *Means) References() []string { return slices.Clone(m.least) }

func refused(r authn.Reason, format string, a ...any) error {
	return &authn.Refusal{Reason: r, Cause: fmt.Errorf("assertion: "+format, a...)}
}

// Serve implements authn.Means.
func (m *Means) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p := page.Assertion{Return: a.ReturnURL}
		if a.SecureURL != "" {
			p.Action = a.SecureURL + "/assertion"
		}
		if a.Refused != nil {
			p.Refused = a.Refused.Reason
		}
		a.Pages.Write(w, r, http.StatusOK, p)
		return nil, nil
	case http.MethodPost:
		return m.prove(r, a)
	}
	w.Header().Set("Allow", "GET, HEAD, POST")
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	return nil, nil
}

// prove says whom an assertion and the connection on which it comes prove.
func (m *Means) prove(r *http.Request, at *authn.Attempt) (*authn.Proof, error) {
	// A session that was resumed has the certificate of the handshake before it, and no signature of the key.
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || len(r.TLS.PeerCertificates) > maxCertificates || r.TLS.DidResume {
		return nil, refused(authn.Unsuitable, "no certificate in this handshake")
	}
	octets, err := body(r)
	if err != nil {
		return nil, err
	}
	document, err := xmltext.Parse(octets, m.c.Limits)
	if err != nil {
		return nil, refused(authn.NotProven, "%w", err)
	}
	defer document.Release()
	root := document.Root()
	if root.HasComment() { // a canonical form shows none (attacks.md D1, W18)
		return nil, refused(authn.NotProven, "a comment")
	}
	var a saml.Assertion
	if err := saml.ParseAssertion(root, &a); err != nil {
		return nil, refused(authn.NotProven, "%w", err)
	}
	if len(a.Attributes()) > maxAttributes {
		return nil, refused(authn.NotProven, "too many attributes")
	}
	var scratch []byte
	belief, err := m.c.Judge.Believe(&a, false, at.Now, &scratch)
	if err != nil {
		return nil, trusted(err)
	}
	// From here on every octet of a is the word of a trusted STS.
	holder, err := m.holder(&belief, r.TLS.PeerCertificates, at)
	if err != nil {
		return nil, err
	}
	return m.proof(&a, holder, at)
}

// body reads the assertion out of the form.
func body(r *http.Request) ([]byte, error) {
	if err := r.ParseForm(); err != nil {
		return nil, refused(authn.NotProven, "no form")
	}
	values := r.PostForm["assertion"]
	if len(values) != 1 || len(values[0]) > base64.StdEncoding.EncodedLen(maxAssertion)*5/4 {
		return nil, refused(authn.NotProven, "not one assertion, or one that is too long")
	}
	octets, err := base64.StdEncoding.Strict().DecodeString(strings.Map(unbroken, values[0]))
	if err != nil {
		return nil, refused(authn.NotProven, "no base64")
	}
	return octets, nil
}

// unbroken takes away how text is broken into lines.
func unbroken(r rune) rune {
	if r == '\r' || r == '\n' || r == ' ' || r == '\t' {
		return -1
	}
	return r
}

// holder says who holds the assertion: its holder-of-key certificate is that of the connection.
func (m *Means) holder(b *trust.Belief, shown []*x509.Certificate, at *authn.Attempt) (certs.Identity, error) {
	if b.Key.Selector != xmlsec.ByCertificate {
		return certs.Identity{}, refused(authn.NotProven, "held by a key without certificate")
	}
	der, err := xmlsec.AppendBase64(nil, b.Key.Value)
	if err != nil || !bytes.Equal(der, shown[0].Raw) {
		return certs.Identity{}, refused(authn.NotProven, "held by another than who shows it")
	}
	path := make([]*certs.Certificate, len(shown))
	for i, c := range shown {
		if path[i], err = m.c.Judge.Certificates.Parse(c.Raw); err != nil {
			return certs.Identity{}, refused(authn.Unsuitable, "%w", err)
		}
	}
	identity, err := m.c.Judge.Holder(path[0], path[1:], at.Now)
	if err != nil {
		return certs.Identity{}, trusted(err)
	}
	return identity, nil
}

// proof says what is proven.
func (m *Means) proof(a *saml.Assertion, holder certs.Identity, at *authn.Attempt) (*authn.Proof, error) {
	references := m.c.References[holder.Profile()]
	if len(references) == 0 {
		return nil, refused(authn.Unsuitable, "not said what profile %q proves", holder.Profile())
	}
	found, err := attributes(a)
	if err != nil {
		return nil, err
	}
	id, err := m.person(found, holder)
	if err != nil {
		return nil, err
	}
	fingerprint := holder.Certificate().Fingerprint()
	p := &authn.Proof{Identifier: id, References: slices.Clone(references), Time: a.AuthenticationInstant,
		Certificate: slices.Clone(holder.Certificate().Raw()), Credential: hex.EncodeToString(fingerprint[:])}
	if p.Time.IsZero() || a.IssueInstant.Before(p.Time) {
		p.Time = a.IssueInstant // nobody authenticated after the assertion says so
	}
	if p.Time.After(at.Now) {
		p.Time = at.Now // within the skew that the judge admits
	}
	if p.Time.Before(at.NotBefore) {
		return nil, refused(authn.Unsuitable, "authenticated too long ago for this client")
	}
	for designator, name := range m.c.Attributes {
		if values := found[designator]; len(values) > 0 {
			if p.Attributes == nil {
				p.Attributes = map[string][]string{}
			}
			p.Attributes[name] = append(p.Attributes[name], values...)
		}
	}
	return p, nil
}

// attributes reads the attributes; one that stands twice would be read so by one reader and otherwise by another.
func attributes(a *saml.Assertion) (map[attrs.Designator][]string, error) {
	found := map[attrs.Designator][]string{}
	for i := range a.Attributes() {
		from := &a.Attributes()[i]
		d := attrs.Designator{Name: string(from.Name), Namespace: string(from.Namespace)}
		if _, twice := found[d]; twice {
			return nil, refused(authn.NotProven, "an attribute twice")
		}
		found[d] = []string{}
		for _, v := range from.Values {
			if len(v) > 0 {
				found[d] = append(found[d], string(v))
			}
		}
	}
	return found, nil
}

// person gives the identifier: what the assertion says and the certificate of the holder too.
func (m *Means) person(found map[attrs.Designator][]string, holder certs.Identity) (authn.Identifier, error) {
	for _, p := range m.c.Persons {
		values := found[p.Attribute]
		if len(values) == 0 {
			continue
		}
		if own := identifier(holder, p.Type); len(values) != 1 || own == "" || own != values[0] {
			return authn.Identifier{}, refused(authn.Unsuitable, "of another person than its holder, or held by none")
		}
		return authn.Identifier{Type: p.Type, Value: values[0]}, nil
	}
	return authn.Identifier{}, refused(authn.Unsuitable, "it names no person")
}

// identifier gives what a certificate says of a person; nothing of an organisation.
func identifier(holder certs.Identity, kind string) string {
	switch holder.Kind() {
	case certs.EID, certs.EHealthPerson, certs.IGCSantePerson:
	default:
		return ""
	}
	switch kind {
	case "ssin":
		return holder.SSIN()
	case "nihii":
		return holder.NIHII() + holder.NIHII11() // one of them is empty
	case "rpps":
		return holder.RPPS()
	}
	return ""
}

// trusted sorts what package trust refuses: what is nobody's fault here is an outage.
func trusted(err error) error {
	switch certs.ReasonOf(err) {
	case certs.RevocationUnknown, certs.Unavailable, certs.UnknownRole, certs.NoTrust:
		return fmt.Errorf("assertion: %w", err)
	}
	switch trust.ReasonOf(err) {
	case trust.Unconfigured:
		return fmt.Errorf("assertion: %w", err)
	case trust.Expired, trust.NotYetValid, trust.WrongAudience, trust.WrongIssuer, trust.UntrustedSTS, trust.UntrustedHolder:
		return refused(authn.Unsuitable, "%w", err)
	}
	return refused(authn.NotProven, "%w", err)
}
