package bridge_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/testpki"
	"sceau/oidc/bridge"
	"sceau/policy"
	"sceau/saml"
)

// The names of the tests are those of the list of attacks: each line says what it would have achieved.

// TestH1HolderMismatch: a stolen token, shown over the thief's own connection, becomes a token of the thief's.
func TestH1HolderMismatch(t *testing.T) {
	pki := testpki.Load()
	r := newRig(t)
	forms := map[string]url.Values{
		"an assertion":       r.samlForm(r.assertion(nil)),
		"a token":            r.tokenForm(r.accessToken(nil)),
		"a token for SAML":   r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String()),
		"an actor's":         r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Confirmation = bridge.Thumbprint(pki.BobEHealth.DER) }), "actor_token", r.accessToken(nil), "actor_token_type", bridge.AccessToken.String()),
		"a bound upstream's": r.tokenForm(opaque(psc), "scope", "x"),
	}
	r.psc.answer.Confirmation = bridge.Thumbprint(pki.AliceEHealthP256.DER)
	for name, f := range forms {
		want := bridge.HolderMismatch
		if name == "an actor's" {
			want = bridge.BadActorToken
		}
		t.Run(name+" by another person", func(t *testing.T) {
			r.t = t
			r.refused(want, &bridge.Client{ID: client, Certificate: pki.BobEHealth.DER, ByCertificate: true, Rule: rule{age: 4 * time.Hour}}, f)
		})
		// The same key and the same name in another certificate: it may be revoked where this one is not.
		t.Run(name+" by another certificate of the same key", func(t *testing.T) {
			r.t = t
			if want == bridge.BadActorToken {
				t.Skip("the subject token is bound to another")
			}
			r.refused(want, &bridge.Client{ID: client, Certificate: another(t, &pki.AliceEHealthP256).DER, ByCertificate: true, Rule: rule{age: 4 * time.Hour}}, f)
		})
		t.Run(name+" without certificate", func(t *testing.T) {
			r.t = t
			r.refused(bridge.NoCertificate, &bridge.Client{ID: client}, f)
		})
	}
}

// TestH1UntrustedHolder: the certificate of the connection holds by itself, whatever the token says.
func TestH1UntrustedHolder(t *testing.T) {
	pki := testpki.Load()
	for name, leaf := range map[string]*testpki.Leaf{
		"revoked": &pki.RevokedEHealth, "expired": &pki.ExpiredEHealth, "of a stranger": &pki.StrangerEID, "of a server": &pki.Server,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.holder = leaf
			r.refused(bridge.UntrustedCertificate, r.client(), r.samlForm(r.assertion(nil)))
			r.refused(bridge.UntrustedCertificate, r.client(), r.tokenForm(r.accessToken(nil)))
		})
	}
	r := newRig(t)
	r.refused(bridge.UntrustedCertificate, &bridge.Client{ID: client, Certificate: []byte("no DER")}, r.samlForm(r.assertion(nil)))
	r.refused(bridge.UntrustedCertificate, &bridge.Client{ID: client, Certificate: r.holder.DER, Path: [][]byte{{1}}}, r.samlForm(r.assertion(nil)))
	r.refused(bridge.UntrustedCertificate, &bridge.Client{ID: client, Certificate: r.holder.DER, Path: make([][]byte, 5)}, r.samlForm(r.assertion(nil)))
}

// sign signs an assertion that was altered before signing: the STS itself wrote it so.
func (r *rig) altered(change func(unsigned string) string) []byte {
	r.t.Helper()
	out := r.assertion(nil)
	text := string(out)
	start, end := strings.Index(text, "<ds:Signature"), strings.Index(text, "</ds:Signature>")+len("</ds:Signature>")
	unsigned := change(text[:start] + text[end:])
	return signAssertion(r.t, unsigned, "_assertion-1", &testpki.Load().STS)
}

