package authzen

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/opaque"
)

// A MetadataKey is what signs the metadata. Who checks the signature finds the certificate in the token, and trusts it for its path or
// because he knows it: a key that this service told him would prove no more than the connection does.
type MetadataKey struct {
	Signer crypto.Signer // RSA, or ECDSA on P-256, P-384 or P-521
	// Chain has the certificate of the key, and after it those of its path, as far as they are to be sent.
	Chain []*x509.Certificate
}

// Signed metadata hold for metadataLife and are signed again after metadataRenew, so that what a cache keeps for maxAge does not end there.
const (
	metadataLife  = 24 * time.Hour
	metadataRenew = 12 * time.Hour
	maxAge        = time.Hour
)

// metadata is what section 9 of the specification wants: what there is, and under which name. It is safe for concurrent use.
type metadata struct {
	values map[string]any
	key    *MetadataKey // nil: unsigned
	signer jose.Signer
	now    func() time.Time
	log    *slog.Logger

	mu         sync.Mutex
	signed     string
	begin, end time.Time // of what is signed
	failed     bool      // which the log knows
}

// newMetadata signs for the first time, so that a key that cannot is found now.
func newMetadata(config Config) (*metadata, error) {
	base := config.URL
	m := &metadata{key: config.MetadataKey, now: config.Now, log: config.Log, values: map[string]any{
		"policy_decision_point":       base,
		"access_evaluation_endpoint":  base + "/access/v1/evaluation",
		"access_evaluations_endpoint": base + "/access/v1/evaluations",
		"search_subject_endpoint":     base + "/access/v1/search/subject",
		"search_resource_endpoint":    base + "/access/v1/search/resource",
		"search_action_endpoint":      base + "/access/v1/search/action",
	}}
	if m.key == nil {
		return m, nil
	}
	var err error
	if m.signer, err = m.key.signer(); err != nil {
		return nil, err
	}
	return m, m.renew(config.Now())
}

// signer makes what signs with the key, under the header that every token has: kid is the key's thumbprint (RFC 7638), x5c its certificates.
func (k *MetadataKey) signer() (jose.Signer, error) {
	if k.Signer == nil || len(k.Chain) == 0 {
		return nil, errors.New("a key wants its certificate")
	}
	public, err := x509.MarshalPKIXPublicKey(k.Signer.Public())
	if err != nil || !bytes.Equal(public, k.Chain[0].RawSubjectPublicKeyInfo) {
		return nil, errors.New("the first certificate is not that of the key")
	}
	algorithm, err := algorithmOf(k.Signer.Public())
	if err != nil {
		return nil, err
	}
	thumbprint, err := (&jose.JSONWebKey{Key: k.Signer.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	chain := make([]string, len(k.Chain))
	for i, c := range k.Chain {
		chain[i] = base64.StdEncoding.EncodeToString(c.Raw) // RFC 7515 section 4.1.6
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", base64.RawURLEncoding.EncodeToString(thumbprint)).WithHeader("x5c", chain)
	return jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: opaque.Signer(k.Signer)}, options)
}

// algorithmOf is the algorithm of RFC 7518 that everybody has for a kind of key.
func algorithmOf(public crypto.PublicKey) (jose.SignatureAlgorithm, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= 2048 { // RFC 7518 section 3.3
			return jose.RS256, nil
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return jose.ES256, nil
		case elliptic.P384():
			return jose.ES384, nil
		case elliptic.P521():
			return jose.ES512, nil
		}
	}
	return "", fmt.Errorf("no algorithm for a key of the kind %T", public)
}

// document gives the metadata and for how long they may be kept. With a key they are never given out unsigned.
func (m *metadata) document() (map[string]any, time.Duration, error) {
	if m.key == nil {
		return m.values, maxAge, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if now.Before(m.begin) || !now.Before(m.begin.Add(metadataRenew)) || !now.Before(m.end) {
		err := m.renew(now)
		if err != nil && !m.failed {
			m.log.Error("the metadata of the decision point cannot be signed", "error", err)
		}
		if m.failed = err != nil; m.failed {
			return nil, 0, err
		}
	}
	document := maps.Clone(m.values)
	document["signed_metadata"] = m.signed
	return document, min(maxAge, m.end.Sub(now)), nil
}

// renew makes the JWT: the metadata as claims, but for signed_metadata itself, and the service as who attests to them. It ends with the
// certificate at the latest.
func (m *metadata) renew(now time.Time) error {
	certificate := m.key.Chain[0]
	if now.Before(certificate.NotBefore) || !now.Before(certificate.NotAfter) {
		return errors.New("the certificate of the key is not valid now")
	}
	end := now.Add(metadataLife)
	if end.After(certificate.NotAfter) {
		end = certificate.NotAfter
	}
	claims := maps.Clone(m.values)
	claims["iss"], claims["iat"], claims["exp"] = m.values["policy_decision_point"], now.Unix(), end.Unix()
	text, err := json.Marshal(claims)
	if err != nil {
		return err
	}
	signed, err := m.signer.Sign(text)
	if err != nil {
		return err
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return err
	}
	m.signed, m.begin, m.end = compact, now, end
	return nil
}

func (h *Handler) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	document, keep, err := h.settings.Load().metadata.document()
	if err != nil {
		http.Error(w, "the metadata could not be signed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d", int(keep.Seconds())))
	writeJSON(w, http.StatusOK, document)
}
