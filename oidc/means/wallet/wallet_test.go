package wallet_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image/png"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/authn"
	"sceau/oidc/means/wallet"
	"sceau/oidc/page"
	"sceau/oidc/sdjwt"
	"sceau/oidc/sdjwt/sdjwttest"
)

const (
	issuer = "https://idp.example/etab/010000000"
	base   = issuer + "/wallet/wallet"
	here   = issuer + "/authorize/a1/m/wallet"
)

var start = time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)

// store is a wallet.Store that can fail, and that says what it holds.
type store struct {
	mu   sync.Mutex
	all  map[string][]byte
	down error
	now  func() time.Time
	ends map[string]time.Time
}

func (s *store) Put(_ context.Context, key string, value []byte, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	s.all[key], s.ends[key] = value, until
	return nil
}

func (s *store) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil || !s.now().Before(s.ends[key]) {
		return nil, s.down
	}
	return bytes.Clone(s.all[key]), nil
}

func (s *store) Swap(_ context.Context, key string, old, value []byte, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil || !bytes.Equal(s.all[key], old) {
		return false, s.down
	}
	s.all[key] = value
	return true, nil
}

// pages remembers the page that was written.
type pages struct{ page page.Wallet }

func (p *pages) Write(w http.ResponseWriter, _ *http.Request, status int, value any) {
	p.page = value.(page.Wallet)
	w.WriteHeader(status)
}

