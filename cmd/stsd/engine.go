package main

import (
	"crypto"
	"errors"

	"sceau/certs"
	"sceau/certs/openssl"
)

// What signing.engine may be.
const (
	engineGo      = "go"
	engineOpenSSL = "openssl"
)

// maxOpenSSLInFlight bounds limits.max-in-flight where OpenSSL signs: each signature
// occupies a thread, and Go ends a process that has more than 10 000.
const maxOpenSSLInFlight = 4096

// loadSigner reads the signing key and hands it to the engine that the configuration
// names; there is no other way than that one.
func (s *system) loadSigner(p *problems) *certs.Signer {
	c := &s.config.Signing
	key := certs.KeyConfig{
		Key: s.config.path(c.Key), Certificate: s.config.path(c.Certificate),
		PKCS12: s.config.path(c.PKCS12), PassphraseFile: s.config.path(c.PassphraseFile), At: s.now(),
	}
	switch c.Engine.or(engineGo) {
	case engineGo:
		if c.Library.V != "" {
			p.add(c.Library.Line, "signing: library is for engine openssl")
		}
		s.engine = "Go"
	case engineOpenSSL:
		if s.config.Limits.MaxInFlight.V > maxOpenSSLInFlight {
			p.add(s.config.Limits.MaxInFlight.Line, "max-in-flight: at most %d with engine openssl", maxOpenSSLInFlight)
		}
		library, err := openssl.Load(s.config.library())
		if err != nil {
			p.add(c.Engine.Line, "signing: %v", err)
			return nil
		}
		key.Engine = func(key crypto.Signer) (crypto.Signer, error) {
			made, err := library.Key(key)
			if errors.Is(err, openssl.ErrGoIsFaster) {
				s.engine = "Go, which is faster for this key than " + library.String()
				return key, nil
			}
			s.engine = library.String()
			return made, err
		}
	default:
		p.add(c.Engine.Line, "signing: engine is go or openssl")
		return nil
	}
	signer, err := certs.LoadSigner(key)
	if err != nil {
		p.add(max(c.Key.Line, c.PKCS12.Line), "signing: %v", err)
		return nil
	}
	return signer
}

// logSigner says with what is signed from now on.
func (s *system) logSigner() {
	s.log.Info("signing", "engine", s.engine, "certificate ends", s.signer.Certificate().NotAfter())
}

// engines says which engines this program has, and where OpenSSL is not, why.
func engines() string {
	library, err := openssl.Load("")
	if err != nil {
		return engineGo + "; " + err.Error()
	}
	return engineGo + "; openssl: " + library.String()
}