// TestH2Downgrade: an assertion that anybody may use, or that a word alone confirms, becomes a token.
func TestH2Downgrade(t *testing.T) {
	r := newRig(t)
	const method = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key"
	confirmation := func(s string) (from, to int) {
		return strings.Index(s, "<SubjectConfirmation>"), strings.Index(s, "</SubjectConfirmation>") + len("</SubjectConfirmation>")
	}
	keyInfo := func(s, with string) string {
		from, to := strings.Index(s, "<ds:KeyInfo"), strings.Index(s, "</ds:KeyInfo>")+len("</ds:KeyInfo>")
		return s[:from] + with + s[to:]
	}
	for name, change := range map[string]func(string) string{
		"bearer":         func(s string) string { return strings.Replace(s, method, "urn:oasis:names:tc:SAML:1.0:cm:bearer", 1) },
		"sender-vouches": func(s string) string { return strings.Replace(s, method, saml.SenderVouches, 1) },
		"sender-vouches without key": func(s string) string {
			return keyInfo(strings.Replace(s, method, saml.SenderVouches, 1), "")
		},
		"bearer without key": func(s string) string {
			return keyInfo(strings.Replace(s, method, "urn:oasis:names:tc:SAML:1.0:cm:bearer", 1), "")
		},
		"no confirmation": func(s string) string { from, to := confirmation(s); return s[:from] + s[to:] },
		"two methods": func(s string) string {
			return strings.Replace(s, "</ConfirmationMethod>", "</ConfirmationMethod><ConfirmationMethod>"+method+"</ConfirmationMethod>", 1)
		},
		"no KeyInfo": func(s string) string { return keyInfo(s, "") },
		"empty KeyInfo": func(s string) string {
			return keyInfo(s, `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"></ds:KeyInfo>`)
		},
		"a name of a key": func(s string) string {
			return keyInfo(s, `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:KeyName>x</ds:KeyName></ds:KeyInfo>`)
		},
		"two certificates": func(s string) string {
			return strings.Replace(s, "</ds:X509Certificate>", "</ds:X509Certificate><ds:X509Certificate>"+base64.StdEncoding.EncodeToString(testpki.Load().BobEHealth.DER)+"</ds:X509Certificate>", 1)
		},
		"confirmation data": func(s string) string {
			return strings.Replace(s, "</ConfirmationMethod>", "</ConfirmationMethod><SubjectConfirmationData>x</SubjectConfirmationData>", 1)
		},
		"attributes of another subject": func(s string) string {
			i := strings.LastIndex(s, "CN=Alice")
			return s[:i] + "CN=Malic" + s[i+8:]
		},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.refused(bridge.NotHolderOfKey, r.client(), r.samlForm(r.altered(change)))
		})
	}
	t.Run("a bare key", func(t *testing.T) { // nobody could be held against the connection
		r.t = t
		r.refused(bridge.NotHolderOfKey, r.client(), r.samlForm(r.altered(func(s string) string { return keyInfo(s, ecKeyValue(t, r.holder)) })))
	})
	t.Run("as it was", func(t *testing.T) { r.t = t; r.must(r.samlForm(r.altered(func(s string) string { return s }))) })
}

