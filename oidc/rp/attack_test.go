package rp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

// Each test bears the number of its attack and says what it would have achieved.

// TestO1MixUp: an honest provider's code is brought to a hostile one's redirect URI, or the other way round; the client would hand the
// code, and who it is, to the wrong token endpoint.
func TestO1MixUp(t *testing.T) {
	honest := rptest.New(t, rptest.Config{ResponseIss: true})
	evil := rptest.New(t, rptest.Config{Issuer: "https://evil.example", ResponseIss: true})
	atEvil := configOf(evil)
	atEvil.RedirectURI = "https://sceau.example/etab/1/upstream/evil/callback"
	toHonest, toEvil := provider(t, configOf(honest)), provider(t, atEvil)

	f, err := toEvil.Begin(ctx(t), rp.Request{})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(f.URL) // the hostile provider sends the browser on to the honest one, with its own client id there
	to := u.Query()
	answer := honest.Authorize(t, honest.Authorization+"?"+to.Encode())
	l, err := toEvil.Finish(ctx(t), f, answer)
	refused(t, l, err, rp.Mismatch, "mix-up")
	if evil.Asked("token") != 0 {
		t.Error("the code of the honest provider went to the hostile one")
	}

	// The flow of one provider, answered at the address of another.
	l, err = toHonest.Finish(ctx(t), f, answer)
	refused(t, l, err, rp.Mismatch, "another provider")

	for name, tt := range map[string]struct {
		announced, required bool
		response            func(url.Values)
		why                 string
	}{
		"no iss although announced":    {true, false, func(q url.Values) { q.Del("iss") }, "no iss"},
		"no iss although we want it":   {false, true, nil, "no iss"},
		"an iss that nobody announced": {false, false, func(q url.Values) { q.Set("iss", "https://evil.example") }, "mix-up"},
		"an empty iss":                 {false, false, func(q url.Values) { q.Set("iss", "") }, "mix-up"},
		"iss with a slash more":        {true, false, func(q url.Values) { q.Set("iss", q.Get("iss")+"/") }, "mix-up"},
		"iss twice":                    {true, false, func(q url.Values) { q.Add("iss", "https://evil.example") }, "twice"},
		"an error of another provider": {true, false, func(q url.Values) {
			q.Del("code")
			q.Set("error", "access_denied")
			q.Set("iss", "https://evil.example")
		}, "mix-up"},
		"state of another":                 {true, false, func(q url.Values) { q.Set("state", "guessed") }, "state"},
		"no state":                         {true, false, func(q url.Values) { q.Del("state") }, "state"},
		"state twice":                      {true, false, func(q url.Values) { q.Add("state", "another") }, "twice"},
		"code twice":                       {true, false, func(q url.Values) { q.Add("code", "another") }, "twice"},
		"neither code nor error":           {true, false, func(q url.Values) { q.Del("code") }, "neither"},
		"an error without the right state": {true, false, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied"); q.Del("state") }, "state"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{ResponseIss: tt.announced})
			op.Lies.Response = tt.response
			c := configOf(op)
			c.RequireResponseIssuer = tt.required
			l, err := login(t, op, provider(t, c), rp.Request{})
			refused(t, l, err, rp.Mismatch, tt.why)
			if op.Asked("token") != 0 {
				t.Error("the token endpoint was asked")
			}
		})
	}
}

