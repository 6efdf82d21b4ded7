package client_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/testpki"
	"sceau/oidc/client"
)

func b64(octets []byte) string { return base64.RawURLEncoding.EncodeToString(octets) }

// sign writes a compact JWS as the header says, whatever that is.
func sign(tb testing.TB, key any, algorithm, header, payload string) string {
	tb.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if algorithm == "PS256" {
			signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		}
	case *ecdsa.PrivateKey:
		if algorithm == "DER" {
			signature, err = ecdsa.SignASN1(rand.Reader, key, digest[:])
			break
		}
		r, s, e := ecdsa.Sign(rand.Reader, key, digest[:])
		if err = e; e == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		signature = mac.Sum(nil)
	default:
		tb.Fatalf("a key of %T", key)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return input + "." + b64(signature)
}

func jwk(tb testing.TB, key crypto.Signer, kid string, change ...func(*jose.JSONWebKey)) jose.JSONWebKey {
	k := jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"}
	for _, c := range change {
		c(&k)
	}
	return k
}

func keySet(tb testing.TB, keys ...jose.JSONWebKey) client.KeySet {
	tb.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		tb.Fatal(err)
	}
	return client.KeySet(text)
}

func withKeys(set client.KeySet, algorithms ...string) func(*client.Registration) {
	return func(r *client.Registration) { r.JWKS, r.Authentication.Algorithms = set, algorithms }
}