// TestH2Unbound: a bearer token becomes a bound one: the thief's.
func TestH2Unbound(t *testing.T) {
	r := newRig(t)
	r.tokens.Active = func(_ context.Context, t *bridge.Token) error { t.Confirmation = ""; return nil } // as of a token without cnf
	r.refused(bridge.Unbound, r.client(), r.tokenForm(r.accessToken(nil)))
	r.refused(bridge.Unbound, r.client(), r.tokenForm(r.accessToken(nil), "requested_token_type", bridge.SAML1.String()))
	// And the minter makes none.
	if _, err := r.tokens.Mint(context.Background(), &bridge.Token{Type: bridge.AccessToken, Issuer: opIssuer, ID: "x", Subject: "x", Expires: now}); err == nil {
		t.Error("a token without cnf is made")
	}
	// A cnf that is not of a certificate is none that we could judge, and no absence either.
	r = newRig(t)
	for _, cnf := range []string{`{"jkt":"x"}`, `{}`, `"x"`, `{"x5t#S256":""}`, `{"x5t#S256":7}`, `null`} {
		r.refused(bridge.BadSubjectToken, r.client(), r.tokenForm(r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt"}`, body(`"cnf":`+cnf), nil)))
	}
	r.psc.answer.Confirmation = ""
	r2 := newRig(t, func(c *bridge.Config) { c.Upstreams[0].Confirmed = true })
	r2.refused(bridge.Unbound, r2.client(), r2.tokenForm(opaque(psc), "scope", "x"))
}

// TestSAMLAttacks: what is wrong with an assertion besides its holder.
func TestSAMLAttacks(t *testing.T) {
	pki := testpki.Load()
	r := newRig(t)
	with := func(change func(*saml.Issue)) []byte { return r.assertion(change) }
	good := r.assertion(nil)
	byAnother, err := saml.AppendAssertion(nil, r.issue(), signer(t, &pki.AliceEHealth))
	if err != nil {
		t.Fatal(err)
	}
	cut := func(from, to string) []byte {
		s := string(good)
		return []byte(s[:strings.Index(s, from)] + s[strings.Index(s, to)+len(to):])
	}
	for name, c := range map[string]struct {
		assertion []byte
		want      bridge.Reason
	}{
		"H5 another issuer":         {with(func(i *saml.Issue) { i.Issuer = stsIssuer + ":x" }), bridge.WrongIssuer},
		"H5 issuer in another case": {with(func(i *saml.Issue) { i.Issuer = strings.ToUpper(stsIssuer) }), bridge.WrongIssuer},
		"H5 another audience":       {with(func(i *saml.Issue) { i.Audiences = []string{opIssuer + "/"} }), bridge.WrongAudience},
		"R4 expired":                {with(func(i *saml.Issue) { i.NotOnOrAfter = now }), bridge.SubjectTokenExpired},
		"R4 not yet":                {with(func(i *saml.Issue) { i.NotBefore = now.Add(time.Second) }), bridge.SubjectTokenNotYetValid},
		"R4 turned":                 {with(func(i *saml.Issue) { i.NotBefore, i.NotOnOrAfter = now.Add(time.Hour), now.Add(-time.Hour) }), bridge.BadSubjectToken},
		"W21 not signed":            {cut("<ds:Signature", "</ds:Signature>"), bridge.BadSignature},
		"A6 signed by its holder":   {byAnother, bridge.UntrustedSTS},
		"altered":                   {bytes.Replace(good, []byte(testpki.AliceSSIN), []byte(testpki.BobSSIN), 1), bridge.BadSignature},
		"D1 comment":                {bytes.Replace(good, []byte(testpki.AliceSSIN), []byte(testpki.AliceSSIN[:5]+"<!---->"+testpki.AliceSSIN[5:]), 1), bridge.BadSubjectToken},
		"W wrapped":                 {[]byte(`<x>` + string(good) + `</x>`), bridge.BadSubjectToken},
		"W two":                     {append(bytes.Clone(good), good...), bridge.BadSubjectToken},
		"Z1 document type":          {append([]byte(`<!DOCTYPE a [<!ENTITY b "c">]>`), good...), bridge.BadSubjectToken},
		"H4 an attribute twice":     {with(func(i *saml.Issue) { i.Attributes = append(i.Attributes, i.Attributes[0]) }), bridge.BadSubjectToken},
		"too many attributes": {with(func(i *saml.Issue) {
			for n := range 300 {
				i.Attributes = append(i.Attributes, saml.Statement{Name: fmt.Sprint("a", n), Namespace: "n"})
			}
		}), bridge.BadSubjectToken},
		"too large":            {with(func(i *saml.Issue) { i.Attributes[2].Values = []string{strings.Repeat("x", 66<<10)} }), bridge.BadSubjectToken},
		"not XML":              {[]byte("{}"), bridge.BadSubjectToken},
		"a response":           {[]byte(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol"/>`), bridge.BadSubjectToken},
		"a SAML 2.0 assertion": {[]byte(`<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/>`), bridge.BadSubjectToken},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.refused(c.want, r.client(), r.samlForm(c.assertion))
		})
	}
	for name, text := range map[string]string{
		"not base64url":                base64.StdEncoding.EncodeToString(append(bytes.Clone(good), '>', '?')) + "+/",
		"line breaks":                  encode(good)[:64] + "%0A" + encode(good)[64:],
		"a line end":                   encode(good)[:64] + "\n" + encode(good)[64:],
		"a carriage return at the end": encode(good) + "\r",
		"a space":                      encode(good) + " ",
		"excess padding":               encode([]byte("abcde")) + "===",
		"trailing bits":                "PGF",
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			f := r.samlForm(good)
			f.Set("subject_token", text)
			r.refused(bridge.BadSubjectToken, r.client(), f)
		})
	}
	t.Run("padding is admitted", func(t *testing.T) {
		r.t = t
		f := r.samlForm(good)
		f.Set("subject_token", base64.URLEncoding.EncodeToString(good))
		r.must(f)
	})
}