// rig is a verifier, and the wallet of a person.
type rig struct {
	t      testing.TB
	m      *wallet.Means
	store  *store
	now    time.Time
	holder *sdjwttest.Wallet
	leaf   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func access(t testing.TB, key *ecdsa.PrivateKey, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	authority := sdjwttest.NewKey(t)
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Access CA"}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}
	c := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Hôpital Exemple"}, DNSNames: []string{"idp.example"},
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), authority)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func newRig(t testing.TB, change func(*wallet.Config)) *rig {
	t.Helper()
	r := &rig{t: t, now: start, key: sdjwttest.NewKey(t)}
	clock := func() time.Time { return r.now }
	r.store = &store{all: map[string][]byte{}, ends: map[string]time.Time{}, now: clock}
	r.leaf = access(t, r.key, nil)
	r.holder = sdjwttest.New(t, start, "", "")
	verifier, err := sdjwt.New(sdjwt.Config{Types: []string{sdjwttest.Type}, Issuers: map[string]sdjwt.Issuer{sdjwttest.Issuer: {Keys: r.holder.Keys(), Types: []string{sdjwttest.Type}}}, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	c := r.config(verifier)
	if change != nil {
		change(&c)
	}
	if r.m, err = wallet.New(c); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) config(v wallet.Verifier) wallet.Config {
	return wallet.Config{Issuer: issuer, Name: "wallet", Prefix: wallet.PrefixHash, Key: r.key, Chain: []*x509.Certificate{r.leaf}, Verifier: v, Types: []string{sdjwttest.Type},
		Identify: wallet.Path{"rpps"}, Type: "rpps", Attributes: map[string]wallet.Path{"Nationality": {"nationalities"}, "City": {"address", "city"}, "None": {"none"}},
		References: []string{"pop", "mfa", "hwk"}, Store: r.store, Now: func() time.Time { return r.now }}
}

func (r *rig) attempt() (*authn.Attempt, *pages) {
	p := &pages{}
	return &authn.Attempt{ID: "a1", Issuer: issuer, URL: here, ReturnURL: issuer + "/authorize/a1", Language: "fr", Now: r.now, Pages: p}, p
}

// serve asks the means as the browser does.
func (r *rig) serve(a *authn.Attempt, below string) (*httptest.ResponseRecorder, *authn.Proof, error) {
	r.t.Helper()
	w := httptest.NewRecorder()
	w.Code = 0
	path, _, _ := strings.Cut(below, "?")
	a.Below = strings.TrimPrefix(path, "/")
	p, err := r.m.Serve(w, httptest.NewRequest(http.MethodGet, here+below, nil), a)
	if said := p != nil || err != nil; said == (w.Code != 0) || p != nil && err != nil {
		r.t.Fatalf("answered with %d, and said %+v, %v", w.Code, p, err)
	}
	return w, p, err
}

// answer asks as a wallet does.
func (r *rig) answer(method, address string, form url.Values) (*httptest.ResponseRecorder, error) {
	r.t.Helper()
	below, ok := strings.CutPrefix(address, base+"/")
	if !ok {
		r.t.Fatalf("%s is not below %s", address, base)
	}
	request := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	attempt, err := r.m.Answer(w, request, below)
	if refusal := (*authn.Refusal)(nil); errors.As(err, &refusal) && attempt != "a1" {
		r.t.Errorf("a refusal of the attempt %q", attempt)
	}
	return w, err
}

// A request is a request object, as the wallet reads it.
type request struct {
	ClientID     string `json:"client_id"`
	Audience     string `json:"aud"`
	ResponseType string `json:"response_type"`
	ResponseMode string `json:"response_mode"`
	ResponseURI  string `json:"response_uri"`
	Nonce        string `json:"nonce"`
	State        string `json:"state"`
	WalletNonce  string `json:"wallet_nonce"`
	Expires      int64  `json:"exp"`
	Query        any    `json:"dcql_query"`
	Metadata     struct {
		Keys        jose.JSONWebKeySet       `json:"jwks"`
		Encryptions []jose.ContentEncryption `json:"encrypted_response_enc_values_supported"`
		Formats     map[string]any           `json:"vp_formats_supported"`
	} `json:"client_metadata"`
}

// ask follows a link to the request object and verifies it.
func (r *rig) ask(link string) *request {
	r.t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		r.t.Fatal(err)
	}
	q := u.Query()
	w, err := r.answer(http.MethodPost, q.Get("request_uri"), url.Values{"wallet_nonce": {"w1"}})
	if err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/oauth-authz-req+jwt" || w.Header().Get("Cache-Control") != "no-store" {
		r.t.Fatal(w.Code, w.Header(), err)
	}
	jws, err := jose.ParseSigned(w.Body.String(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		r.t.Fatal(err)
	}
	var x5c []string
	head, _, _ := strings.Cut(w.Body.String(), ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		r.t.Fatal(err)
	}
	var h struct {
		Type string   `json:"typ"`
		Path []string `json:"x5c"`
	}
	if err := json.Unmarshal(text, &h); err != nil {
		r.t.Fatal(err)
	}
	if x5c = h.Path; h.Type != "oauth-authz-req+jwt" || !slices.Equal(x5c, []string{base64.StdEncoding.EncodeToString(r.leaf.Raw)}) {
		r.t.Fatalf("%s", text)
	}
	payload, err := jws.Verify(r.leaf.PublicKey)
	if err != nil {
		r.t.Fatal(err)
	}
	var o request
	if err := json.Unmarshal(payload, &o); err != nil {
		r.t.Fatal(err)
	}
	if o.ClientID != q.Get("client_id") || o.WalletNonce != "w1" || q.Get("request_uri_method") != "post" {
		r.t.Fatalf("%s", payload)
	}
	return &o
}

// encrypt makes the answer of a wallet to a request object.
func (r *rig) encrypt(o *request, said map[string]any, change func(*jose.EncrypterOptions)) string {
	r.t.Helper()
	text, err := json.Marshal(said)
	if err != nil {
		r.t.Fatal(err)
	}
	options := &jose.EncrypterOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	if change != nil {
		change(options)
	}
	e, err := jose.NewEncrypter(o.Metadata.Encryptions[len(o.Metadata.Encryptions)-1], jose.Recipient{Algorithm: jose.ECDH_ES, Key: o.Metadata.Keys.Keys[0].Key, KeyID: o.Metadata.Keys.Keys[0].KeyID}, options)
	if err != nil {
		r.t.Fatal(err)
	}
	jwe, err := e.Encrypt(text)
	if err != nil {
		r.t.Fatal(err)
	}
	compact, err := jwe.CompactSerialize()
	if err != nil {
		r.t.Fatal(err)
	}
	return compact
}

// encryptWith makes an answer with algorithms of the sender's choice, and encryptText one of any text.
func (r *rig) encryptWith(o *request, said map[string]any, algorithm jose.KeyAlgorithm, encryption jose.ContentEncryption) string {
	r.t.Helper()
	text, err := json.Marshal(said)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.sealed(o, text, algorithm, encryption)
}

func (r *rig) encryptText(o *request, text string) string {
	r.t.Helper()
	return r.sealed(o, []byte(text), jose.ECDH_ES, jose.A128GCM)
}

func (r *rig) sealed(o *request, text []byte, algorithm jose.KeyAlgorithm, encryption jose.ContentEncryption) string {
	r.t.Helper()
	k := o.Metadata.Keys.Keys[0]
	e, err := jose.NewEncrypter(encryption, jose.Recipient{Algorithm: algorithm, Key: k.Key, KeyID: k.KeyID}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	jwe, err := e.Encrypt(text)
	if err != nil {
		r.t.Fatal(err)
	}
	compact, err := jwe.CompactSerialize()
	if err != nil {
		r.t.Fatal(err)
	}
	return compact
}

// present is what the wallet says to a request object.
func (r *rig) present(o *request) map[string]any {
	r.holder.BindingClaims["aud"], r.holder.BindingClaims["nonce"], r.holder.BindingClaims["iat"] = o.ClientID, o.Nonce, r.now.Unix()
	return map[string]any{"state": o.State, "vp_token": map[string]any{"person": []string{r.holder.Present()}}}
}

// send posts an answer and gives where the wallet is led.
func (r *rig) send(o *request, said map[string]any) (string, *httptest.ResponseRecorder, error) {
	r.t.Helper()
	w, err := r.answer(http.MethodPost, o.ResponseURI, url.Values{"response": {r.encrypt(o, said, nil)}})
	var told struct {
		Redirect string `json:"redirect_uri"`
	}
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil {
			r.t.Fatal(err)
		}
	}
	return strings.TrimPrefix(told.Redirect, here), w, err
}

func reasonOf(err error) authn.Reason {
	if refusal := (*authn.Refusal)(nil); errors.As(err, &refusal) {
		return refusal.Reason
	}
	return 0
}

func TestSameDevice(t *testing.T) {
	r := newRig(t, nil)
	a, p := r.attempt()
	if w, _, err := r.serve(a, ""); err != nil || w.Code != http.StatusOK {
		t.Fatal(w.Code, err)
	}
	if !strings.HasPrefix(p.page.Link, "openid4vp://authorize?client_id=x509_hash%3A") || p.page.Code != "" || p.page.Done != "" || p.page.Waiting || p.page.Return != a.ReturnURL {
		t.Errorf("%+v", p.page)
	}
	link := p.page.Link
	if _, _, err := r.serve(a, ""); err != nil || p.page.Link != link || len(r.store.all) != 1 {
		t.Errorf("a page that is shown again asks anew: %d transactions (%v)", len(r.store.all), err)
	}
	o := r.ask(link)
	query, err := json.Marshal(o.Query)
	if want := `{"credentials":[{"claim_sets":[["c0","c1","c2","c3"],["c0"]],"claims":[{"id":"c0","path":["rpps"]},{"id":"c1","path":["address","city"]},{"id":"c2","path":["nationalities"]},` +
		`{"id":"c3","path":["none"]}],"format":"dc+sd-jwt","id":"person","meta":{"vct_values":["` + sdjwttest.Type + `"]}}]}`; err != nil || string(query) != want {
		t.Errorf("%s instead of %s", query, want)
	}
	k := o.Metadata.Keys.Keys[0]
	if o.Audience != "https://self-issued.me/v2" || o.ResponseType != "vp_token" || o.ResponseMode != "direct_post.jwt" || len(o.Nonce) < 26 || len(o.State) < 26 ||
		o.Expires != start.Add(5*time.Minute).Unix() || k.Use != "enc" || k.Algorithm != "ECDH-ES" || !k.IsPublic() || !slices.Equal(o.Metadata.Encryptions, []jose.ContentEncryption{"A128GCM", "A256GCM"}) ||
		o.Metadata.Formats["dc+sd-jwt"] == nil {
		t.Errorf("%+v", o)
	}
	if again := r.ask(link); again.Nonce != o.Nonce || again.State != o.State {
		t.Error("one transaction, two nonces")
	}
	r.now = start.Add(30 * time.Second)
	back, w, err := r.send(o, r.present(o))
	if err != nil || w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(back, "/done?response_code=") || len(back) < 40 {
		t.Fatal(w.Code, back, err)
	}
	proofs := 0
	var proof *authn.Proof
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 { // the same address, at once
		all.Go(func() {
			b := *a
			if _, p, err := r.serve(&b, back); p != nil {
				mu.Lock()
				proofs, proof = proofs+1, p
				mu.Unlock()
			} else if reasonOf(err) != authn.Expired {
				t.Error(err)
			}
		})
	}
	if all.Wait(); proofs != 1 {
		t.Fatalf("%d proofs of one answer", proofs)
	}
	if proof.Identifier != (authn.Identifier{Type: "rpps", Value: "10003456789"}) || !slices.Equal(proof.References, []string{"pop", "mfa", "hwk"}) ||
		!proof.Time.Equal(r.now) || proof.Credential == "" || !maps.EqualFunc(proof.Attributes, map[string][]string{"Nationality": {"FR", "BE"}, "City": {"Lyon"}}, slices.Equal) {
		t.Errorf("%+v", proof)
	}
}

// TestOtherDevice: a code is drawn, and the browser asks whether the wallet has answered.
func TestOtherDevice(t *testing.T) {
	r := newRig(t, func(c *wallet.Config) {
		c.OtherDevice, c.Prefix, c.Scheme = true, wallet.PrefixDNS, "haip-vp://"
	})
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil || p.page.Code != here+"/code.png" || p.page.Done != here+"/done" || !strings.HasPrefix(p.page.Link, "haip-vp://authorize?client_id=x509_san_dns%3Aidp.example&") {
		t.Fatalf("%+v %v", p.page, err)
	}
	w, _, err := r.serve(a, "/code.png")
	drawn, bad := png.Decode(w.Body)
	if err != nil || bad != nil || w.Header().Get("Content-Type") != "image/png" || drawn.Bounds().Dx() < 300 || drawn.Bounds().Dx() != drawn.Bounds().Dy() {
		t.Fatal(err, bad)
	}
	var open struct{ Here, There string }
	if err := json.Unmarshal(a.State, &open); err != nil || open.Here == open.There {
		t.Fatalf("%s %v", a.State, err)
	}
	o := r.ask(strings.ReplaceAll(p.page.Link, open.Here, open.There))
	if _, _, err := r.serve(a, "/done"); err != nil || !p.page.Waiting {
		t.Fatalf("%+v %v", p.page, err)
	}
	back, w, err := r.send(o, r.present(o))
	if err != nil || w.Code != http.StatusOK || back != "" || strings.TrimSpace(w.Body.String()) != "{}" {
		t.Fatal(w.Code, w.Body, err)
	}
	if _, proof, err := r.serve(a, "/done"); err != nil || proof == nil || proof.Identifier.Value != "10003456789" || a.State != nil {
		t.Fatal(proof, err)
	}
	if _, _, err := r.serve(a, "/done"); reasonOf(err) != authn.Expired {
		t.Error(err)
	}
}

// TestSessionFixation (OpenID4VP 14.2): somebody sends his victim the link of his own attempt. The victim's wallet answers; the attacker, who
// knows all but the response_code, gets nothing out of it.
func TestSessionFixation(t *testing.T) {
	r := newRig(t, func(c *wallet.Config) { c.OtherDevice = true })
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	o := r.ask(p.page.Link)
	if _, w, err := r.send(o, r.present(o)); err != nil || w.Code != http.StatusOK {
		t.Fatal(w.Code, err)
	}
	for _, below := range []string{"/done", "/done?response_code=", "/done?response_code=" + o.State} {
		b := *a
		if _, proof, err := r.serve(&b, below); proof != nil {
			t.Errorf("%s: %+v %v", below, proof, err)
		}
	}
}

// TestOtherBrowser: a wallet that leads another browser on leaves the first one with a question that it can still answer.
func TestOtherBrowser(t *testing.T) {
	r := newRig(t, nil)
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	link, o := p.page.Link, r.ask(p.page.Link)
	if back, _, err := r.send(o, r.present(o)); err != nil || back == "" {
		t.Fatal(err)
	}
	if _, _, err := r.serve(a, ""); err != nil || p.page.Link == link {
		t.Fatal("what was answered is shown again:", err)
	}
	o = r.ask(p.page.Link)
	back, _, err := r.send(o, r.present(o))
	if err != nil {
		t.Fatal(err)
	}
	if _, proof, err := r.serve(a, back); err != nil || proof == nil {
		t.Error(proof, err)
	}
}

// TestGivenUp: who answers his own questions and asks again keeps no more than who asks once.
func TestGivenUp(t *testing.T) {
	r := newRig(t, func(c *wallet.Config) { c.OtherDevice = true })
	a, p := r.attempt()
	for range 20 {
		if _, _, err := r.serve(a, ""); err != nil {
			t.Fatal(err)
		}
		o := r.ask(p.page.Link)
		if w, err := r.answer(http.MethodPost, o.ResponseURI, url.Values{"error": {"access_denied"}, "state": {o.State}}); w.Code != http.StatusOK || reasonOf(err) != authn.Cancelled {
			t.Fatal(w.Code, err)
		}
		b := *a
		b.State = nil // another window, which knows of nothing
		if _, _, err := r.serve(&b, ""); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.store.all) != 2 {
		t.Errorf("one attempt keeps %d", len(r.store.all))
	}
}

// TestHalfOver: a question that ends soon is not begun with, and stays where somebody is at it.
func TestHalfOver(t *testing.T) {
	r := newRig(t, func(c *wallet.Config) { c.OtherDevice = true })
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	link := p.page.Link
	r.now = start.Add(3 * time.Minute)
	if _, _, err := r.serve(a, "/done"); err != nil || p.page.Link != link || !p.page.Waiting {
		t.Error("the question of somebody who waits was changed:", err)
	}
	if _, _, err := r.serve(a, ""); err != nil || p.page.Link == link {
		t.Error("two minutes are left, and it is shown:", err)
	}
}

// TestAttacks: each alters one thing in an answer that otherwise holds.
func TestAttacks(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *rig, o *request) map[string]any
		want authn.Reason
	}{
		{"for another verifier", func(r *rig, o *request) map[string]any {
			other := *o
			other.ClientID = "x509_hash:other"
			return r.present(&other)
		}, authn.NotProven},
		{"for another transaction", func(r *rig, o *request) map[string]any {
			other := *o
			other.Nonce = "other"
			return r.present(&other)
		}, authn.NotProven},
		{"somebody else's credential", func(r *rig, o *request) map[string]any {
			r.holder.Holder = sdjwttest.NewKey(r.t)
			return r.present(o)
		}, authn.NotProven},
		{"an issuer that nobody trusts", func(r *rig, o *request) map[string]any {
			r.holder.Claims["iss"] = "https://evil.test"
			return r.present(o)
		}, authn.Unsuitable},
		{"another type of credential", func(r *rig, o *request) map[string]any {
			r.holder.Claims["vct"] = "urn:example:loyalty"
			return r.present(o)
		}, authn.Unsuitable},
		{"a status that nobody takes", func(r *rig, o *request) map[string]any {
			r.holder.Claims["status"] = map[string]any{"other": 1}
			return r.present(o)
		}, authn.Unsuitable},
		{"expired", func(r *rig, o *request) map[string]any {
			r.holder.Claims["exp"] = r.now.Unix()
			return r.present(o)
		}, authn.Unsuitable},
		{"what names the person is not disclosed", func(r *rig, o *request) map[string]any {
			r.holder.Disclosures = r.holder.Disclosures[:1]
			return r.present(o)
		}, authn.Unsuitable},
		{"what names the person is a number", func(r *rig, o *request) map[string]any {
			r.holder.Disclosures = nil
			r.holder.Claims["rpps"] = 10003456789
			return r.present(o)
		}, authn.Unsuitable},
		{"what names the person has a line end", func(r *rig, o *request) map[string]any {
			r.holder.Disclosures = nil
			r.holder.Claims["rpps"] = "10003456789\n"
			return r.present(o)
		}, authn.Unsuitable},
		{"two presentations", func(r *rig, o *request) map[string]any {
			said := r.present(o)
			one := r.holder.Present()
			said["vp_token"] = map[string]any{"person": []string{one, one}}
			return said
		}, authn.NotProven},
		{"a credential beside", func(r *rig, o *request) map[string]any {
			said := r.present(o)
			said["vp_token"].(map[string]any)["other"] = []string{r.holder.Present()}
			return said
		}, authn.NotProven},
		{"not in a list", func(r *rig, o *request) map[string]any {
			said := r.present(o)
			said["vp_token"] = map[string]any{"person": r.holder.Present()}
			return said
		}, authn.NotProven},
		{"no vp_token", func(_ *rig, o *request) map[string]any { return map[string]any{"state": o.State} }, authn.NotProven},
		{"vp_token is null", func(_ *rig, o *request) map[string]any { return map[string]any{"state": o.State, "vp_token": nil} }, authn.NotProven},
		{"the person said no", func(_ *rig, o *request) map[string]any {
			return map[string]any{"state": o.State, "error": "access_denied"}
		}, authn.Cancelled},
		{"an error beside a presentation", func(r *rig, o *request) map[string]any {
			said := r.present(o)
			said["error"] = "x"
			return said
		}, authn.Unsuitable},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			a, p := r.attempt()
			if _, _, err := r.serve(a, ""); err != nil {
				t.Fatal(err)
			}
			o := r.ask(p.page.Link)
			back, w, err := r.send(o, c.do(r, o))
			if reasonOf(err) != c.want || w.Code != http.StatusOK || back == "" {
				t.Fatalf("%d %v, want %v", w.Code, err, c.want)
			}
			if strings.Contains(err.Error(), "10003456789") {
				t.Error("the trail would name the person:", err)
			}
			// A better answer comes too late.
			if _, w, err := r.send(o, r.present(o)); err != nil || w.Code != http.StatusNotFound {
				t.Errorf("a second answer: %d %v", w.Code, err)
			}
			if _, proof, err := r.serve(a, back); proof != nil || reasonOf(err) != c.want || a.State != nil {
				t.Errorf("%+v %v, want %v", proof, err, c.want)
			}
		})
	}
}