// claims are right ones for the client app; changed with names and values, nil takes one out.
func claims(tb testing.TB, changed map[string]any) string {
	tb.Helper()
	now := testpki.Now().Unix()
	all := map[string]any{"iss": "app", "sub": "app", "aud": issuer, "exp": now + 60, "iat": now, "nbf": now, "jti": rand.Text()}
	maps.Copy(all, changed)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func TestO4Assertions(t *testing.T) {
	pki := testpki.Load()
	ec, rsaKey, other := pki.AliceEIDP256.Key, pki.Organisation.Key, pki.OtherKeyP256()
	set := keySet(t, jwk(t, ec, "ec"), jwk(t, rsaKey, "rsa"), jwk(t, rsaKey, "only-ps", func(k *jose.JSONWebKey) { k.Algorithm = "PS256" }),
		jwk(t, ec, "enc", func(k *jose.JSONWebKey) { k.Use = "enc" }))
	_, stored := newSecret(t, nil)
	r := registry(t, options(),
		registration("app", client.PrivateKeyJWT, withKeys(set)),
		registration("old", client.PrivateKeyJWT, withKeys(set, "RS256")),
		registration("fapi", client.PrivateKeyJWT, withKeys(set), func(r *client.Registration) { r.Authentication.IssuerAudienceOnly = true }),
		registration("secret", client.SecretBasic, withSecret(stored)),
		registration("tls", client.None))
	now := testpki.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	pub, _ := x509.MarshalPKIXPublicKey(rsaKey.Public())
	const (
		es      = `{"alg":"ES256","kid":"ec"}`
		ok      = "app by private_key_jwt"
		bad     = "bad assertion, invalid_client"
		clock   = "wrong time, invalid_client"
		others  = "wrong audience, invalid_client"
		forged  = "wrong signature, invalid_client"
		keyless = "unknown key, invalid_client"
	)
	signed := func(header string, changed map[string]any) string {
		return sign(t, ec, "ES256", header, claims(t, changed))
	}
	for _, c := range []struct {
		name, assertion, want string
		at                    client.Endpoint
	}{
		{name: "ES256", assertion: signed(es, nil), want: ok},
		{name: "ES256 without kid", assertion: signed(`{"alg":"ES256"}`, nil), want: ok},
		{name: "typ", assertion: signed(`{"alg":"ES256","kid":"ec","typ":"JWT"}`, nil), want: ok},
		{name: "typ of the revision", assertion: signed(`{"alg":"ES256","kid":"ec","typ":"client-authentication+jwt"}`, nil), want: ok},
		{name: "PS256", assertion: sign(t, rsaKey, "PS256", `{"alg":"PS256","kid":"rsa"}`, claims(t, nil)), want: ok},
		{name: "a key of PS256", assertion: sign(t, rsaKey, "PS256", `{"alg":"PS256","kid":"only-ps"}`, claims(t, nil)), want: ok},
		{name: "RS256 where it is said", assertion: sign(t, rsaKey, "RS256", `{"alg":"RS256","kid":"rsa"}`, claims(t, map[string]any{"iss": "old", "sub": "old"})), want: "old by private_key_jwt"},
		{name: "for the token endpoint", assertion: signed(es, map[string]any{"aud": issuer + "/token"}), want: ok},
		{name: "for its alias", assertion: signed(es, map[string]any{"aud": []string{"https://mtls.sts.example/etab/750000001/token"}}), want: ok},
		{name: "for both", assertion: signed(es, map[string]any{"aud": []string{issuer, issuer + "/token"}}), want: ok},
		{name: "for the endpoint called", assertion: signed(es, map[string]any{"aud": issuer + "/par"}), at: client.PAR, want: ok},
		{name: "without iat and nbf", assertion: signed(es, map[string]any{"iat": nil, "nbf": nil}), want: ok},
		{name: "a clock that is ahead", assertion: signed(es, map[string]any{"iat": at(30 * time.Second), "nbf": at(30 * time.Second)}), want: ok},
		{name: "a date with a fraction", assertion: signed(es, map[string]any{"exp": float64(at(0)) + 0.5}), want: ok},
		{name: "fapi", assertion: signed(es, map[string]any{"iss": "fapi", "sub": "fapi"}), want: "fapi by private_key_jwt"},

		// Whose it is, and for whom.
		{name: "iss is another", assertion: signed(es, map[string]any{"iss": "old"}), want: bad},
		{name: "no iss", assertion: signed(es, map[string]any{"iss": nil}), want: bad},
		{name: "no sub", assertion: signed(es, map[string]any{"sub": nil}), want: bad},
		{name: "nobody", assertion: signed(es, map[string]any{"iss": "nobody", "sub": "nobody"}), want: "unknown client, invalid_client"},
		{name: "no aud", assertion: signed(es, map[string]any{"aud": nil}), want: bad},
		{name: "an empty aud", assertion: signed(es, map[string]any{"aud": []string{}}), want: bad},
		{name: "aud of another kind", assertion: signed(es, map[string]any{"aud": map[string]any{"a": 1}}), want: bad},
		{name: "aud with null", assertion: signed(es, map[string]any{"aud": []any{issuer, nil}}), want: bad},
		{name: "for another", assertion: signed(es, map[string]any{"aud": "https://other.example"}), want: others},
		{name: "for another too", assertion: signed(es, map[string]any{"aud": []string{issuer, "https://other.example"}}), want: others},
		{name: "for another establishment", assertion: signed(es, map[string]any{"aud": issuer + "2"}), want: others},
		{name: "for another endpoint", assertion: signed(es, map[string]any{"aud": issuer + "/par"}), want: others},
		{name: "fapi for the endpoint", assertion: signed(es, map[string]any{"iss": "fapi", "sub": "fapi", "aud": issuer + "/token"}), want: others},
		{name: "fapi for the issuer and the endpoint", assertion: signed(es, map[string]any{"iss": "fapi", "sub": "fapi", "aud": []string{issuer, issuer + "/token"}}), want: others},

		// When.
		{name: "no exp", assertion: signed(es, map[string]any{"exp": nil}), want: bad},
		{name: "exp is a text", assertion: signed(es, map[string]any{"exp": "soon"}), want: bad},
		{name: "exp is null", assertion: sign(t, ec, "ES256", es, strings.Replace(claims(t, map[string]any{"exp": 1}), `"exp":1`, `"exp":null`, 1)), want: bad},
		{name: "exp is far beyond", assertion: sign(t, ec, "ES256", es, strings.Replace(claims(t, map[string]any{"exp": 1}), `"exp":1`, `"exp":1e300`, 1)), want: bad},
		{name: "expired now", assertion: signed(es, map[string]any{"exp": at(0)}), want: clock},
		{name: "expired", assertion: signed(es, map[string]any{"exp": at(-time.Hour)}), want: clock},
		{name: "for the longest time", assertion: signed(es, map[string]any{"exp": at(10*time.Minute + 30*time.Second)}), want: ok},
		{name: "for too long", assertion: signed(es, map[string]any{"exp": at(10*time.Minute + 31*time.Second)}), want: clock},
		{name: "nbf ahead", assertion: signed(es, map[string]any{"nbf": at(31 * time.Second)}), want: clock},
		{name: "iat ahead", assertion: signed(es, map[string]any{"iat": at(31 * time.Second)}), want: clock},
		{name: "no jti", assertion: signed(es, map[string]any{"jti": nil}), want: bad},
		{name: "an empty jti", assertion: signed(es, map[string]any{"jti": ""}), want: bad},
		{name: "a long jti", assertion: signed(es, map[string]any{"jti": strings.Repeat("j", 256)}), want: bad},
		{name: "jti is a number", assertion: signed(es, map[string]any{"jti": 7}), want: bad},

		// By what key, in what algorithm (O4).
		{name: "another's key", assertion: sign(t, other, "ES256", es, claims(t, nil)), want: forged},
		{name: "alg none", assertion: b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(claims(t, nil))) + ".", want: bad},
		{name: "alg none with a signature", assertion: signed(`{"alg":"none","kid":"ec"}`, nil), want: bad},
		{name: "alg nOnE", assertion: signed(`{"alg":"nOnE"}`, nil), want: bad},
		{name: "no alg", assertion: signed(`{"kid":"ec"}`, nil), want: bad},
		{name: "alg twice", assertion: signed(`{"alg":"none","alg":"ES256"}`, nil), want: bad},
		{name: "HS256 with the public key", assertion: sign(t, pub, "HS256", `{"alg":"HS256","kid":"rsa"}`, claims(t, nil)), want: bad},
		{name: "RS256 where it is not said", assertion: sign(t, rsaKey, "RS256", `{"alg":"RS256","kid":"rsa"}`, claims(t, nil)), want: bad},
		{name: "PS256 where RS256 is said", assertion: sign(t, rsaKey, "PS256", `{"alg":"PS256","kid":"rsa"}`, claims(t, map[string]any{"iss": "old", "sub": "old"})), want: bad},
		{name: "RS256 with a key of PS256", assertion: sign(t, rsaKey, "RS256", `{"alg":"RS256","kid":"only-ps"}`, claims(t, map[string]any{"iss": "old", "sub": "old"})), want: keyless},
		{name: "RS256 said to be PS256", assertion: sign(t, rsaKey, "RS256", `{"alg":"PS256","kid":"rsa"}`, claims(t, nil)), want: forged},
		{name: "ES256 with the key of another kind", assertion: signed(`{"alg":"ES256","kid":"rsa"}`, nil), want: keyless},
		{name: "a signature in DER", assertion: sign(t, ec, "DER", es, claims(t, nil)), want: forged},
		{name: "a key for encryption", assertion: signed(`{"alg":"ES256","kid":"enc"}`, nil), want: keyless},
		{name: "an unknown kid", assertion: signed(`{"alg":"ES256","kid":"nil"}`, nil), want: keyless},
		{name: "a kid that is a path", assertion: signed(`{"alg":"ES256","kid":"../../../dev/null"}`, nil), want: keyless},
		{name: "a kid that is SQL", assertion: signed(`{"alg":"ES256","kid":"x' UNION SELECT 'k"}`, nil), want: keyless},
		{name: "a kid that is a number", assertion: signed(`{"alg":"ES256","kid":7}`, nil), want: bad},
		{name: "an empty kid", assertion: signed(`{"alg":"ES256","kid":""}`, nil), want: bad},
		{name: "a long kid", assertion: signed(`{"alg":"ES256","kid":"`+strings.Repeat("k", 300)+`"}`, nil), want: bad},
		{name: "typ of an ID token's kin", assertion: signed(`{"alg":"ES256","kid":"ec","typ":"logout+jwt"}`, nil), want: bad},
		{name: "typ of an access token", assertion: signed(`{"alg":"ES256","kid":"ec","typ":"at+jwt"}`, nil), want: bad},

		// How it is written.
		{name: "two parts", assertion: "e30.e30", want: bad},
		{name: "no signature", assertion: signed(es, nil)[:strings.LastIndex(signed(es, nil), ".")] + ".", want: bad},
		{name: "a JWE", assertion: "e30.e30.e30.e30.e30", want: bad},
		{name: "JSON form", assertion: `{"payload":"e30","signature":"e30"}`, want: bad},
		{name: "padding", assertion: strings.Replace(signed(es, nil), ".", "=.", 1), want: bad},
		{name: "a line end", assertion: signed(es, nil) + "\n", want: bad},
		{name: "a line end within", assertion: "\r" + signed(es, nil), want: bad},
		{name: "a sub that stands twice", assertion: sign(t, ec, "ES256", es, `{"sub":"old",`+claims(t, nil)[1:]), want: bad},
		{name: "claims that are a list", assertion: sign(t, ec, "ES256", es, `[]`), want: bad},
		{name: "claims with more behind", assertion: sign(t, ec, "ES256", es, claims(t, nil)+`{}`), want: bad},
		{name: "claims that break off", assertion: sign(t, ec, "ES256", es, claims(t, nil)[:40]), want: bad},
		{name: "too large", assertion: signed(es, map[string]any{"pad": strings.Repeat("a", 8<<10)}), want: bad},
		{name: "a large header", assertion: signed(`{"alg":"ES256","kid":"ec","x":"`+strings.Repeat("a", 4<<10)+`"}`, nil), want: bad},

		// A client of another method (O6).
		{name: "a client with a secret", assertion: signed(es, map[string]any{"iss": "secret", "sub": "secret"}), want: "wrong method, invalid_client"},
		{name: "a public client", assertion: signed(es, map[string]any{"iss": "tls", "sub": "tls"}), want: "wrong method, invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			endpoint := c.at
			if endpoint == 0 {
				endpoint = client.Token
			}
			if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", c.assertion), endpoint); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestO4Headers: a header that would choose the key, change what is signed, or carry something else. Each is signed rightly, by
// the client's own key: it is the parameter that refuses.
func TestO4Headers(t *testing.T) {
	ec := testpki.Load().AliceEIDP256.Key
	own, err := json.Marshal(jwk(t, ec, "ec"))
	if err != nil {
		t.Fatal(err)
	}
	r := registry(t, options(), registration("app", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, ec, "ec")))))
	for parameter, want := range map[string]string{
		`"jku":"https://app.example/keys"`: "bad assertion, invalid_client", `"x5u":"https://app.example/c.pem"`: "bad assertion, invalid_client",
		`"jwk":` + string(own): "bad assertion, invalid_client", `"crit":["exp"],"exp":1`: "bad assertion, invalid_client", `"crit":[]`: "bad assertion, invalid_client",
		`"b64":false`: "bad assertion, invalid_client", `"b64":true`: "bad assertion, invalid_client", `"zip":"DEF"`: "bad assertion, invalid_client",
		`"cty":"JWT"`: "bad assertion, invalid_client", `"enc":"A128GCM"`: "bad assertion, invalid_client",
		`"x5t":"AAAA"`: "app by private_key_jwt", `"other":1`: "app by private_key_jwt",
	} {
		assertion := sign(t, ec, "ES256", `{"alg":"ES256","kid":"ec",`+parameter+`}`, claims(t, nil))
		if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != want {
			t.Errorf("%s: %s, want %s", parameter, got, want)
		}
	}
}