// TestO1MixUp: a token of one issuer taken for that of another.
func TestO1MixUp(t *testing.T) {
	r := newRig(t)
	token, access := r.accessToken(nil), bridge.AccessToken.String()
	for name, c := range map[string]struct {
		set  func()
		form url.Values
		want bridge.Reason
	}{
		"ours, said to be the upstream's, who does not know it": {func() { r.psc.fail = bridge.ErrToken }, r.tokenForm(token, "subject_issuer", psc, "scope", "x"), bridge.BadSubjectToken},
		"the upstream's, said to be ours":                       {nil, r.tokenForm(opaque(psc), "subject_issuer", opIssuer, "scope", "x"), bridge.BadSubjectToken},
		"the upstream answers for another issuer":               {func() { r.psc.answer.Issuer = psc + "/" }, r.tokenForm(opaque(psc), "scope", "x"), bridge.WrongIssuer},
		"the upstream answers for us":                           {func() { r.psc.answer.Issuer = opIssuer }, r.tokenForm(opaque(psc), "scope", "x"), bridge.WrongIssuer},
		"the upstream says no issuer":                           {func() { r.psc.answer.Issuer = "" }, r.tokenForm(opaque(psc), "scope", "x"), bridge.WrongIssuer},
		"issuer that begins like the upstream's":                {nil, r.tokenForm(opaque(psc+"/"), "scope", "x"), bridge.BadSubjectToken},
		"ours, said to be of an unknown issuer":                 {nil, r.tokenForm(token, "subject_issuer", "https://evil.example"), bridge.WrongIssuer},
		"an assertion, said to be of another STS":               {nil, r.samlForm(r.assertion(nil), "subject_issuer", "urn:other"), bridge.WrongIssuer},
		"the upstream's as an ID token":                         {nil, form("subject_token", opaque(psc), "subject_token_type", bridge.IDToken.String(), "audience", records, "scope", "x"), bridge.UnsupportedType},
		"the upstream's for an assertion":                       {nil, form("subject_token", opaque(psc), "subject_token_type", access, "requested_token_type", bridge.SAML1.String(), "audience", records, "scope", "x"), bridge.UnsupportedType},
		"issued by the upstream to another of its clients":      {func() { r.psc.answer.ClientID = "another" }, r.tokenForm(opaque(psc), "scope", "x"), bridge.WrongClient},
		"issued by the upstream to nobody":                      {func() { r.psc.answer.ClientID = "" }, r.tokenForm(opaque(psc), "scope", "x"), bridge.WrongClient},
		"an ID token of another client": {nil, form("subject_token", r.accessToken(func(t *bridge.Token) { t.Type, t.Audience = bridge.IDToken, []string{"other"} }),
			"subject_token_type", bridge.IDToken.String(), "audience", records), bridge.WrongAudience},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.psc.fail, r.psc.answer = nil, pscToken()
			if c.set != nil {
				c.set()
			}
			r.refused(c.want, r.client(), c.form)
		})
	}
	t.Run("as they are", func(t *testing.T) {
		r.t, r.psc.fail, r.psc.answer = t, nil, pscToken()
		r.must(r.tokenForm(token, "subject_issuer", opIssuer))
		r.must(r.tokenForm("no-jwt", "subject_issuer", psc, "scope", "x"))
		r.must(form("subject_token", r.accessToken(func(t *bridge.Token) { t.Type, t.Audience = bridge.IDToken, []string{client} }), "subject_token_type", bridge.IDToken.String(), "audience", records))
	})
}

// TestO2Replay: a token that is good once, used again, under another text too.
func TestO2Replay(t *testing.T) {
	r := newRig(t)
	r.must(r.tokenForm(opaque(psc), "scope", "x"))
	again := r.tokenForm(opaque(psc)+"x", "scope", "x") // another text, the same jti
	r.refused(bridge.AlreadyExchanged, r.client(), again)
	r.psc.answer.ID = "" // a provider without jti: by the text
	r.must(r.tokenForm(opaque(psc)+"y", "scope", "x"))
	r.refused(bridge.AlreadyExchanged, r.client(), r.tokenForm(opaque(psc)+"y", "scope", "x"))
	// What policy denies is not used up.
	r.psc.answer.ID, r.policy.answer = "psc-2", policy.Exchange{}
	r.refused(bridge.Denied, r.client(), r.tokenForm(opaque(psc), "scope", "x"))
	r.policy.answer = policy.Exchange{Decision: policy.Permit("test")}
	r.must(r.tokenForm(opaque(psc), "scope", "x"))
}

// TestO3Targets: a target that is nearly the admitted one. The policy is a rule file, as operators write it.
func TestO3Targets(t *testing.T) {
	r := newRig(t, func(c *bridge.Config) { c.Policy = exchangeRules(t) })
	for _, target := range []string{records + "/", records + ".evil.example", "https://RECORDS.example", records + ":443", records + "?x", "https://records.example@evil.example",
		"https://evil.example/" + records, "http://records.example"} {
		f := r.samlForm(r.assertion(nil))
		f.Set("audience", target)
		r.refused(bridge.Denied, r.client(), f)
		f.Set("audience", records) // one that is admitted does not carry one that is not
		f.Add("audience", target)
		r.refused(bridge.Denied, r.client(), f)
	}
	for _, target := range []string{"https://records.example#x", "records", "/records", "https://a@records.example", "https://recörds.example", "https://records.example/ x", "%zz"} {
		f := r.samlForm(r.assertion(nil))
		f.Set("resource", target)
		r.refused(bridge.BadTarget, r.client(), f)
	}
	f := r.samlForm(r.assertion(nil))
	f.Del("audience")
	r.refused(bridge.BadTarget, r.client(), f)
	f = r.samlForm(r.assertion(nil))
	f.Set("requested_token_type", bridge.IDToken.String()) // an ID token for somebody else
	r.refused(bridge.BadTarget, r.client(), f)
	r.must(r.samlForm(r.assertion(nil)))
}