// TestStrangers: what was not made for a transaction changes nothing in it.
func TestStrangers(t *testing.T) {
	r := newRig(t, nil)
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	o := r.ask(p.page.Link)
	b, q := r.attempt()
	b.ID = "a2"
	if _, _, err := r.serve(b, ""); err != nil {
		t.Fatal(err)
	}
	other := r.ask(q.page.Link)
	said := r.present(o)
	wrong := maps.Clone(said)
	wrong["state"] = other.State
	mixed := *o
	mixed.Metadata.Keys = other.Metadata.Keys
	one := r.encrypt(o, said, nil)
	for name, form := range map[string]url.Values{
		"nothing": {}, "in the clear": {"vp_token": {`{"person":["x"]}`}, "state": {o.State}}, "no JWE": {"response": {"x"}}, "to the key of another transaction": {"response": {r.encrypt(&mixed, said, nil)}},
		"the state of another transaction": {"response": {r.encrypt(o, wrong, nil)}}, "twice": {"response": {one, one}}, "altered": {"response": {one[:len(one)-2] + "AA"}},
		"wrapped": {"response": {r.encryptWith(o, said, jose.ECDH_ES_A256KW, jose.A256GCM)}}, "CBC": {"response": {r.encryptWith(o, said, jose.ECDH_ES, jose.A128CBC_HS256)}},
		"two states":                 {"response": {r.encryptText(o, `{"state":"x","state":"`+o.State+`","error":"access_denied"}`)}},
		"compressed":                 {"response": {r.encrypt(o, said, func(e *jose.EncrypterOptions) { e.Compression = jose.DEFLATE })}},
		"a kid of ours":              {"response": {r.encrypt(o, said, func(e *jose.EncrypterOptions) { e.ExtraHeaders["kid"] = "2" })}},
		"crit":                       {"response": {r.encrypt(o, said, func(e *jose.EncrypterOptions) { e.ExtraHeaders["crit"] = []string{"x"} })}},
		"an error without the state": {"error": {"access_denied"}}, "an error of another state": {"error": {"access_denied"}, "state": {other.State}},
	} {
		if w, err := r.answer(http.MethodPost, o.ResponseURI, form); err != nil || w.Code != http.StatusBadRequest || strings.TrimSpace(w.Body.String()) != `{"error":"invalid_request"}` {
			t.Errorf("%s: %d %s %v", name, w.Code, w.Body, err)
		}
	}
	for address, want := range map[string]int{
		base + "/request/" + strings.Repeat("A", 52): http.StatusNotFound, base + "/response/" + strings.Repeat("A", 52): http.StatusNotFound, base + "/request/": http.StatusNotFound,
		base + "/other": http.StatusNotFound, base + "/request/../x": http.StatusNotFound,
	} {
		if w, err := r.answer(http.MethodPost, address, url.Values{"response": {one}}); w.Code != want || err != nil {
			t.Errorf("%s: %d %v", address, w.Code, err)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		if w, err := r.answer(method, o.ResponseURI, nil); err != nil || w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d %v", method, w.Code, err)
		}
	}
	if w, err := r.answer(http.MethodPost, strings.Replace(o.ResponseURI, "/response/", "/request/", 1), url.Values{"wallet_nonce": {strings.Repeat("x", 600)}}); err != nil || w.Code != http.StatusBadRequest {
		t.Errorf("a long wallet_nonce: %d %v", w.Code, err)
	}
	// After all of that the wallet is heard.
	if back, w, err := r.send(o, said); err != nil || back == "" {
		t.Error(w.Code, err)
	}
}