// TestO4Replay: an assertion is taken once, by whichever endpoint it comes, also after a reload; what nobody signed is not
// remembered.
func TestO4Replay(t *testing.T) {
	ec, other := testpki.Load().AliceEIDP256.Key, testpki.Load().OtherKeyP256()
	app := registration("app", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, ec, "ec"))))
	second := app
	second.ID = "second"
	r := registry(t, options(), app, second)
	present := func(key crypto.Signer, changed map[string]any, at client.Endpoint) string {
		assertion := sign(t, key, "ES256", `{"alg":"ES256"}`, claims(t, changed))
		return authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), at)
	}
	once := map[string]any{"jti": "once"}
	for i, step := range []struct {
		key     crypto.Signer
		changed map[string]any
		at      client.Endpoint
		want    string
	}{
		{other, once, client.Token, "wrong signature, invalid_client"},
		{ec, once, client.Token, "app by private_key_jwt"},
		{ec, once, client.Token, "replayed assertion, invalid_client"},
		{ec, once, client.Revocation, "replayed assertion, invalid_client"},
		{ec, map[string]any{"jti": "once", "iss": "second", "sub": "second"}, client.Token, "second by private_key_jwt"},
		{ec, map[string]any{"jti": "twice"}, client.Token, "app by private_key_jwt"},
	} {
		if got := present(step.key, step.changed, step.at); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
	if err := r.Reload([]client.Registration{app}); err != nil {
		t.Fatal(err)
	}
	if got := present(ec, once, client.Token); got != "replayed assertion, invalid_client" {
		t.Errorf("after a reload: %s", got)
	}
	for _, registrations := range [][]client.Registration{nil, {app}} {
		if err := r.Reload(registrations); err != nil {
			t.Fatal(err)
		}
	}
	if got := present(ec, once, client.Token); got != "replayed assertion, invalid_client" {
		t.Errorf("after it was taken out and came back: %s", got)
	}
}