// body gives the claims of a token of ours, with some more.
func body(more ...string) string {
	thumbprint := bridge.Thumbprint(testpki.Load().AliceEHealthP256.DER)
	all := fmt.Sprintf(`"iss":%q,"sub":%q,"jti":"forged","client_id":%q,"exp":%d,"iat":%d,"auth_time":%d`, opIssuer, personSub, client, now.Add(time.Hour).Unix(), now.Unix(), now.Unix())
	cnf := `,"cnf":{"x5t#S256":"` + thumbprint + `"}`
	for _, m := range more {
		if strings.HasPrefix(m, `"cnf"`) {
			cnf = ""
		}
		all += "," + m
	}
	return "{" + all + cnf + "}"
}

// forge makes a JWS with a header of one's own; sign is by the key ec where it is nil.
func (r *rig) forge(header, payload string, sign func(signed []byte) []byte) string {
	r.t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	if sign == nil {
		sign = es256(r.t, testpki.Load().STSP256.Key)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(signed)))
}

// TestO4JOSE: each way in which a JWT chooses how, or with what, it is verified.
func TestO4JOSE(t *testing.T) {
	pki := testpki.Load()
	r := newRig(t)
	var fetched atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fetched.Add(1) }))
	defer server.Close()
	const good = `{"alg":"ES256","kid":"ec","typ":"at+jwt"}`
	none := func([]byte) []byte { return nil }
	hmacWith := func(secret []byte) func([]byte) []byte {
		return func(signed []byte) []byte { m := hmac.New(sha256.New, secret); m.Write(signed); return m.Sum(nil) }
	}
	der, _ := x509.MarshalPKIXPublicKey(pki.STS.Key.Public())
	thief := es256(t, pki.AliceEHealthP256.Key)
	jwk, _ := json.Marshal(jose.JSONWebKey{Key: pki.AliceEHealthP256.Key.Public()})
	own := r.accessToken(nil)
	parts := strings.Split(own, ".")
	for name, token := range map[string]string{
		"alg none":                       r.forge(`{"alg":"none","kid":"ec","typ":"at+jwt"}`, body(), none),
		"alg None":                       r.forge(`{"alg":"None","kid":"ec","typ":"at+jwt"}`, body(), none),
		"no alg":                         r.forge(`{"kid":"ec","typ":"at+jwt"}`, body(), nil),
		"an empty signature":             r.forge(good, body(), none),
		"HS256 with the public key":      r.forge(`{"alg":"HS256","kid":"rsa","typ":"at+jwt"}`, body(), hmacWith(der)),
		"HS256 with the certificate":     r.forge(`{"alg":"HS256","kid":"rsa","typ":"at+jwt"}`, body(), hmacWith(pki.STS.CertificatePEM())),
		"HS256 with nothing":             r.forge(`{"alg":"HS256","kid":"ec","typ":"at+jwt"}`, body(), hmacWith(nil)),
		"the algorithm of another key":   r.forge(`{"alg":"RS256","kid":"ec","typ":"at+jwt"}`, body(), nil),
		"another algorithm of the key":   r.forge(`{"alg":"PS256","kid":"rsa","typ":"at+jwt"}`, body(), ps256(t, pki.STS.Key)),
		"another key":                    r.forge(good, body(), thief),
		"jwk":                            r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","jwk":`+string(jwk)+`}`, body(), thief),
		"jku":                            r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","jku":"`+server.URL+`"}`, body(), nil),
		"x5u":                            r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","x5u":"`+server.URL+`"}`, body(), nil),
		"x5c":                            r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","x5c":["`+base64.StdEncoding.EncodeToString(pki.AliceEHealthP256.DER)+`"]}`, body(), thief),
		"kid that climbs":                r.forge(`{"alg":"ES256","kid":"../../../../dev/null","typ":"at+jwt"}`, body(), nil),
		"kid that asks a database":       r.forge(`{"alg":"ES256","kid":"x' UNION SELECT 'ec","typ":"at+jwt"}`, body(), nil),
		"kid that is empty":              r.forge(`{"alg":"ES256","kid":"","typ":"at+jwt"}`, body(), nil),
		"no kid":                         r.forge(`{"alg":"ES256","typ":"at+jwt"}`, body(), nil),
		"kid that is a list":             r.forge(`{"alg":"ES256","kid":["ec"],"typ":"at+jwt"}`, body(), nil),
		"kid twice":                      r.forge(`{"alg":"ES256","kid":"x","kid":"ec","typ":"at+jwt"}`, body(), nil),
		"alg twice":                      r.forge(`{"alg":"none","alg":"ES256","kid":"ec","typ":"at+jwt"}`, body(), nil),
		"crit":                           r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":["exp"],"exp":1}`, body(), nil),
		"b64 false":                      r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","b64":false,"crit":["b64"]}`, body(), nil),
		"zip":                            r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","zip":"DEF"}`, body(), nil),
		"a JWE":                          "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d",
		"nested":                         r.forge(`{"alg":"ES256","kid":"ec","typ":"at+jwt","cty":"JWT"}`, own, nil),
		"nested, unsaid":                 r.forge(good, own, nil),
		"the JSON serialization":         `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"no typ":                         r.forge(`{"alg":"ES256","kid":"ec"}`, body(), nil),
		"an ID token as an access token": r.forge(`{"alg":"ES256","kid":"ec","typ":"JWT"}`, body(), nil),
		"a logout token":                 r.forge(`{"alg":"ES256","kid":"ec","typ":"logout+jwt"}`, body(), nil),
		"another issuer":                 r.forge(good, strings.Replace(body(), opIssuer, opIssuer+"/", 1), nil),
		"expired":                        r.forge(good, strings.Replace(body(), fmt.Sprint(now.Add(time.Hour).Unix()), fmt.Sprint(now.Unix()), 1), nil),
		"without end":                    r.forge(good, strings.Replace(body(), `"exp":`, `"exq":`, 1), nil),
		"an end that is a text":          r.forge(good, strings.Replace(body(), fmt.Sprintf(`"exp":%d`, now.Add(time.Hour).Unix()), `"exp":"9999999999"`, 1), nil),
		"an end beyond numbers":          r.forge(good, strings.Replace(body(), fmt.Sprintf(`"exp":%d`, now.Add(time.Hour).Unix()), `"exp":1e300`, 1), nil),
		"not yet valid":                  r.forge(good, body(fmt.Sprintf(`"nbf":%d`, now.Add(time.Second).Unix())), nil),
		"a claim twice":                  r.forge(good, body(`"sub":"x"`), nil),
		"sub that is a number":           r.forge(good, strings.Replace(body(), `"`+personSub+`"`, "7", 1), nil),
		"no jti":                         r.forge(good, strings.Replace(body(), `"jti":"forged"`, `"jtj":"forged"`, 1), nil),
		"amr that is a text":             r.forge(good, body(`"amr":"hwk"`), nil),
		"azp that is not the client":     r.forge(good, body(`"azp":"x"`), nil),
		"act that is a text":             r.forge(good, body(`"act":"x"`), nil),
		"act without sub":                r.forge(good, body(`"act":{"iss":"x"}`), nil),
		"payload that is a list":         r.forge(good, "[]", nil),
		"payload that is null":           r.forge(good, "null", nil),
		"payload that is not base64url":  parts[0] + "." + parts[1] + "=." + parts[2],
		"signature in another text":      own + "=",
		"a signature of another token":   parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(body())) + "." + parts[2],
		"too large":                      r.forge(good, body(`"x":"`+strings.Repeat("x", 20<<10)+`"`), nil),
		"two dots and nothing":           "..",
		"not a token":                    "token",
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.refused(bridge.BadSubjectToken, r.client(), r.tokenForm(token))
		})
	}
	if fetched.Load() != 0 {
		t.Error("an address out of a token was contacted")
	}
	t.Run("as it should be", func(t *testing.T) { r.t = t; r.must(r.tokenForm(r.forge(good, body(), nil))) })
	t.Run("said to be of another type", func(t *testing.T) {
		r.t = t
		for _, kind := range []bridge.TokenType{bridge.IDToken, bridge.JWT} {
			r.refused(bridge.BadSubjectToken, r.client(), form("subject_token", own, "subject_token_type", kind.String(), "audience", records))
		}
		r.refused(bridge.BadSubjectToken, r.client(), form("subject_token", own, "subject_token_type", bridge.SAML1.String(), "audience", records))
	})
}

// TestO4ActorToken: the token that the software signs is verified with the key of the connection, and nothing else.
func TestO4ActorToken(t *testing.T) {
	r := newRig(t)
	claims := func(change func(map[string]any)) string {
		c := map[string]any{"iss": client, "sub": "lps-7", "exp": now.Add(time.Minute).Unix(), "jti": "a1", "lps_nom": "Dossier", "lps_secret": "x"}
		if change != nil {
			change(c)
		}
		text, _ := json.Marshal(c)
		return string(text)
	}
	sign := es256(t, r.holder.Key)
	n := 0
	with := func(actor string) url.Values {
		n++
		r.psc.answer.ID = fmt.Sprint("psc-actor-", n)
		return r.tokenForm(opaque(psc), "scope", "x", "actor_token", actor, "actor_token_type", bridge.JWT.String())
	}
	token := r.read(r.must(with(r.forge(`{"alg":"ES256"}`, claims(nil), sign))))
	if token.Actor == nil || *token.Actor != (bridge.Actor{Subject: "lps-7", Issuer: client}) || token.Claims["lps_nom"] != "Dossier" || token.Claims["lps_secret"] != nil {
		t.Errorf("%+v, act %+v", token, token.Actor)
	}
	if e := r.last(); e.ActorToken.ID != "a1" || e.ActorToken.Issuer != client {
		t.Errorf("recorded: %+v", e.ActorToken)
	}
	for name, actor := range map[string]string{
		"another key":      r.forge(`{"alg":"ES256"}`, claims(nil), nil),
		"alg none":         r.forge(`{"alg":"none"}`, claims(nil), func([]byte) []byte { return nil }),
		"x5c":              r.forge(`{"alg":"ES256","x5c":[]}`, claims(nil), sign),
		"another client":   r.forge(`{"alg":"ES256"}`, claims(func(c map[string]any) { c["iss"] = "other" }), sign),
		"no sub":           r.forge(`{"alg":"ES256"}`, claims(func(c map[string]any) { delete(c, "sub") }), sign),
		"expired":          r.forge(`{"alg":"ES256"}`, claims(func(c map[string]any) { c["exp"] = now.Unix() }), sign),
		"without end":      r.forge(`{"alg":"ES256"}`, claims(func(c map[string]any) { delete(c, "exp") }), sign),
		"for years":        r.forge(`{"alg":"ES256"}`, claims(func(c map[string]any) { c["exp"] = now.Add(10000 * time.Hour).Unix() }), sign),
		"another audience": r.forge(`{"alg":"ES256"}`, claims(func(c map[string]any) { c["aud"] = "https://other.example" }), sign),
		"of another type":  r.forge(`{"alg":"ES256","typ":"logout+jwt"}`, claims(nil), sign),
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.refused(bridge.BadActorToken, r.client(), with(actor))
		})
	}
}

// TestO5NoAddressIsContacted: nothing in a request makes the server ask an address: not a resource, an audience, an issuer, a key.
func TestO5NoAddressIsContacted(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	r := newRig(t)
	for _, f := range []url.Values{
		r.samlForm(r.assertion(nil), "resource", server.URL, "request_uri", server.URL, "logo_uri", server.URL, "sector_identifier_uri", server.URL, "backchannel_logout_uri", server.URL),
		r.tokenForm(opaque(server.URL), "subject_issuer", server.URL),
		r.tokenForm(opaque(server.URL)),
		r.tokenForm(r.forge(`{"alg":"ES256","kid":"`+server.URL+`","typ":"at+jwt","jku":"`+server.URL+`"}`, body(), nil)),
		r.samlForm(r.altered(func(s string) string { return strings.ReplaceAll(s, stsIssuer, server.URL) })),
	} {
		r.exchange(f)
	}
	if hits.Load() != 0 || r.psc.asked != 0 {
		t.Errorf("%d requests, the upstream asked %d times", hits.Load(), r.psc.asked)
	}
}

// TestO6ClientConfusion: who authenticated by something else does not count as the certificate's, and a certificate does not make a client.
func TestO6ClientConfusion(t *testing.T) {
	r := newRig(t)
	f := r.tokenForm(opaque(psc), "scope", "x")
	r.refused(bridge.NotByCertificate, &bridge.Client{ID: client, Certificate: r.holder.DER}, f) // by a secret, beside a certificate
	r.refused(bridge.WrongClient, &bridge.Client{ID: "another", Certificate: r.holder.DER, ByCertificate: true, Rule: rule{age: 4 * time.Hour}}, f)
	r.refused(bridge.BadRequest, &bridge.Client{Certificate: r.holder.DER, ByCertificate: true, Rule: rule{age: 4 * time.Hour}}, f)
	r.refused(bridge.BadRequest, nil, f)
	if r.psc.asked > 1 {
		t.Errorf("the upstream was asked %d times", r.psc.asked)
	}
	// What the client says of itself in the form decides nothing.
	token := r.read(r.must(r.samlForm(r.assertion(nil), "client_id", "another", "client_secret", "x")))
	if token.ClientID != client {
		t.Errorf("issued to %q", token.ClientID)
	}
}

// TestO7Authentication: an old authentication kept young, a weak one made strong, a person made another.
func TestO7Authentication(t *testing.T) {
	r := newRig(t)
	old := func(age time.Duration) func(*bridge.Token) {
		return func(t *bridge.Token) { t.AuthTime = now.Add(-age) }
	}
	to := []string{"requested_token_type", bridge.SAML1.String()}
	r.refused(bridge.AuthenticationTooOld, r.client(), r.tokenForm(r.accessToken(old(4*time.Hour))))
	r.refused(bridge.AuthenticationTooOld, r.client(), r.tokenForm(r.accessToken(old(4*time.Hour)), to...))
	r.refused(bridge.AuthenticationTooOld, r.client(), r.tokenForm(r.accessToken(old(-time.Minute))))
	r.refused(bridge.AuthenticationTooOld, r.client(), r.samlForm(r.assertion(func(i *saml.Issue) { i.Instant = now.Add(-5 * time.Hour) })))
	r.refused(bridge.NoAuthentication, r.client(), r.tokenForm(r.accessToken(func(t *bridge.Token) { t.AuthTime = time.Time{} }), to...))
	r.psc.answer.AuthTime = time.Time{}
	r.refused(bridge.NoAuthentication, r.client(), r.tokenForm(opaque(psc), "scope", "x"))
	r.psc.answer = pscToken()
	for _, level := range []string{"", "eidas0", "EIDAS1", "eidas2"} {
		r.psc.answer.Level = level
		r.refused(bridge.WeakAuthentication, r.client(), r.tokenForm(opaque(psc), "scope", "x"))
	}
	// At four hours less a quarter there is a quarter left, whatever the token says.
	if token := r.read(r.must(r.tokenForm(r.accessToken(old(4*time.Hour - 15*time.Minute))))); !token.Expires.Equal(now.Add(15*time.Minute)) || !token.AuthTime.Equal(now.Add(-4*time.Hour+15*time.Minute)) {
		t.Errorf("until %v, authenticated %v", token.Expires, token.AuthTime)
	}
	// Nothing in the form says how somebody was authenticated.
	token := r.read(r.must(r.tokenForm(r.accessToken(func(t *bridge.Token) { t.Methods, t.Level = []string{"pwd"}, "eidas1" }),
		"amr", "hwk", "acr", "eidas3", "acr_values", "eidas3", "auth_time", fmt.Sprint(now.Unix()), "max_age", "99999", "sub", "somebody")))
	if strings.Join(token.Methods, " ") != "pwd" || token.Level != "eidas1" || token.Subject != personSub || !token.AuthTime.Equal(now.Add(-2*time.Minute)) {
		t.Errorf("%+v", token)
	}
	// And a sub of the upstream is not one of ours.
	r.psc.answer = pscToken()
	r.psc.answer.Subject = personSub
	r.refused(bridge.UnknownSubject, r.client(), r.tokenForm(opaque(psc), "scope", "x"))
}

// TestO8Sessions: what was ended goes on, and what was to be used by its client alone is used here.
func TestO8Sessions(t *testing.T) {
	r := newRig(t)
	token := r.accessToken(nil)
	for _, kind := range []bridge.TokenType{bridge.RefreshToken, bridge.SAML2} {
		r.refused(bridge.UnsupportedType, r.client(), form("subject_token", token, "subject_token_type", kind.String(), "audience", records))
		r.refused(bridge.UnsupportedType, r.client(), r.tokenForm(token, "requested_token_type", kind.String()))
	}
	r.refused(bridge.UnsupportedType, r.client(), r.samlForm(r.assertion(nil), "requested_token_type", bridge.SAML1.String()))
	revoked := map[string]bool{"token-1": true}
	r.tokens.Active = func(_ context.Context, t *bridge.Token) error {
		if revoked[t.ID] {
			return fmt.Errorf("%w: revoked", bridge.ErrToken)
		}
		return nil
	}
	r.refused(bridge.BadSubjectToken, r.client(), r.tokenForm(token))
	r.refused(bridge.BadSubjectToken, r.client(), r.tokenForm(token, "requested_token_type", bridge.SAML1.String()))
	// Scope that was not consented to.
	token = r.accessToken(func(t *bridge.Token) { t.ID = "token-2" })
	r.refused(bridge.BadScope, r.client(), r.tokenForm(token, "scope", "records admin"))
	r.refused(bridge.BadScope, r.client(), r.tokenForm(opaque(psc)))
	if got := r.read(r.must(r.tokenForm(token))); strings.Join(got.Scope, " ") != "openid identity records" {
		t.Errorf("scope %q", got.Scope)
	}
}