// TestRefusedInTheClear: a wallet that cannot encrypt says so, with the state that it was given.
func TestRefusedInTheClear(t *testing.T) {
	r := newRig(t, func(c *wallet.Config) { c.OtherDevice = true })
	a, _ := r.attempt()
	_, _, err := r.serve(a, "")
	var open struct{ There string }
	if err != nil || json.Unmarshal(a.State, &open) != nil {
		t.Fatal(err)
	}
	o := r.ask("openid4vp://authorize?" + url.Values{"client_id": {r.id()}, "request_uri": {base + "/request/" + open.There}, "request_uri_method": {"post"}}.Encode())
	w, err := r.answer(http.MethodPost, o.ResponseURI, url.Values{"error": {"vp_formats_not_supported"}, "state": {o.State}})
	if w.Code != http.StatusOK || reasonOf(err) != authn.Unsuitable || strings.TrimSpace(w.Body.String()) != `{}` { // OpenID4VP 8.2: it was processed
		t.Fatal(w.Code, w.Body, err)
	}
	if _, _, err := r.serve(a, "/done"); reasonOf(err) != authn.Unsuitable {
		t.Error(err)
	}
}

func (r *rig) id() string {
	a, p := r.attempt()
	a.ID = "another"
	if _, _, err := r.serve(a, ""); err != nil {
		r.t.Fatal(err)
	}
	u, err := url.Parse(p.page.Link)
	if err != nil {
		r.t.Fatal(err)
	}
	return u.Query().Get("client_id")
}

