// Package kerberos is the means of a session that a person has already, of Windows or of another Kerberos (SPNEGO, RFC 4559 and
// RFC 4178; RECO FI 03): the browser shows a ticket, and nobody types anything.
//
//	means, err := kerberos.New(kerberos.Config{
//		Keytab: "sso.keytab", Service: "HTTP/sso.hopital.example", Realms: []string{"HOPITAL.EXAMPLE"},
//	})
//
// # What it proves, and since when
//
// Who the key distribution centre says that it is, in the encrypted part of the ticket: never what the authenticator says, which
// the person's own machine wrote. The time of the proof is the authtime of the ticket, when the person entered a password or a
// PIN for the session that is inherited (EXI FI 19 and 25), and not now; one from before authn.Attempt.NotBefore is refused. The
// reference is wia; what else an establishment knows of its sessions, that all of them began with a card, it says in
// Config.References.
//
// Service tickets of machines (NAME$), of services and of anonymous are nobody's. A ticket of another realm than those of the
// configuration is refused, also where the realms trust each other.
//
// # What is refused
//
// An authenticator that was used before, older than Config.Skew, or for another service than the one of the configuration. NTLM,
// which browsers outside a domain send under the name of Negotiate. Raw Kerberos tokens without SPNEGO are taken, as some send.
//
// There is no channel binding (RFC 5929): Kerberos over a proxy that ends TLS would fail. Whoever can read what the browser
// sends to this server can use a ticket once, within the skew, in its place.
package kerberos

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// Config says which tickets are taken.
type Config struct {
	// Keytab is the file with the keys of the service. It is read once.
	Keytab string
	// Service is the principal of the service, HTTP/host: tickets for another key of the file are not taken.
	Service string
	// Realms are those whose people are taken. Required.
	Realms []string

	// Usernames says that a person is named by the name in the principal, "username", and not by the whole of it, "principal".
	// It takes one realm: two may have one name.
	Usernames bool

	// References are what is known beside wia of how sessions begin.
	References []string

	// Skew is how far the clocks of browsers may differ. Five minutes if zero; more is refused.
	Skew time.Duration

	// Seen remembers authenticators: whatever has the same keytab shares it, or one that was shown here is good there. Nil: this
	// means remembers its own, and nothing does after it.
	Seen Seen
}

const mostSkew = 5 * time.Minute

// Means is the means. New makes it.
type Means struct {
	config  Config
	keys    *keytab.Keytab
	service types.PrincipalName
}

// New reads the keytab and makes the means.
func New(c Config) (*Means, error) {
	if c.Skew == 0 {
		c.Skew = mostSkew
	}
	if c.Seen == nil {
		c.Seen = new(seen)
	}
	service, host, _ := strings.Cut(c.Service, "/")
	switch {
	case service != "HTTP" || host == "" || strings.ContainsAny(host, "/@"):
		return nil, fmt.Errorf("kerberos: the service %q: want HTTP/ and a host", c.Service)
	case len(c.Realms) == 0 || slices.Contains(c.Realms, ""):
		return nil, errors.New("kerberos: no realm, or one without a name")
	case c.Usernames && len(c.Realms) != 1:
		return nil, errors.New("kerberos: names of users are those of one realm")
	case c.Skew < 0 || c.Skew > mostSkew:
		return nil, errors.New("kerberos: a skew of more than five minutes, or a negative one")
	}
	octets, err := os.ReadFile(c.Keytab)
	if err != nil {
		return nil, err
	}
	m := &Means{config: c, keys: keytab.New(), service: types.NewPrincipalName(nametype.KRB_NT_SRV_INST, c.Service)}
	if err := m.keys.Unmarshal(octets); err != nil {
		return nil, fmt.Errorf("kerberos: %s cannot be read", c.Keytab)
	}
	has := false
	for _, e := range m.keys.Entries {
		has = has || slices.Equal(e.Principal.Components, m.service.NameString)
	}
	if !has {
		return nil, fmt.Errorf("kerberos: %s holds no key of %s", c.Keytab, c.Service)
	}
	return m, nil
}

// References implements authn.Means.
func (m *Means) References() []string { return append([]string{"wia"}, m.config.References...) }

// Serve implements authn.Means. Who has no ticket sees the body of the challenge; who was refused is asked no more, or his browser
// would show the same ticket for ever.
func (m *Means) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return nil, nil
	}
	p := page.Kerberos{Retry: a.URL, Return: a.ReturnURL}
	if a.Refused != nil {
		p.Refused = a.Refused.Reason
		a.Pages.Write(w, r, http.StatusOK, p)
		return nil, nil
	}
	token, given := negotiate(r)
	if !given || r.Method == http.MethodHead {
		w.Header().Set("WWW-Authenticate", "Negotiate")
		a.Pages.Write(w, r, http.StatusUnauthorized, p)
		return nil, nil
	}
	proof, err := m.judge(token, r.RemoteAddr, a.Now)
	if err == nil && proof.Time.Before(a.NotBefore) {
		// Another ticket of the same session would be as old.
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("kerberos: the session began too long ago")}
	}
	return proof, err
}

