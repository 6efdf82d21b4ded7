package authzen

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sceau/policy/cedar"
)

// A Client is a policy enforcement point that may ask.
type Client struct {
	Name string // of the audit trail
	// Token is the SHA-256 of its bearer token; zero: it has none. Certificate is the subject of its TLS certificate as
	// crypto/x509 writes it (RFC 2253), which the listener has verified; empty: any. Of both set, both must be shown.
	Token       [sha256.Size]byte
	Certificate string
	// Resources are what it may ask about.
	Resources []Resource
}

// A Resource names resources: one, or with an empty ID all of a type.
type Resource struct{ Type, ID string }

// ParseResource reads Type or Type::id. An id may hold "::" and a type may not, so that the first one divides them.
func ParseResource(text string) (Resource, error) {
	t, id, one := strings.Cut(text, "::")
	if t == "" || one && id == "" {
		return Resource{}, errors.New("a resource is written Type or Type::id")
	}
	return Resource{t, id}, nil
}

// may says whether the client may ask about a resource; with an empty id, about all of the type.
func (c *Client) may(e *cedar.Entity) bool {
	for _, r := range c.Resources {
		if r.Type == e.Type && (r.ID == "" || r.ID == e.ID) {
			return true
		}
	}
	return false
}

// mayAny says whether the client may ask about any resource of a type.
func (c *Client) mayAny(t string) bool {
	for _, r := range c.Resources {
		if r.Type == t {
			return true
		}
	}
	return false
}

func checkClients(clients []Client) error {
	if len(clients) == 0 {
		return errors.New("no client: nobody could ask")
	}
	var errs []error
	for i := range clients {
		c := &clients[i]
		switch {
		case c.Name == "":
			errs = append(errs, errors.New("a client without name"))
		case c.Token == [sha256.Size]byte{} && c.Certificate == "":
			errs = append(errs, fmt.Errorf("client %q: neither token nor certificate proves it", c.Name))
		case len(c.Resources) == 0:
			errs = append(errs, fmt.Errorf("client %q: no resource that it may ask about", c.Name))
		}
		for j := range clients[:i] {
			other := &clients[j]
			switch {
			case other.Name == c.Name:
				errs = append(errs, fmt.Errorf("client %q: another has this name", c.Name))
			case c.Token != [sha256.Size]byte{} && other.Token == c.Token:
				errs = append(errs, fmt.Errorf("client %q: client %q has the same token", c.Name, other.Name))
			case c.Certificate != "" && other.Certificate == c.Certificate && (c.Token == [sha256.Size]byte{} || other.Token == [sha256.Size]byte{}):
				errs = append(errs, fmt.Errorf("client %q: client %q has the same certificate", c.Name, other.Name))
			}
		}
	}
	return errors.Join(errs...)
}

// nameOf is the subject of a certificate as a configuration names it, and empty, which is nobody's, for one with several common
// names or serial numbers: crypto/x509 keeps the last of them alone, and whoever had his own name put before another's would be the
// other.
func nameOf(subject *pkix.Name) string {
	commonNames, serialNumbers := 0, 0
	for i := range subject.Names {
		switch {
		case subject.Names[i].Type.Equal(commonName):
			commonNames++
		case subject.Names[i].Type.Equal(serialNumber):
			serialNumbers++
		}
	}
	if commonNames > 1 || serialNumbers > 1 {
		return ""
	}
	return subject.String()
}

var commonName, serialNumber = asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 5} // X.520

// client finds who asks, nil for nobody. Tokens are compared by their hashes, every one, so that the time it takes tells nothing.
func (s *settings) client(r *http.Request) *Client {
	subject := ""
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		subject = nameOf(&r.TLS.VerifiedChains[0][0].Subject)
	}
	var shown [sha256.Size]byte
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if hasToken := ok && strings.EqualFold(scheme, "Bearer") && token != ""; hasToken {
		shown = sha256.Sum256([]byte(token))
	} else if r.Header.Get("Authorization") != "" {
		return nil // something else was shown
	}
	var found *Client
	for i := range s.Clients {
		c := &s.Clients[i]
		same := subtle.ConstantTimeCompare(c.Token[:], shown[:]) == 1 // two zeros: none asked for, none shown
		if same && (c.Certificate == "" || c.Certificate == subject) && (c.Token != [sha256.Size]byte{} || c.Certificate != "") && found == nil {
			found = c
		}
	}
	return found
}