// TestTime: a transaction ends, and so does the access certificate.
func TestTime(t *testing.T) {
	r := newRig(t, nil)
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	link, o := p.page.Link, r.ask(p.page.Link)
	r.now = start.Add(5 * time.Minute)
	if _, w, err := r.send(o, r.present(o)); err != nil || w.Code != http.StatusNotFound {
		t.Error("an answer after the end:", w.Code, err)
	}
	if _, _, err := r.serve(a, ""); err != nil || p.page.Link == link {
		t.Error("what has ended is shown again:", err)
	}
	o = r.ask(p.page.Link)
	back, _, err := r.send(o, r.present(o))
	if err != nil {
		t.Fatal(err)
	}
	a.NotBefore = r.now.Add(time.Second)
	if _, proof, err := r.serve(a, back); proof != nil || reasonOf(err) != authn.Unsuitable {
		t.Error("an authentication that is too old for the client:", proof, err)
	}
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	r.now = start.Add(time.Hour - time.Minute)
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(p.page.Link)
	if err != nil {
		t.Fatal(err)
	}
	r.now = start.Add(time.Hour + time.Second)
	if w, err := r.answer(http.MethodGet, u.Query().Get("request_uri"), nil); err == nil || w.Code != http.StatusInternalServerError {
		t.Error("with an access certificate that has ended:", w.Code, err)
	}
}

