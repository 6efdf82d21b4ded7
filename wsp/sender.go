package wsp

import (
	"errors"

	"sceau/certs"
	"sceau/soap"
	"sceau/xmlsec"
)

// A Sender is one who may vouch for the subject of an assertion (sender-vouches): the holder of a certificate with exactly this
// identifier and, when it is given, this application. He signs the message, and the assertion in it, with the key of that
// certificate, which comes as BinarySecurityToken (SAML Token Profile 1.0 section 3.5.2). The assertion is signed by a trusted
// STS all the same.
type Sender struct {
	// Role in which the certificate is identified; empty is certs.RoleHolder.
	Role certs.Role
	// Type and Identifier as certificates bear them: CBE, 0809394427. Both are required.
	Type       certs.IdentifierType
	Identifier string
	// Application of an eHealth certificate; empty is a certificate without one.
	Application string
}

func (s *Sender) role() certs.Role {
	if s.Role == "" {
		return certs.RoleHolder
	}
	return s.Role
}

func (s *Sender) is(i certs.Identity) bool {
	kind, identifier := i.Identifier()
	return kind == s.Type && identifier == s.Identifier && i.Application() == s.Application && i.Role() == s.role()
}

func (s *Sender) check() error {
	switch {
	case s.Type == "" || s.Identifier == "":
		return errors.New("a sender who may vouch needs type and identifier")
	case s.role() == certs.RoleSTS:
		return errors.New("an STS cannot be a sender")
	}
	return nil
}

// identifySender identifies the certificate that came with the message as one of the named senders.
func (a *admission) identifySender(token *soap.Token) (holder, error) {
	if token.KeyInfo.Selector != xmlsec.ByReference { // other references might fit another certificate
		return holder{}, refuse(UnsupportedToken, errors.New("certificate of a sender not referred to"))
	}
	v := a.guard.config.Certificates
	certificate, err := v.Parse(token.Certificate)
	if err != nil {
		return holder{}, refuse(UntrustedSender, err)
	}
	var path []*certs.Certificate
	for _, der := range token.Path {
		c, err := v.Parse(der)
		if err != nil {
			return holder{}, refuse(UntrustedSender, err)
		}
		path = append(path, c)
	}
	var refusal error = errors.New("not one of those named")
	senders := a.guard.config.SenderVouches
	for i := range senders {
		identity, err := v.Identify(senders[i].role(), certificate, path, a.now)
		switch {
		case err != nil:
			refusal = err
		case senders[i].is(identity):
			return holder{identity, identity.PublicKey()}, nil
		}
	}
	return holder{}, certificateError(UntrustedSender, refusal)
}