// TestO2CodeInjection: an attacker brings the code of somebody else's login into his own browser, to be taken for him.
func TestO2CodeInjection(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	p := provider(t, configOf(op))
	begin := func() *rp.Flow {
		f, err := p.Begin(ctx(t), rp.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	attacker, victim := begin(), begin()
	stolen := op.Authorize(t, victim.URL)
	injected := url.Values{"code": stolen["code"], "state": {attacker.State}}
	l, err := p.Finish(ctx(t), attacker, injected) // PKCE: the verifier of another challenge
	refused(t, l, err, rp.Rejected, "invalid_grant")

	// A provider that does not look at the verifier: the nonce is of another login.
	sloppy := rptest.New(t, rptest.Config{})
	p = provider(t, configOf(sloppy))
	sloppy.Lies.Instead = map[string]http.HandlerFunc{"token": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"access-1","token_type":"Bearer","id_token":%q}`, sloppy.IDToken("nonce of the victim", "access-1"))
	}}
	l, err = login(t, sloppy, p, rp.Request{})
	refused(t, l, err, rp.BadToken, "nonce")

	// A code is used once: a second Finish of the flow is the provider's to refuse, and it does.
	p = provider(t, configOf(op))
	f := begin()
	answer := op.Authorize(t, f.URL)
	if _, err := p.Finish(ctx(t), f, answer); err != nil {
		t.Fatal(err)
	}
	l, err = p.Finish(ctx(t), f, answer)
	refused(t, l, err, rp.Rejected, "invalid_grant")

	// What is sent: S256 and never plain, and a new verifier, state and nonce each time.
	a, b := begin(), begin()
	if a.Verifier == b.Verifier || a.State == b.State || a.Nonce == b.Nonce || len(a.Verifier) < 43 || strings.Contains(a.URL, a.Verifier) || !strings.Contains(a.URL, "code_challenge_method=S256") {
		t.Errorf("%+v", a)
	}
}

// TestO2Flow: a flow that is not whole, or too old, finishes nothing.
func TestO2Flow(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	at := &clock{rptest.Now()}
	c := configOf(op)
	c.Now = at.now
	p := provider(t, c)
	for name, change := range map[string]func(f *rp.Flow) *rp.Flow{
		"none":            func(*rp.Flow) *rp.Flow { return nil },
		"zero":            func(*rp.Flow) *rp.Flow { return new(rp.Flow) },
		"no nonce":        func(f *rp.Flow) *rp.Flow { f.Nonce = ""; return f },
		"no verifier":     func(f *rp.Flow) *rp.Flow { f.Verifier = ""; return f },
		"no state":        func(f *rp.Flow) *rp.Flow { f.State = ""; return f },
		"of yesterday":    func(f *rp.Flow) *rp.Flow { f.Begun = f.Begun.Add(-24 * time.Hour); return f },
		"of tomorrow":     func(f *rp.Flow) *rp.Flow { f.Begun = f.Begun.Add(24 * time.Hour); return f },
		"without instant": func(f *rp.Flow) *rp.Flow { f.Begun = time.Time{}; return f },
	} {
		f, err := p.Begin(ctx(t), rp.Request{})
		if err != nil {
			t.Fatal(err)
		}
		answer := op.Authorize(t, f.URL)
		f = change(f)
		if f != nil && f.State == "" {
			answer.Del("state")
		}
		l, err := p.Finish(ctx(t), f, answer)
		if l != nil || rp.ReasonOf(err) != rp.Mismatch {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := p.Begin(ctx(t), rp.Request{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(f)
	if err != nil || strings.Contains(string(text), "authorize") {
		t.Errorf("%s, %v", text, err)
	}
	kept := new(rp.Flow)
	if err := json.Unmarshal(text, kept); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(ctx(t), kept, op.Authorize(t, f.URL)); err != nil {
		t.Errorf("a flow that was kept as JSON: %v", err)
	}
}

// TestO4Signature: who can write to the browser or stands in the back channel makes an ID token of his own.
func TestO4Signature(t *testing.T) {
	unsigned := func(header string) func(op *rptest.OP) func(rptest.Members) string {
		return func(*rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				body, _ := json.Marshal(c)
				return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
			}
		}
	}
	// reheaded puts another protected header before what is signed; signed is whether the signature is made over it.
	reheaded := func(header string) func(op *rptest.OP) func(rptest.Members) string {
		return func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				parts := strings.Split(op.Sign(c, nil), ".")
				parts[0] = base64.RawURLEncoding.EncodeToString([]byte(header))
				return strings.Join(parts, ".")
			}
		}
	}
	with := func(header map[jose.HeaderKey]any) func(op *rptest.OP) func(rptest.Members) string {
		return func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string { return op.Sign(c, header) }
		}
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		sign func(op *rptest.OP) func(rptest.Members) string
		why  string
	}{
		"alg none":             {unsigned(`{"alg":"none"}`), "alg"},
		"alg None":             {unsigned(`{"alg":"None","kid":"key-1"}`), "alg"},
		"no alg":               {unsigned(`{}`), "alg"},
		"no signature":         {unsigned(`{"alg":"RS256","kid":"key-1"}`), "verify"},
		"alg twice":            {reheaded(`{"alg":"RS256","alg":"none","kid":"key-1"}`), "header"},
		"another name for alg": {reheaded(`{"ALG":"RS256","kid":"key-1"}`), "alg"},
		"HS256 with the public key in PEM": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				spki, _ := x509.MarshalPKIXPublicKey(op.RSA.Public())
				return rptest.SignWith(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), c, nil, op.KeyID)
			}
		}, "alg"},
		"HS256 with the client secret": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				return rptest.SignWith(jose.HS256, []byte("a secret of thirty-two octets or more"), c, nil, op.KeyID)
			}
		}, "alg"},
		"RS512": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string { return rptest.SignWith(jose.RS512, op.RSA, c, nil, op.KeyID) }
		}, "alg"},
		"a stranger's key": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string { return rptest.SignWith(jose.RS256, stranger, c, nil, op.KeyID) }
		}, "verify"},
		"a stranger's key in the header": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				return rptest.SignWith(jose.RS256, stranger, c, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: stranger.Public()}}, op.KeyID)
			}
		}, "jwk"},
		"a stranger's address of keys":         {with(map[jose.HeaderKey]any{"jku": "https://evil.example/keys"}), "jku"},
		"a stranger's address of certificates": {with(map[jose.HeaderKey]any{"x5u": "https://evil.example/x"}), "x5u"},
		"crit":                                 {with(map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}), "crit"},
		"b64":                                  {reheaded(`{"alg":"RS256","kid":"key-1","b64":false,"crit":["b64"]}`), "header"},
		"zip":                                  {reheaded(`{"alg":"RS256","kid":"key-1","zip":"DEF"}`), "zip"},
		"kid is a path":                        {with(map[jose.HeaderKey]any{"kid": "../../../../dev/null"}), "kid"},
		"kid is SQL":                           {with(map[jose.HeaderKey]any{"kid": "' OR 1=1 --"}), "kid"},
		"kid is empty":                         {with(map[jose.HeaderKey]any{"kid": ""}), "kid"},
		"kid is no text":                       {reheaded(`{"alg":"RS256","kid":1}`), "kid"},
		"kid is endless":                       {with(map[jose.HeaderKey]any{"kid": strings.Repeat("k", 300)}), "kid"},
		"typ of an access token":               {with(map[jose.HeaderKey]any{"typ": "at+jwt"}), "typ"},
		"typ of a logout token":                {with(map[jose.HeaderKey]any{"typ": "logout+jwt"}), "typ"},
		"another key of the set": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string { return rptest.SignWith(jose.ES256, op.EC, c, nil, "key-2") }
		}, "kid"},
		"encrypted": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				e, _ := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.RSA_OAEP, Key: op.RSA.Public()}, nil)
				o, _ := e.Encrypt([]byte(op.Sign(c, nil)))
				s, _ := o.CompactSerialize()
				return s
			}
		}, "encrypted"},
		"JSON serialization with two signatures": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				s, _ := jose.NewMultiSigner([]jose.SigningKey{{Algorithm: jose.RS256, Key: stranger}, {Algorithm: jose.RS256, Key: op.RSA}}, nil)
				body, _ := json.Marshal(c)
				o, _ := s.Sign(body)
				return o.FullSerialize()
			}
		}, "no JWT"},
		"a claim changed after signing": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string {
				parts := strings.Split(op.Sign(c, nil), ".")
				c["sub"] = "somebody else"
				body, _ := json.Marshal(c)
				return parts[0] + "." + base64.RawURLEncoding.EncodeToString(body) + "." + parts[2]
			}
		}, "verify"},
		"four parts": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string { return op.Sign(c, nil) + ".AA" }
		}, "no JWT"},
		"a line end within": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string { s := op.Sign(c, nil); return s[:len(s)-4] + "\n" + s[len(s)-4:] }
		}, "no JWT"},
		"huge": {func(op *rptest.OP) func(rptest.Members) string {
			return func(c rptest.Members) string { c["x"] = strings.Repeat("x", 70000); return op.Sign(c, nil) }
		}, "too long"},
		"nothing": {func(op *rptest.OP) func(rptest.Members) string {
			return func(rptest.Members) string { return "" }
		}, "no ID token"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			op.Lies.Sign = tt.sign(op)
			l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
			refused(t, l, err, rp.BadToken, tt.why)
			if op.Asked("userinfo") != 0 {
				t.Error("userinfo was asked with a token that came with a bad one")
			}
		})
	}
}

// TestO4Encrypted: encryption is taken for a signature, is bent, or hides something large.
func TestO4Encrypted(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encrypt := func(a jose.KeyAlgorithm, enc jose.ContentEncryption, to any, o *jose.EncrypterOptions, within string) string {
		e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: a, Key: to}, o)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := e.Encrypt([]byte(within))
		if err != nil {
			t.Fatal(err)
		}
		s, err := sealed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	seal := func(a jose.KeyAlgorithm, enc jose.ContentEncryption, to any, o *jose.EncrypterOptions) func(*rptest.OP, rptest.Members) string {
		return func(op *rptest.OP, c rptest.Members) string { return encrypt(a, enc, to, o, op.Sign(c, nil)) }
	}
	for name, tt := range map[string]struct {
		key  any
		sign func(*rptest.OP, rptest.Members) string
		why  string // empty: admitted
	}{
		"RSA-OAEP":                  {key, seal(jose.RSA_OAEP, jose.A256GCM, key.Public(), nil), ""},
		"RSA-OAEP-256":              {key, seal(jose.RSA_OAEP_256, jose.A128CBC_HS256, key.Public(), nil), ""},
		"ECDH-ES":                   {ec, seal(jose.ECDH_ES, jose.A128GCM, ec.Public(), nil), ""},
		"not encrypted":             {key, func(op *rptest.OP, c rptest.Members) string { return op.Sign(c, nil) }, ""},
		"RSA1_5 (Bleichenbacher)":   {key, seal(jose.RSA1_5, jose.A128CBC_HS256, key.Public(), nil), "admitted"},
		"for another":               {key, seal(jose.RSA_OAEP, jose.A256GCM, &rsa.PublicKey{N: rptest.New(t, rptest.Config{}).RSA.N, E: 65537}, nil), "our key"},
		"no key":                    {nil, seal(jose.RSA_OAEP, jose.A256GCM, key.Public(), nil), "no key"},
		"a small one that is large": {key, seal(jose.RSA_OAEP, jose.A256GCM, key.Public(), &jose.EncrypterOptions{Compression: jose.DEFLATE}), "zip"},
		"not signed within": {key, func(_ *rptest.OP, c rptest.Members) string {
			body, _ := json.Marshal(c)
			return encrypt(jose.RSA_OAEP, jose.A256GCM, key.Public(), nil, string(body))
		}, "no JWT"},
		"alg none within": {key, func(_ *rptest.OP, c rptest.Members) string {
			body, _ := json.Marshal(c)
			return encrypt(jose.RSA_OAEP, jose.A256GCM, key.Public(), nil, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+base64.RawURLEncoding.EncodeToString(body)+".")
		}, "alg"},
		"encrypted twice": {key, func(op *rptest.OP, c rptest.Members) string {
			return encrypt(jose.RSA_OAEP, jose.A256GCM, key.Public(), nil, encrypt(jose.RSA_OAEP, jose.A256GCM, key.Public(), nil, op.Sign(c, nil)))
		}, "encrypted"},
		"with a shared secret": {key, seal(jose.DIRECT, jose.A256GCM, []byte("a secret of thirty-two octets...")[:32], nil), "admitted"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			op.Lies.Sign = func(c rptest.Members) string { return tt.sign(op, c) }
			c := configOf(op)
			c.DecryptionKey = tt.key
			l, err := login(t, op, provider(t, c), rp.Request{})
			if tt.why != "" {
				refused(t, l, err, rp.BadToken, tt.why)
			} else if err != nil || strings.Count(l.Tokens.ID, ".") != 2 {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestO4Keys: keys that the set should not hold, or holds without saying for what.
func TestO4Keys(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		keys func(*rptest.OP, *jose.JSONWebKeySet)
		sign func(*rptest.OP, rptest.Members) string
		why  string // empty: admitted
	}{
		"a weak key": {func(_ *rptest.OP, s *jose.JSONWebKeySet) {
			s.Keys = []jose.JSONWebKey{{Key: weak.Public(), KeyID: "weak"}}
		}, func(_ *rptest.OP, c rptest.Members) string { return rptest.SignWith(jose.RS256, weak, c, nil, "weak") }, "no key"},
		"a key for encryption": {func(_ *rptest.OP, s *jose.JSONWebKeySet) {
			for i := range s.Keys {
				s.Keys[i].Use = "enc"
			}
		}, nil, "no key"},
		"a key for another algorithm": {func(_ *rptest.OP, s *jose.JSONWebKeySet) { s.Keys[1].Algorithm = "PS256" }, nil, "no key"},
		"a symmetric key": {func(_ *rptest.OP, s *jose.JSONWebKeySet) {
			s.Keys = []jose.JSONWebKey{{Key: []byte("a secret of thirty-two octets or more"), KeyID: "key-1"}}
		}, nil, "no key"},
		"no kid, and one that fits": {nil, func(op *rptest.OP, c rptest.Members) string { return rptest.SignWith(jose.RS256, op.RSA, c, nil, "") }, ""},
		"no kid, and two that fit": {func(op *rptest.OP, s *jose.JSONWebKeySet) {
			s.Keys = append(s.Keys, jose.JSONWebKey{Key: op.RSA.Public(), KeyID: "key-2"})
		}, func(op *rptest.OP, c rptest.Members) string { return rptest.SignWith(jose.RS256, op.RSA, c, nil, "") }, "no key"},
		"beside one that we cannot read": {func(op *rptest.OP, s *jose.JSONWebKeySet) {
			s.Keys = append(s.Keys, jose.JSONWebKey{Key: weak, KeyID: "private"})
		}, nil, ""},
		"two hundred": {func(op *rptest.OP, s *jose.JSONWebKeySet) {
			for len(s.Keys) < 200 {
				s.Keys = append(s.Keys, s.Keys[0])
			}
		}, nil, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			if tt.keys != nil {
				op.Lies.Keys = func(s *jose.JSONWebKeySet) { tt.keys(op, s) }
			}
			if tt.sign != nil {
				op.Lies.Sign = func(c rptest.Members) string { return tt.sign(op, c) }
			}
			l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
			if tt.why == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if l != nil || err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestO4KidFlood: whoever makes many tokens with new kids makes us ask the provider for its keys each time.
func TestO4KidFlood(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	at := &clock{rptest.Now()}
	c := configOf(op)
	c.Now = at.now
	p := provider(t, c)
	if _, err := login(t, op, p, rp.Request{}); err != nil {
		t.Fatal(err)
	}
	if n := op.Asked("certs"); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	flood := func(n int) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if _, err := p.VerifyLogout(ctx(t), op.Sign(rptest.Members{"iss": op.Issuer}, map[jose.HeaderKey]any{"typ": "logout+jwt", "kid": fmt.Sprint("kid-", i)})); rp.ReasonOf(err) != rp.BadToken {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	flood(50)
	if n := op.Asked("certs"); n != 1 {
		t.Errorf("within the pause: asked %d times", n)
	}
	at.at = at.at.Add(11 * time.Second)
	flood(50)
	if n := op.Asked("certs"); n != 2 {
		t.Errorf("after the pause: asked %d times", n)
	}
	// A new key is found all the same, and the old one leaves with the set.
	at.at = at.at.Add(11 * time.Second)
	old := op.Sign(logoutClaims(op, at.at), map[jose.HeaderKey]any{"typ": "logout+jwt"})
	op.KeyID = "key-2"
	if _, err := p.VerifyLogout(ctx(t), op.Sign(logoutClaims(op, at.at), map[jose.HeaderKey]any{"typ": "logout+jwt"})); err != nil {
		t.Errorf("a new key: %v", err)
	}
	if _, err := p.VerifyLogout(ctx(t), old); rp.ReasonOf(err) != rp.BadToken {
		t.Errorf("an old key: %v", err)
	}
	at.at = at.at.Add(2 * time.Hour)
	before := op.Asked("certs")
	if _, err := p.VerifyLogout(ctx(t), op.Sign(logoutClaims(op, at.at), map[jose.HeaderKey]any{"typ": "logout+jwt"})); err != nil || op.Asked("certs") != before+1 {
		t.Errorf("keys of two hours ago: %v", err)
	}
}

// TestO4KeysDown: keys that can be asked for no more are used as long as they are fresh, and no longer; nobody hammers the provider.
func TestO4KeysDown(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	at := &clock{rptest.Now()}
	c := configOf(op)
	c.Now = at.now
	p := provider(t, c)
	verify := func() error {
		_, err := p.VerifyLogout(ctx(t), op.Sign(logoutClaims(op, at.at), map[jose.HeaderKey]any{"typ": "logout+jwt"}))
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	op.Lies.Instead = map[string]http.HandlerFunc{"certs": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }}
	at.at = at.at.Add(59 * time.Minute)
	if err := verify(); err != nil {
		t.Errorf("fresh: %v", err)
	}
	at.at = at.at.Add(2 * time.Minute)
	before := op.Asked("certs")
	for range 20 {
		if err := verify(); rp.ReasonOf(err) != rp.Unavailable {
			t.Errorf("stale: %v", err)
		}
	}
	if n := op.Asked("certs") - before; n != 1 {
		t.Errorf("asked %d times within the pause", n)
	}
	op.Lies.Instead = nil
	at.at = at.at.Add(11 * time.Second)
	if err := verify(); err != nil {
		t.Errorf("up again: %v", err)
	}
}

// TestO4Caller: who goes away while the keys are asked for does not make them fail for the others.
func TestO4Caller(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	p := provider(t, configOf(op))
	gone, cancel := context.WithCancel(ctx(t))
	cancel()
	if _, err := p.Begin(gone, rp.Request{}); err != nil {
		t.Error(err)
	}
	if _, err := p.Begin(ctx(t), rp.Request{}); err != nil || op.Asked("openid-configuration") != 1 {
		t.Errorf("%v, asked %d times", err, op.Asked("openid-configuration"))
	}
}

// TestO4Claims: an ID token for another, of another, or of another time.
func TestO4Claims(t *testing.T) {
	set := func(name string, value any) func(rptest.Members) { return func(c rptest.Members) { c[name] = value } }
	drop := func(name string) func(rptest.Members) { return func(c rptest.Members) { delete(c, name) } }
	at := func(d time.Duration) int64 { return rptest.Now().Add(d).Unix() }
	for name, tt := range map[string]struct {
		change func(rptest.Members)
		why    string // empty: admitted
	}{
		"another nonce":           {set("nonce", "another"), "nonce"},
		"no nonce":                {drop("nonce"), "nonce"},
		"a list of nonces":        {set("nonce", []string{"a"}), "another claim"},
		"for another client":      {set("aud", "another"), "aud"},
		"for nobody":              {drop("aud"), "aud"},
		"for us among others":     {func(c rptest.Members) { c["aud"] = []string{"another", "client"} }, ""},
		"several, no azp":         {func(c rptest.Members) { c["aud"] = []string{"another", "client"}; delete(c, "azp") }, "azp"},
		"azp of another":          {set("azp", "another"), "azp"},
		"azp is empty":            {set("azp", ""), "azp"},
		"no azp":                  {drop("azp"), ""},
		"of another issuer":       {set("iss", "https://evil.example"), "iss"},
		"of our issuer and more":  {set("iss", "https://op.example/realm/"), "iss"},
		"no iss":                  {drop("iss"), "iss"},
		"no sub":                  {drop("sub"), "sub"},
		"sub is a number":         {set("sub", 7), "another claim"},
		"sub is endless":          {set("sub", strings.Repeat("s", 256)), "sub"},
		"sub with a NUL":          {set("sub", "a\x00b"), "sub"},
		"sub with half a letter":  {set("sub", "a\ufffdb"), "sub"},
		"expired":                 {set("exp", at(-31*time.Second)), "expired"},
		"expired within the skew": {set("exp", at(-29*time.Second)), ""},
		"no exp":                  {drop("exp"), "expired"},
		"exp is text":             {set("exp", "tomorrow"), "another claim"},
		"exp is beyond time":      {set("exp", 1e15), "expired"},
		"issued in the future":    {set("iat", at(31*time.Second)), "iat"},
		"issued yesterday":        {func(c rptest.Members) { c["iat"], c["exp"] = at(-24*time.Hour), at(24*time.Hour) }, "iat"},
		"no iat":                  {drop("iat"), "iat"},
		"not yet":                 {set("nbf", at(time.Minute)), "not yet"},
		"not yet, a bit":          {set("nbf", at(20*time.Second)), ""},
		"nbf is nothing":          {set("nbf", 0), "not yet"},
		"another access token":    {set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), "at_hash"},
		"no at_hash":              {drop("at_hash"), ""},
		"a logout token":          {set("events", map[string]any{}), "logout"},
		"auth_time to come":       {set("auth_time", at(time.Minute)), "auth_time"},
		"auth_time is text":       {set("auth_time", "now"), "auth_time"},
		"a name in another case":  {func(c rptest.Members) { c["SUB"] = c["sub"]; delete(c, "sub") }, "sub"},
		"aud in another case":     {func(c rptest.Members) { c["AUD"] = c["aud"]; delete(c, "aud") }, "aud"},
		"nonce in another case":   {func(c rptest.Members) { c["Nonce"] = c["nonce"]; delete(c, "nonce") }, "nonce"},
		"distributed claims": {func(c rptest.Members) {
			c["_claim_names"] = map[string]string{"x": "s"}
			c["_claim_sources"] = map[string]any{"s": map[string]string{"endpoint": "https://evil.example/"}}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			op.Lies.IDToken = tt.change
			l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
			if tt.why == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, l, err, rp.BadToken, tt.why)
		})
	}
}

// TestO4TwiceInOneToken: a claim that stands twice is read by one reader so and by another otherwise.
func TestO4TwiceInOneToken(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	op.Lies.Sign = func(c rptest.Members) string {
		body, _ := json.Marshal(c)
		twice := append([]byte(`{"sub":"an administrator",`), body[1:]...)
		s, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: op.RSA}, &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": op.KeyID}})
		o, _ := s.Sign(twice)
		token, _ := o.CompactSerialize()
		return token
	}
	l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
	refused(t, l, err, rp.BadToken, "twice")
}

// TestO4UserInfo: userinfo that speaks of somebody else gives his names to whom the ID token names (token substitution).
func TestO4UserInfo(t *testing.T) {
	answer := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	jwt := func(op *rptest.OP, c rptest.Members) string { return op.Sign(c, nil) }
	for name, tt := range map[string]struct {
		signed  bool
		change  func(rptest.Members)
		instead func(op *rptest.OP) http.HandlerFunc
		reason  rp.Reason
		why     string
	}{
		"of somebody else":          {false, func(c rptest.Members) { c["sub"] = "another" }, nil, rp.BadToken, "somebody else"},
		"of nobody":                 {false, func(c rptest.Members) { delete(c, "sub") }, nil, rp.BadToken, "somebody else"},
		"signed, of somebody else":  {true, func(c rptest.Members) { c["sub"] = "another" }, nil, rp.BadToken, "somebody else"},
		"signed by another issuer":  {true, func(c rptest.Members) { c["iss"] = "https://evil.example" }, nil, rp.BadToken, "iss"},
		"signed for another client": {true, func(c rptest.Members) { c["aud"] = "another" }, nil, rp.BadToken, "aud"},
		"signed and expired":        {true, func(c rptest.Members) { c["exp"] = rptest.Now().Add(-time.Hour).Unix() }, nil, rp.BadToken, "expired"},
		"alg none": {false, nil, func(op *rptest.OP) http.HandlerFunc {
			return answer(200, "application/jwt", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+op.Subject+`"}`))+".")
		}, rp.BadToken, "alg"},
		"a stranger's signature": {false, nil, func(op *rptest.OP) http.HandlerFunc {
			other := rptest.New(t, rptest.Config{Algorithm: jose.ES256})
			return answer(200, "application/jwt", jwt(other, rptest.Members{"sub": op.Subject}))
		}, rp.BadToken, "verify"},
		"a JWT as JSON": {false, nil, func(op *rptest.OP) http.HandlerFunc {
			return answer(200, "application/json", jwt(op, rptest.Members{"sub": op.Subject}))
		}, rp.BadToken, "JSON"},
		"a page":        {false, nil, func(op *rptest.OP) http.HandlerFunc { return answer(200, "text/html", `{"sub":"`+op.Subject+`"}`) }, rp.BadToken, "neither"},
		"no media type": {false, nil, func(op *rptest.OP) http.HandlerFunc { return answer(200, "", `{"sub":"`+op.Subject+`"}`) }, rp.Unavailable, "media"},
		"an error":      {false, nil, func(*rptest.OP) http.HandlerFunc { return answer(500, "application/json", `{}`) }, rp.Unavailable, "500"},
		"two subs": {false, nil, func(op *rptest.OP) http.HandlerFunc {
			return answer(200, "application/json", `{"sub":"a","sub":"`+op.Subject+`"}`)
		}, rp.BadToken, "twice"},
		"two documents": {false, nil, func(op *rptest.OP) http.HandlerFunc {
			return answer(200, "application/json", `{"sub":"`+op.Subject+`"}{"sub":"b"}`)
		}, rp.BadToken, "after"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{SignUserInfo: tt.signed})
			op.Lies.UserInfo = tt.change
			if tt.instead != nil {
				op.Lies.Instead = map[string]http.HandlerFunc{"userinfo": tt.instead(op)}
			}
			l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
			refused(t, l, err, tt.reason, tt.why)
		})
	}
}