// TestStore: what is kept tells nothing, what was altered is nothing, and what cannot be kept is an outage.
func TestStore(t *testing.T) {
	r := newRig(t, nil)
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	o := r.ask(p.page.Link)
	back, _, err := r.send(o, r.present(o))
	if err != nil {
		t.Fatal(err)
	}
	id := o.ResponseURI[strings.LastIndexByte(o.ResponseURI, '/')+1:]
	for key, value := range r.store.all {
		for _, secret := range []string{id, o.Nonce, o.State, "10003456789", "Lyon"} {
			if strings.Contains(key+string(value), secret) {
				t.Errorf("the store holds %q", secret)
			}
		}
	}
	for key, value := range r.store.all {
		altered := bytes.Clone(value)
		altered[len(altered)/2] ^= 1
		r.store.all[key] = altered
		b := *a
		if _, proof, err := r.serve(&b, back); proof != nil || reasonOf(err) != authn.Expired {
			t.Error("an altered transaction:", proof, err)
		}
		r.store.all[key] = value
	}
	r.store.down = errors.New("down")
	for _, below := range []string{"", "/done", back} {
		b := *a
		if _, proof, err := r.serve(&b, below); proof != nil || (err == nil || reasonOf(err) != 0) && below != "/done" {
			t.Errorf("%q without a store: %v %v", below, proof, err)
		}
	}
	for _, address := range []string{o.ResponseURI, strings.Replace(o.ResponseURI, "/response/", "/request/", 1)} {
		if w, err := r.answer(http.MethodPost, address, url.Values{"response": {"x"}}); w.Code != http.StatusInternalServerError || err == nil {
			t.Errorf("%s without a store: %d %v", address, w.Code, err)
		}
	}
}

