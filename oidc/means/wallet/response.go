package wallet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/authn"
	"sceau/oidc/internal/strictjson"
	"sceau/oidc/sdjwt"
)

const maxBody = 256 << 10

// response takes the answer of a wallet to a transaction (OpenID4VP 8.3.1). The first that was made for it counts, whatever it says.
func (m *Means) response(w http.ResponseWriter, r *http.Request, id string) (attempt string, err error) {
	k, err := m.read(r.Context(), id)
	if err == nil && k.Answer != nil {
		err = errOver
	}
	if err != nil {
		return "", m.failed(w, err)
	}
	said, err := k.said(r)
	if err != nil {
		return "", m.failed(w, err)
	}
	a, err := m.judge(r.Context(), k, said)
	var refusal *authn.Refusal
	if errors.As(err, &refusal) {
		a = &answer{Refused: refusal.Reason}
		if refusal.Cause != nil {
			a.Cause = refusal.Cause.Error()
		}
	} else if err != nil {
		return k.Attempt, m.failed(w, err)
	}
	told := map[string]string{}
	if k.Done != "" {
		code := rand.Text()
		sum := sha256.Sum256([]byte(code))
		a.Code = sum[:]
		told["redirect_uri"] = k.Done + "?" + url.Values{"response_code": {code}}.Encode()
	}
	k.Answer, k.Key = a, nil
	if err := m.write(r.Context(), k); err != nil {
		return k.Attempt, m.failed(w, err)
	}
	_, ended := said["error"] // which the wallet said itself, and knows: it is answered like what succeeded (OpenID4VP 8.2)
	if refusal != nil && k.Done == "" && !ended {
		write(w, http.StatusBadRequest, map[string]string{"error": "access_denied"}) // the person looks at the wallet
	} else {
		write(w, http.StatusOK, told)
	}
	if refusal != nil {
		return k.Attempt, refusal
	}
	return k.Attempt, nil
}

// said reads what a wallet sent: an encrypted answer, or an error, which may come in the clear. errMalformed is the error for what was not made for
// the transaction: it changes nothing.
func (t *transaction) said(r *http.Request) (map[string]any, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		return nil, errMalformed
	}
	for _, values := range r.PostForm {
		if len(values) != 1 {
			return nil, errMalformed
		}
	}
	said := map[string]any{}
	if response := r.PostForm.Get("response"); response != "" {
		text, err := t.decrypt(response)
		if err != nil {
			return nil, errMalformed
		}
		if said, err = strictjson.Object(text); err != nil {
			return nil, errMalformed
		}
	} else {
		if r.PostForm.Get("error") == "" { // response_mode is direct_post.jwt: nothing else comes in the clear
			return nil, errMalformed
		}
		said["error"], said["state"] = r.PostForm.Get("error"), r.PostForm.Get("state")
	}
	state, _ := said["state"].(string)
	if subtle.ConstantTimeCompare([]byte(state), []byte(t.State)) != 1 {
		return nil, errMalformed
	}
	return said, nil
}

// decrypt opens an answer with the key of the transaction.
func (t *transaction) decrypt(text string) ([]byte, error) {
	head, _, _ := strings.Cut(text, ".")
	octets, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return nil, err
	}
	h, err := strictjson.Object(octets)
	if err != nil {
		return nil, err
	}
	// Compression would let a short answer become a long one; no critical parameter is understood.
	for _, name := range []string{"zip", "crit"} {
		if _, there := h[name]; there {
			return nil, fmt.Errorf("wallet: %s in an answer", name)
		}
	}
	if kid, there := h["kid"]; there && kid != keyID {
		return nil, errors.New("wallet: another key")
	}
	jwe, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.ECDH_ES}, encryptions)
	if err != nil {
		return nil, err
	}
	key, err := t.key()
	if err != nil {
		return nil, err
	}
	return jwe.Decrypt(key)
}

// judge says what an answer proves: nobody, by a Refusal; other errors are outages.
func (m *Means) judge(ctx context.Context, k *kept, said map[string]any) (*answer, error) {
	refuse := func(r authn.Reason, format string, args ...any) error {
		return &authn.Refusal{Reason: r, Cause: fmt.Errorf(format, args...)}
	}
	if code, there := said["error"]; there {
		if code == "access_denied" { // the person said no, or has no such credential: a wallet tells them not apart (OpenID4VP 8.5)
			return nil, refuse(authn.Cancelled, "wallet: access_denied")
		}
		return nil, refuse(authn.Unsuitable, "wallet: it answered with another error than access_denied")
	}
	presentation, err := presented(said["vp_token"])
	if err != nil {
		return nil, refuse(authn.NotProven, "wallet: vp_token: %w", err)
	}
	p, err := m.c.Verifier.Verify(ctx, presentation, sdjwt.Binding{Audience: m.clientID, Nonce: k.Nonce})
	if err != nil {
		return nil, refusalOf(err)
	}
	if !slices.Contains(m.c.Types, p.Type) {
		return nil, refuse(authn.NotProven, "wallet: a credential of a type that was not asked for")
	}
	name, _ := m.c.Identify.find(p.Claims).(string)
	id, err := authn.Name(m.c.Type, name, p.Issuer)
	if err != nil {
		return nil, refuse(authn.Unsuitable, "wallet: the claim %s: %w", strings.Join(m.c.Identify, "."), err)
	}
	a := &answer{Identifier: id, Time: m.c.Now(), Credential: base64.RawURLEncoding.EncodeToString(p.Holder)}
	for name, path := range m.c.Attributes {
		if values := texts(path.find(p.Claims)); len(values) > 0 {
			if a.Attributes == nil {
				a.Attributes = map[string][]string{}
			}
			a.Attributes[name] = values
		}
	}
	return a, nil
}

// presented is the one presentation of an answer to our query (OpenID4VP 8.1): an object of the ids that were asked for, each with a list.
func presented(v any) (string, error) {
	o, _ := v.(map[string]any)
	list, _ := o[credential].([]any)
	if len(o) != 1 || len(list) != 1 {
		return "", errors.New("not the one credential that was asked for")
	}
	text, ok := list[0].(string)
	if !ok {
		return "", errors.New("no SD-JWT")
	}
	return text, nil
}

// texts is a claim that is a text, or a list of nothing else.
func texts(v any) []string {
	if text, ok := v.(string); ok && text != "" {
		return []string{text}
	}
	list, _ := v.([]any)
	var all []string
	for _, v := range list {
		text, ok := v.(string)
		if !ok || text == "" {
			return nil
		}
		all = append(all, text)
	}
	return all
}

// refusalOf tells what a person may know of why a presentation was refused. That nobody can say at the moment whether a credential holds is an
// outage: the wallet may come again.
func refusalOf(err error) error {
	var e *sdjwt.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Reason {
	case sdjwt.Unavailable:
		return fmt.Errorf("wallet: %w", err)
	case sdjwt.BadType, sdjwt.Untrusted, sdjwt.Expired, sdjwt.Future, sdjwt.Revoked, sdjwt.NoStatus:
		return &authn.Refusal{Reason: authn.Unsuitable, Cause: err}
	}
	return &authn.Refusal{Reason: authn.NotProven, Cause: err}
}
