package wallet

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/opaque"
)

// anyWallet is the audience of request objects for wallets that nobody registered (OpenID4VP 5.8).
const anyWallet = "https://self-issued.me/v2"

const maxWalletNonce = 512

// request answers with the request object of a transaction (OpenID4VP 5; RFC 9101).
func (m *Means) request(w http.ResponseWriter, r *http.Request, id string) error {
	k, err := m.read(r.Context(), id)
	if err != nil {
		return m.failed(w, err)
	}
	if k.Answer != nil {
		return m.failed(w, errOver)
	}
	var walletNonce string
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return m.failed(w, errMalformed)
		}
		// What the wallet says of itself (wallet_metadata) changes nothing: what is asked for is what we take.
		if walletNonce = r.PostForm.Get("wallet_nonce"); len(walletNonce) > maxWalletNonce {
			return m.failed(w, errMalformed)
		}
	}
	object, err := m.object(&k.transaction, id, walletNonce)
	if err != nil {
		return m.failed(w, err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/oauth-authz-req+jwt")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	w.Write([]byte(object)) //nolint:errcheck // a wallet that went away is its own affair
	return nil
}

// object is the signed request object.
func (m *Means) object(t *transaction, id, walletNonce string) (string, error) {
	now := m.c.Now()
	if leaf := m.c.Chain[0]; now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return "", errors.New("wallet: the access certificate has ended, or has not begun")
	}
	key, err := t.key()
	if err != nil {
		return "", err
	}
	claims := map[string]any{
		"iss": m.clientID, "client_id": m.clientID, "aud": anyWallet, "iat": now.Unix(), "exp": t.Until.Unix(),
		"response_type": "vp_token", "response_mode": "direct_post.jwt", "response_uri": m.base + "/response/" + id,
		"nonce": t.Nonce, "state": t.State, "dcql_query": m.query, "client_metadata": m.metadata(&key.PublicKey),
	}
	if walletNonce != "" {
		claims["wallet_nonce"] = walletNonce
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: opaque.Signer(m.c.Key)},
		(&jose.SignerOptions{}).WithType("oauth-authz-req+jwt").WithHeader("x5c", m.x5c))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// keyID names the key of a transaction to its wallet. There is one.
const keyID = "1"

var encryptions = []jose.ContentEncryption{jose.A128GCM, jose.A256GCM}

// metadata is what a wallet needs to know of us (OpenID4VP 5.1, 11.1).
func (m *Means) metadata(key any) map[string]any {
	algorithms := []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}
	return map[string]any{
		"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: keyID, Use: "enc", Algorithm: string(jose.ECDH_ES)}}},
		"encrypted_response_enc_values_supported": encryptions,
		"vp_formats_supported":                    map[string]any{"dc+sd-jwt": map[string]any{"sd-jwt_alg_values": algorithms, "kb-jwt_alg_values": algorithms}},
	}
}

// errMalformed says that what came is nothing that a wallet sends.
var errMalformed = errors.New("wallet: not what a wallet sends")

// failed tells a wallet that nothing came of its request: the code, and never why. It returns what the operator is told.
func (m *Means) failed(w http.ResponseWriter, err error) error {
	status, code := http.StatusInternalServerError, "server_error"
	switch {
	case errors.Is(err, errOver):
		status, code = http.StatusNotFound, "invalid_request"
	case errors.Is(err, errMalformed):
		status, code = http.StatusBadRequest, "invalid_request"
	}
	write(w, status, map[string]string{"error": code})
	if status == http.StatusInternalServerError {
		return err
	}
	return nil
}

func write(w http.ResponseWriter, status int, value any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value) //nolint:errcheck // a wallet that went away is its own affair
}

// Answer answers a wallet, at the address of the means: it has no cookie and is nobody yet. below is what stands behind that address.
// It writes the answer in any case. What it returns is for the trail: an *authn.Refusal of a presentation that proves nobody, with the
// ID of the attempt, another error where something is out of order here, and nil for what succeeded, and for what is nothing that a wallet
// sends.
func (m *Means) Answer(w http.ResponseWriter, r *http.Request, below string) (attempt string, err error) {
	what, id, _ := strings.Cut(below, "/")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch {
	case what == "request" && (r.Method == http.MethodGet || r.Method == http.MethodPost):
		return "", m.request(w, r, id)
	case what == "response" && r.Method == http.MethodPost:
		return m.response(w, r, id)
	case what == "request" || what == "response":
		w.Header().Set("Allow", map[string]string{"request": "GET, POST", "response": "POST"}[what])
		write(w, http.StatusMethodNotAllowed, map[string]string{"error": "invalid_request"})
		return "", nil
	}
	return "", m.failed(w, errOver)
}