// TestO4ReplayRestart: what one process accepted the next one refuses, when it is told (attacks.md R2).
func TestO4ReplayRestart(t *testing.T) {
	ec := testpki.Load().AliceEIDP256.Key
	app := registration("app", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, ec, "ec"))))
	before, after := registry(t, options(), app, registration("public", client.None)), registry(t, options(), app)
	assertion := sign(t, ec, "ES256", `{"alg":"ES256"}`, claims(t, nil))
	_, a, err := before.Authenticate(post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token)
	if err != nil {
		t.Fatal(err)
	}
	digest, until, ok := a.Assertion()
	if !ok || !until.Equal(testpki.Now().Add(time.Minute)) {
		t.Fatalf("%v %v", until, ok)
	}
	for range 2 { // the trail may say it twice
		if err := after.Recall("app", digest, until); err != nil {
			t.Fatal(err)
		}
	}
	if err := after.Recall("nobody", digest, until); err != nil {
		t.Error(err)
	}
	if err := after.Recall("app", [32]byte{1}, testpki.Now()); err != nil {
		t.Error(err)
	}
	if got := authenticate(t, after, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != "replayed assertion, invalid_client" {
		t.Error(got)
	}
	if _, a, err := before.Authenticate(post("client_id", "public"), client.Token); err != nil {
		t.Error(err)
	} else if _, _, ok := a.Assertion(); ok {
		t.Error("an assertion of a client that made none")
	}
	o := options()
	o.Replay = sharedReplay{errors.New("connection refused")}
	if err := registry(t, o, app).Recall("app", digest, until); err == nil {
		t.Error("a state that cannot remember")
	}
}

