package main

import (
	"crypto/x509"
	"time"

	"sceau/certs"
	"sceau/certs/pkcs11"
	"sceau/policy/authzen"
)

// decisionMetadata are the keys below metadata of decisions: what signs what is said of the service.
type decisionMetadata struct {
	Key         value[string] `yaml:"key"`
	Certificate value[string] `yaml:"certificate"`
}

// readMetadataKey reads the key that signs metadata; nil without one and after a problem. It is a key of its own: whoever takes
// assertions that a key signed should not have to take anything else that it signs.
func (s *system) readMetadataKey(p *problems) *authzen.MetadataKey {
	node := &s.config.Decisions.Metadata
	if node.IsZero() {
		return nil
	}
	var c decisionMetadata
	if !decodeKeys(node, "decisions: metadata", &c, p, "key", "certificate") {
		return nil
	}
	switch {
	case c.Key.V == "":
		p.add(node.Line, "decisions: metadata: no key; without metadata they are unsigned")
		return nil
	case pkcs11.IsURI(c.Key.V):
		p.add(c.Key.Line, "decisions: metadata: the key is a PEM file, and none on a token")
		return nil
	}
	key := certs.KeyConfig{Key: c.Key.V, Certificate: s.config.path(c.Certificate), At: s.now()}
	err := s.place(&keyring{places: map[string]string{}}, "metadata", s.config.dir, &key)
	var signer *certs.Signer
	if err == nil {
		signer, err = certs.LoadSigner(key)
	}
	if err != nil {
		p.add(c.Key.Line, "decisions: metadata: %v", err)
		return nil
	}
	own := signer.Certificate()
	if s.keys != nil && s.keys.set != nil {
		for _, one := range s.keys.set.Keys() {
			if one.Certificate.SameKey(own) {
				p.add(c.Key.Line, "decisions: metadata: the key signs assertions too; give one of its own")
				return nil
			}
		}
	}
	if end := own.NotAfter(); end.Sub(s.now()) <= time.Duration(s.config.Signing.WarnBefore.or(duration(defaultWarnBefore))) {
		s.log.Warn("the certificate of the key that signs metadata ends", "ends", end)
	}
	chain := []*x509.Certificate{own.X509()}
	for _, above := range signer.Chain() {
		chain = append(chain, above.X509())
	}
	return &authzen.MetadataKey{Signer: signer, Chain: chain}
}
