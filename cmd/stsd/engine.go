package main

import (
	"crypto"
	"errors"

	"sceau/certs"
	"sceau/certs/openssl"
	"sceau/certs/pkcs11"
)

// What signing.engine may be.
const (
	engineGo      = "go"
	engineOpenSSL = "openssl"
)

// maxOpenSSLInFlight bounds limits.max-in-flight where OpenSSL signs: each signature
// occupies a thread, and Go ends a process that has more than 10 000.
const maxOpenSSLInFlight = 4096

// An engine computes with a key that was read from a file, and says what computes.
type engine func(key crypto.Signer, name *string) (crypto.Signer, error)

// engine gives what the configuration names; there is no other way than that one.
func (s *system) loadEngine(p *problems) engine {
	c := &s.config.Signing
	switch c.Engine.or(engineGo) {
	case engineGo:
		if c.Library.V != "" {
			p.add(c.Library.Line, "signing: library is for engine openssl")
		}
		return func(key crypto.Signer, name *string) (crypto.Signer, error) {
			*name = "Go"
			return key, nil
		}
	case engineOpenSSL:
		if s.config.Limits.MaxInFlight.V > maxOpenSSLInFlight {
			p.add(s.config.Limits.MaxInFlight.Line, "max-in-flight: at most %d with engine openssl", maxOpenSSLInFlight)
		}
		library, err := openssl.Load(s.config.library())
		if err != nil {
			p.add(c.Engine.Line, "signing: %v", err)
			return nil
		}
		return func(key crypto.Signer, name *string) (crypto.Signer, error) {
			made, err := library.Key(key)
			if errors.Is(err, openssl.ErrGoIsFaster) {
				*name = "Go, which is faster for this key than " + library.String()
				return key, nil
			}
			*name = library.String()
			return made, err
		}
	}
	p.add(c.Engine.Line, "signing: engine is go or openssl")
	return nil
}

// loadSigner reads the signing keys; the current one signs.
func (s *system) loadSigner(p *problems) *certs.Signer {
	s.keys = s.loadKeys(p)
	if s.keys == nil {
		return nil
	}
	current, err := s.keys.set.Current(s.now())
	if err != nil {
		p.add(s.config.signingLine(), "signing: %v; begin with one: stsd keys rollover ID --now", err)
		return nil
	}
	s.active, s.engine = current.ID, s.keys.engines[current.ID]
	return current.Signer
}

// logSigner says with what is signed from now on.
func (s *system) logSigner() {
	s.log.Info("signing", "engine", s.engine, "key", s.active, "certificate ends", s.signer.Certificate().NotAfter())
}

// engines says which engines this program has, and where one is not, why.
func engines() string {
	text := engineGo + "; "
	if library, err := openssl.Load(""); err != nil {
		text += err.Error()
	} else {
		text += "openssl: " + library.String()
	}
	if !pkcs11.Built() {
		return text + "; " + pkcs11.ErrNotBuilt.Error()
	}
	return text + "; keys on tokens (pkcs11)"
}