// TestO4ReplayFull: full means refuse, for that client alone.
func TestO4ReplayFull(t *testing.T) {
	ec := testpki.Load().AliceEIDP256.Key
	app := registration("app", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, ec, "ec"))))
	second := app
	second.ID = "second"
	o := options()
	o.ReplayCapacity = 2
	r := registry(t, o, app, second)
	for i, want := range []string{"app by private_key_jwt", "app by private_key_jwt", "unavailable, temporarily_unavailable"} {
		assertion := sign(t, ec, "ES256", `{"alg":"ES256"}`, claims(t, nil))
		if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != want {
			t.Errorf("assertion %d: %s, want %s", i, got, want)
		}
	}
	assertion := sign(t, ec, "ES256", `{"alg":"ES256"}`, claims(t, map[string]any{"iss": "second", "sub": "second"}))
	if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != "second by private_key_jwt" {
		t.Error(got)
	}
}

type sharedReplay struct{ err error }

func (s sharedReplay) Remember([32]byte, time.Time, time.Time) error { return s.err }

// TestReplayShared: a state that several servers share decides, and one that cannot say refuses.
func TestReplayShared(t *testing.T) {
	ec := testpki.Load().AliceEIDP256.Key
	for want, err := range map[string]error{
		"app by private_key_jwt":               nil,
		"replayed assertion, invalid_client":   fmt.Errorf("redis: %w", client.ErrReplayed),
		"unavailable, temporarily_unavailable": errors.New("connection refused"),
	} {
		o := options()
		o.Replay = sharedReplay{err}
		r := registry(t, o, registration("app", client.PrivateKeyJWT, withKeys(keySet(t, jwk(t, ec, "ec")))))
		assertion := sign(t, ec, "ES256", `{"alg":"ES256"}`, claims(t, nil))
		if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestManyKeys: an assertion without kid is not tried with any number of keys.
func TestManyKeys(t *testing.T) {
	ec := testpki.Load().AliceEIDP256.Key
	var keys []jose.JSONWebKey
	for i := range 5 {
		keys = append(keys, jwk(t, ec, fmt.Sprint(i)))
	}
	r := registry(t, options(), registration("app", client.PrivateKeyJWT, withKeys(keySet(t, keys...))))
	for header, want := range map[string]string{`{"alg":"ES256"}`: "unknown key, invalid_client", `{"alg":"ES256","kid":"3"}`: "app by private_key_jwt"} {
		assertion := sign(t, ec, "ES256", header, claims(t, nil))
		if got := authenticate(t, r, post("client_assertion_type", assertionType, "client_assertion", assertion), client.Token); got != want {
			t.Errorf("%s: %s, want %s", header, got, want)
		}
	}
}