// TestO4Answers: answers that are endless, slow, elsewhere or compressed beyond measure, at each address of the back channel.
func TestO4Answers(t *testing.T) {
	for _, endpoint := range []string{"openid-configuration", "certs", "token", "userinfo"} {
		for name, tt := range map[string]struct {
			answer http.HandlerFunc
			why    string
		}{
			"endless": {func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				chunk := []byte(strings.Repeat(" ", 1<<16))
				for r.Context().Err() == nil {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			}, "octets"},
			"too long by what it says": {func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Length", "2000000000")
				w.WriteHeader(http.StatusOK)
			}, "octets"},
			"endless headers": {func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X", strings.Repeat("x", 1<<18))
				w.WriteHeader(http.StatusOK)
			}, ""},
			"a redirect to another host": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://evil.example/"+endpoint, http.StatusTemporaryRedirect)
			}, "307"},
			"a redirect to itself": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.String()+"?again", http.StatusPermanentRedirect)
			}, "308"},
			"deep": {func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"a":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`))
			}, ""},
			"slower than the caller": {func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then is the server told that the client has gone
				<-r.Context().Done()
				panic(http.ErrAbortHandler) // nothing is answered
			}, "context"},
		} {
			if strings.HasPrefix(name, "slower") && (endpoint == "openid-configuration" || endpoint == "certs") {
				continue // what is fetched for all is bound to the patience of all
			}
			t.Run(endpoint+"/"+name, func(t *testing.T) {
				op := rptest.New(t, rptest.Config{})
				p := provider(t, configOf(op))
				op.Lies.Instead = map[string]http.HandlerFunc{endpoint: tt.answer}
				c := ctx(t)
				f, err := p.Begin(c, rp.Request{})
				var l *rp.Login
				if err == nil {
					answer := op.Authorize(t, f.URL)
					if strings.HasPrefix(name, "slower") {
						var cancel context.CancelFunc
						c, cancel = context.WithTimeout(c, 200*time.Millisecond)
						defer cancel()
					}
					l, err = p.Finish(c, f, answer)
				}
				if l != nil || rp.ReasonOf(err) == 0 || !strings.Contains(err.Error(), tt.why) {
					t.Errorf("%v, %v", l, err)
				}
				if op.Reached("evil.example") {
					t.Error("the redirect was followed")
				}
			})
		}
	}
}

// TestO4Discovery: a discovery document that names other hosts makes us bring codes and secrets there, or ask inside the house (SSRF).
func TestO4Discovery(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(rptest.Members)
		why    string
	}{
		"another issuer":            {func(m rptest.Members) { m["issuer"] = "https://evil.example" }, "another issuer"},
		"no issuer":                 {func(m rptest.Members) { delete(m, "issuer") }, "another issuer"},
		"tokens at another host":    {func(m rptest.Members) { m["token_endpoint"] = "https://evil.example/token" }, "token_endpoint"},
		"keys at another host":      {func(m rptest.Members) { m["jwks_uri"] = "https://169.254.169.254/keys" }, "jwks_uri"},
		"keys in a file":            {func(m rptest.Members) { m["jwks_uri"] = "file:///etc/passwd" }, "jwks_uri"},
		"keys without TLS":          {func(m rptest.Members) { m["jwks_uri"] = "http://op.example/keys" }, "jwks_uri"},
		"userinfo inside the house": {func(m rptest.Members) { m["userinfo_endpoint"] = "https://localhost/" }, "userinfo_endpoint"},
		"browsers to another host":  {func(m rptest.Members) { m["authorization_endpoint"] = "https://evil.example/login" }, "authorization_endpoint"},
		"browsers to a script":      {func(m rptest.Members) { m["authorization_endpoint"] = "javascript:alert(1)" }, "authorization_endpoint"},
		"logouts to another host":   {func(m rptest.Members) { m["end_session_endpoint"] = "https://evil.example/" }, "end_session_endpoint"},
		"certificates to another": {func(m rptest.Members) {
			m["mtls_endpoint_aliases"] = rptest.Members{"token_endpoint": "https://evil.example/token"}
		}, "certificates"},
		"the host as a user":          {func(m rptest.Members) { m["token_endpoint"] = "https://op.example@evil.example/" }, "token_endpoint"},
		"the host with another port":  {func(m rptest.Members) { m["token_endpoint"] = "https://op.example:22/" }, "token_endpoint"},
		"the host in another writing": {func(m rptest.Members) { m["token_endpoint"] = "https://op.example.:443/" }, "token_endpoint"},
		"no token endpoint":           {func(m rptest.Members) { delete(m, "token_endpoint") }, "token_endpoint"},
		"an endpoint that is a list":  {func(m rptest.Members) { m["token_endpoint"] = []string{"https://op.example/"} }, "discovery"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			op.Lies.Discovery = tt.change
			l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
			refused(t, l, err, rp.Misconfigured, tt.why)
			if len(op.Seen.Hosts) != 1 || op.Asked("token")+op.Asked("certs") != 0 {
				t.Errorf("%v", op.Seen.Hosts)
			}
		})
	}
}

// TestO4Server: a server that is not the provider, by its certificate.
func TestO4Server(t *testing.T) {
	op := rptest.New(t, rptest.Config{})
	c := configOf(op)
	c.Roots = x509.NewCertPool()
	_, err := provider(t, c).Begin(ctx(t), rp.Request{})
	refused(t, nil, err, rp.Unavailable, "certificate")

	c = configOf(op)
	c.Issuer, c.Discovery = "https://other.example", ""
	_, err = provider(t, c).Begin(ctx(t), rp.Request{})
	refused(t, nil, err, rp.Unavailable, "not other.example")
}

// TestO7Authentication: a provider that authenticated the person long ago, or weakly, and a policy that wants more.
func TestO7Authentication(t *testing.T) {
	set := func(name string, value any) func(rptest.Members) { return func(c rptest.Members) { c[name] = value } }
	drop := func(name string) func(rptest.Members) { return func(c rptest.Members) { delete(c, name) } }
	ago := func(d time.Duration) func(rptest.Members) { return set("auth_time", rptest.Now().Add(-d).Unix()) }
	fourHours := rp.Policy{MaxAge: 4 * time.Hour}
	substantial := rp.Policy{ACR: []string{"eidas2"}, AcceptACR: []string{"eidas3"}}
	strong := rp.Policy{AMR: [][]string{{"sc", "pin", "mfa", "hwk"}, {"swk", "mfa", "pwd"}}}
	for name, tt := range map[string]struct {
		policy  rp.Policy
		request rp.Request
		change  func(rptest.Members)
		why     string // empty: admitted
	}{
		"four hours ago":                 {fourHours, rp.Request{}, ago(4 * time.Hour), ""},
		"more than four hours ago":       {fourHours, rp.Request{}, ago(4*time.Hour + time.Minute), "max_age"},
		"no auth_time":                   {fourHours, rp.Request{}, drop("auth_time"), "no auth_time"},
		"auth_time is zero":              {rp.Policy{}, rp.Request{}, set("auth_time", 0), "no instant"},
		"no auth_time, and none asked":   {rp.Policy{}, rp.Request{}, drop("auth_time"), ""},
		"no auth_time, but demanded":     {rp.Policy{RequireAuthTime: true}, rp.Request{}, drop("auth_time"), "no auth_time"},
		"the request wants less":         {fourHours, rp.Request{MaxAge: time.Hour}, ago(2 * time.Hour), "max_age"},
		"the request cannot want more":   {fourHours, rp.Request{MaxAge: 9 * time.Hour}, ago(5 * time.Hour), "max_age"},
		"prompt=login ignored":           {rp.Policy{}, rp.Request{Prompt: "login"}, ago(time.Hour), "prompt=login"},
		"prompt=login without auth_time": {rp.Policy{}, rp.Request{Prompt: "login"}, drop("auth_time"), "no auth_time"},
		"prompt=login":                   {rp.Policy{}, rp.Request{Prompt: "login"}, ago(0), ""},
		"the asked acr":                  {substantial, rp.Request{}, set("acr", "eidas2"), ""},
		"a stronger acr":                 {substantial, rp.Request{}, set("acr", "eidas3"), ""},
		"a weaker acr":                   {substantial, rp.Request{}, set("acr", "eidas1"), "acr"},
		"no acr":                         {substantial, rp.Request{}, drop("acr"), "acr"},
		"a list of acr":                  {substantial, rp.Request{}, set("acr", []string{"eidas2"}), "acr"},
		"an empty acr":                   {rp.Policy{ACR: []string{""}}, rp.Request{}, set("acr", ""), "acr"},
		"a set":                          {strong, rp.Request{}, nil, ""},
		"the other set and more":         {strong, rp.Request{}, set("amr", []string{"pwd", "okta_verify", "mfa", "swk"}), ""},
		"a password":                     {strong, rp.Request{}, set("amr", []string{"pwd"}), "amr"},
		"a bit of each set":              {strong, rp.Request{}, set("amr", []string{"sc", "pwd", "mfa"}), "amr"},
		"no amr":                         {strong, rp.Request{}, drop("amr"), "amr"},
		"amr is a text of several":       {strong, rp.Request{}, set("amr", "sc pin mfa hwk"), "amr"},
		"amr of what is no text":         {strong, rp.Request{}, set("amr", []any{"sc", "pin", "mfa", "hwk", 1}), "amr"},
	} {
		t.Run(name, func(t *testing.T) {
			op := rptest.New(t, rptest.Config{})
			op.Lies.IDToken = tt.change
			c := configOf(op)
			c.Policy = tt.policy
			l, err := login(t, op, provider(t, c), tt.request)
			if tt.why == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if l != nil || err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, %v", l, err)
			}
			if reason := rp.ReasonOf(err); reason != rp.TooWeak && tt.why != "no instant" {
				t.Errorf("%s", reason)
			}
		})
	}
}

// TestO7UserInfoRaisesNothing: acr, amr and auth_time of userinfo count for nothing.
func TestO7UserInfoRaisesNothing(t *testing.T) {
	op := rptest.New(t, rptest.Config{Claims: rptest.Members{"acr": "eidas3", "amr": []string{"hwk"}, "auth_time": rptest.Now().Unix()}})
	op.Lies.IDToken = func(c rptest.Members) { delete(c, "acr"); delete(c, "amr"); delete(c, "auth_time") }
	l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if l.ACR != "" || l.AMR != nil || !l.AuthTime.IsZero() || l.Claims.Has("acr") || l.Claims.Has("amr") || l.Claims.Has("auth_time") {
		t.Errorf("%+v", l)
	}
}

// TestErrorsOfTheProvider: what it says by a code, and nothing else of what it says.
func TestErrorsOfTheProvider(t *testing.T) {
	for code, want := range map[string]rp.Reason{"access_denied": rp.Denied, "login_required": rp.Unmet, "unmet_authentication_requirements": rp.Unmet,
		"server_error": rp.Unavailable, "temporarily_unavailable": rp.Unavailable, "invalid_scope": rp.Rejected, "<script>\n": rp.Rejected, strings.Repeat("x", 100): rp.Rejected} {
		op := rptest.New(t, rptest.Config{})
		op.Lies.Response = func(q url.Values) {
			q.Del("code")
			q.Set("error", code)
			q.Set("error_description", "Alice Example")
		}
		l, err := login(t, op, provider(t, configOf(op)), rp.Request{})
		refused(t, l, err, want, "")
		if strings.Contains(err.Error(), "Alice") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 200 {
			t.Errorf("%q", err)
		}
	}
}

// TestErrorsHoldNothingOfAPerson: what a provider says of somebody does not come into our logs by way of an error.
func TestErrorsHoldNothingOfAPerson(t *testing.T) {
	for name, lie := range map[string]func(*rptest.OP){
		"aud":      func(op *rptest.OP) { op.Lies.IDToken = func(c rptest.Members) { c["aud"] = "PERSON" } },
		"iss":      func(op *rptest.OP) { op.Lies.IDToken = func(c rptest.Members) { c["iss"] = "PERSON" } },
		"userinfo": func(op *rptest.OP) { op.Lies.UserInfo = func(c rptest.Members) { c["sub"] = "PERSON" } },
		"token": func(op *rptest.OP) {
			op.Lies.Instead = map[string]http.HandlerFunc{"token": func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "PERSON is unknown", http.StatusBadRequest)
			}}
		},
		"token as JSON": func(op *rptest.OP) {
			op.Lies.Instead = map[string]http.HandlerFunc{"token": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"PERSON"}`))
			}}
		},
		"keys": func(op *rptest.OP) {
			op.Lies.Instead = map[string]http.HandlerFunc{"certs": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"keys":"PERSON"}`))
			}}
		},
	} {
		op := rptest.New(t, rptest.Config{})
		lie(op)
		_, err := login(t, op, provider(t, configOf(op)), rp.Request{})
		if err == nil || strings.Contains(err.Error(), "PERSON") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