// outage is a verifier that cannot say whether a credential holds.
type outage struct{ err error }

func (o outage) Verify(context.Context, string, sdjwt.Binding) (*sdjwt.Presented, error) {
	return nil, o.err
}

// TestOutage: what cannot be verified now is not answered: the wallet may come again.
func TestOutage(t *testing.T) {
	r := newRig(t, func(c *wallet.Config) { c.Verifier = outage{&sdjwt.Error{Reason: sdjwt.Unavailable}} })
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		t.Fatal(err)
	}
	o := r.ask(p.page.Link)
	for range 2 {
		if _, w, err := r.send(o, r.present(o)); err == nil || reasonOf(err) != 0 || w.Code != http.StatusInternalServerError {
			t.Fatal(w.Code, err)
		}
	}
}

func TestConfig(t *testing.T) {
	r := newRig(t, nil)
	whole := r.config(outage{})
	if _, err := wallet.New(whole); err != nil {
		t.Fatal(err)
	}
	if _, err := wallet.New(wallet.Config{}); err == nil {
		t.Error("a configuration of nothing is accepted")
	}
	other := access(t, sdjwttest.NewKey(t), nil)
	for name, change := range map[string]func(*wallet.Config){
		"no name": func(c *wallet.Config) { c.Name = "" }, "a name with a slash": func(c *wallet.Config) { c.Name = "a/b" }, "no verifier": func(c *wallet.Config) { c.Verifier = nil },
		"no store": func(c *wallet.Config) { c.Store = nil }, "no types": func(c *wallet.Config) { c.Types = nil }, "no references": func(c *wallet.Config) { c.References = nil },
		"nobody is named": func(c *wallet.Config) { c.Identify = nil }, "a claim without a name": func(c *wallet.Config) { c.Attributes = map[string]wallet.Path{"X": {"a", ""}} },
		"no type of identifier": func(c *wallet.Config) { c.Type = "" }, "no prefix": func(c *wallet.Config) { c.Prefix = "" }, "redirect_uri": func(c *wallet.Config) { c.Prefix = "redirect_uri" },
		"no key": func(c *wallet.Config) { c.Key = nil }, "no certificate": func(c *wallet.Config) { c.Chain = nil }, "another key": func(c *wallet.Config) { c.Key = sdjwttest.NewKey(t) },
		"a certificate of another host": func(c *wallet.Config) { c.Prefix, c.Issuer = wallet.PrefixDNS, "https://other.example" }, "http": func(c *wallet.Config) { c.Issuer = "http://idp.example" },
		"a certificate of nobody": func(c *wallet.Config) {
			c.Chain = []*x509.Certificate{access(t, r.key, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "Access CA"} })}
		}, "another certificate": func(c *wallet.Config) { c.Chain = []*x509.Certificate{other} }, "a scheme that runs": func(c *wallet.Config) { c.Scheme = "javascript://" }, "http links": func(c *wallet.Config) { c.Scheme = "http://" },
		"https of nobody": func(c *wallet.Config) { c.Scheme = "https://" }, "a link with a query": func(c *wallet.Config) { c.Scheme = "https://wallet.example/?x=" },
		"a type with an issuer": func(c *wallet.Config) { c.Type = "sub https://pid.example" }, "an account by its id": func(c *wallet.Config) { c.Type = "account" },
		"too short": func(c *wallet.Config) { c.Lifetime = time.Second }, "too long": func(c *wallet.Config) { c.Lifetime = time.Hour },
	} {
		c := whole
		change(&c)
		if _, err := wallet.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, scheme := range []string{"openid4vp://", "haip-vp://", "eudi-openid4vp://", "https://wallet.example/authorize", "fr.gouv.portefeuille://"} {
		c := whole
		c.Scheme = scheme
		if _, err := wallet.New(c); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// FuzzAnswer: whatever is posted, nobody is proven without a presentation, and nothing breaks.
func FuzzAnswer(f *testing.F) {
	r := newRig(f, nil)
	a, p := r.attempt()
	if _, _, err := r.serve(a, ""); err != nil {
		f.Fatal(err)
	}
	o := r.ask(p.page.Link)
	f.Add("response=" + r.encrypt(o, map[string]any{"state": "other"}, nil))
	f.Add("error=access_denied&state=x")
	f.Add("response=a.b.c.d.e")
	f.Fuzz(func(t *testing.T, body string) {
		request := httptest.NewRequest(http.MethodPost, o.ResponseURI, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		if _, err := r.m.Answer(w, request, strings.TrimPrefix(o.ResponseURI, base+"/")); err != nil || w.Code != http.StatusBadRequest {
			t.Fatalf("%d %v", w.Code, err)
		}
	})
}