// maxToken bounds a token: tickets of Windows with many groups are large.
const maxToken = 64 << 10

// negotiate gives the token of a request: the scheme's name does not depend on case (RFC 9110 section 11.1).
func negotiate(r *http.Request) (token string, given bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), strings.EqualFold(scheme, "Negotiate")
}

// notProven is a refusal with its cause, which names nobody.
func notProven(format string, args ...any) error {
	return &authn.Refusal{Reason: authn.NotProven, Cause: fmt.Errorf("kerberos: "+format, args...)}
}

// judge says whom a token proves.
func (m *Means) judge(token, remote string, now time.Time) (*authn.Proof, error) {
	if len(token) > maxToken {
		return nil, notProven("a token of more than %d octets", maxToken)
	}
	octets, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, notProven("a token that is not base64")
	}
	request, err := parse(octets)
	if err != nil {
		return nil, err
	}
	return m.verify(request, remote, now)
}

// parse finds the Kerberos token in that of SPNEGO, or takes it as it is.
func parse(octets []byte) (request *spnego.KRB5Token, err error) {
	// The library indexes into what a stranger wrote.
	defer func() {
		if recover() != nil {
			request, err = nil, notProven("a token that cannot be read")
		}
	}()
	if strings.HasPrefix(string(octets), "NTLMSSP\x00") {
		return nil, notProven("NTLM and not Kerberos")
	}
	inner := octets
	var outer spnego.SPNEGOToken
	if outer.Unmarshal(octets) == nil {
		mechanisms := outer.NegTokenInit.MechTypes
		if !outer.Init || len(mechanisms) == 0 || !mechanisms[0].Equal(gssapi.OIDKRB5.OID()) && !mechanisms[0].Equal(gssapi.OIDMSLegacyKRB5.OID()) {
			return nil, notProven("no Kerberos")
		}
		inner = outer.NegTokenInit.MechTokenBytes
	}
	request = new(spnego.KRB5Token)
	if err := request.Unmarshal(inner); err != nil || !request.IsAPReq() {
		return nil, notProven("a token that cannot be read")
	}
	if len(request.APReq.Ticket.SName.NameString) == 0 {
		return nil, notProven("a ticket for nothing")
	}
	return request, nil
}

// verify verifies the ticket and its authenticator.
func (m *Means) verify(request *spnego.KRB5Token, remote string, now time.Time) (proof *authn.Proof, err error) {
	defer func() {
		if recover() != nil {
			proof, err = nil, notProven("a token that cannot be read")
		}
	}()
	host, _, _ := net.SplitHostPort(remote)
	address, _ := types.GetHostAddress(net.JoinHostPort(host, "0"))
	q := &request.APReq
	// Not service.VerifyAPREQ: it believes the realm that the authenticator says, and keeps replays for all of the process.
	if ok, err := q.Verify(m.keys, m.config.Skew, address, &m.service); err != nil || !ok {
		return nil, notProven("the ticket or its authenticator does not hold")
	}
	ticket := &q.Ticket.DecryptedEncPart
	switch {
	case q.Authenticator.CRealm != ticket.CRealm:
		return nil, notProven("the authenticator is of another realm than the ticket")
	case !slices.Contains(m.config.Realms, ticket.CRealm):
		return nil, notProven("of a realm that is not taken")
	case len(ticket.CName.NameString) != 1 || ticket.CName.NameString[0] == "" || strings.ContainsAny(ticket.CName.NameString[0], "/@"):
		return nil, notProven("a principal of no person")
	case strings.HasSuffix(ticket.CName.NameString[0], "$"):
		return nil, notProven("a machine")
	case ticket.AuthTime.IsZero() || ticket.AuthTime.Sub(now) > m.config.Skew:
		return nil, notProven("a session that began in the future")
	}
	fresh, err := m.config.Seen.Add(sha256.Sum256(q.EncryptedAuthenticator.Cipher), now, 2*m.config.Skew)
	if err != nil {
		return nil, err
	}
	if !fresh {
		return nil, notProven("an authenticator that was used")
	}
	at := ticket.AuthTime
	if at.After(now) {
		at = now
	}
	id := authn.Identifier{Type: "principal", Value: ticket.CName.NameString[0] + "@" + ticket.CRealm}
	if m.config.Usernames {
		id = authn.Identifier{Type: "username", Value: ticket.CName.NameString[0]}
	}
	used := sha256.Sum256(q.Ticket.EncPart.Cipher)
	return &authn.Proof{Identifier: id, References: m.References(), Time: at, Credential: hex.EncodeToString(used[:])}, nil
}

var _ authn.Means = (*Means)(nil)
