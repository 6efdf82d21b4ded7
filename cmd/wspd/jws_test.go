package main

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/certs"
	"sceau/internal/judge"
	"sceau/internal/minipki"
)

// tokenKeys are the kinds of keys that may sign tokens, and how they do.
var tokenKeys = []struct {
	kind      minipki.KeyKind
	algorithm jose.SignatureAlgorithm
}{{minipki.P256, jose.ES256}, {minipki.P384, jose.ES384}, {minipki.RSA2048, jose.PS256}, {minipki.Ed25519, jose.EdDSA}}

func keyOf(t testing.TB, kind minipki.KeyKind) crypto.Signer {
	t.Helper()
	key, err := minipki.GenerateKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signsWith has tokens signed by a new key of a kind.
func (r *running) signsWith(t testing.TB, kind minipki.KeyKind) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, "caller.key"), must(minipki.KeyPEM(keyOf(t, kind))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.reload(r.path()); err != nil {
		t.Fatal(err)
	}
}

// TestForm: a token is what go-jose makes of the same header and payload, octet by octet where signatures are not random, and verifies there.
func TestForm(t *testing.T) {
	payloads := []string{"", "{}", `{"sub":"CN=Zoë","é":"` + strings.Repeat("x", 5000) + `"}`}
	for _, k := range tokenKeys {
		key := keyOf(t, k.kind)
		f, err := newForm(callerType, "kid-1", key)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: key}, (&jose.SignerOptions{}).WithType(callerType).WithHeader("kid", "kid-1"))
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range payloads {
			got, err := f.sign([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.Sign([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			want, err := signed.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			length := len(want)
			if k.algorithm != jose.EdDSA {
				want, got = want[:strings.LastIndex(want, ".")], got[:min(len(got), strings.LastIndex(want, "."))]
			}
			if got != want {
				t.Errorf("%s: %s instead of %s", k.algorithm, got, want)
			}
			for range 100 { // r or s of ECDSA is shorter than others in some
				if got, err = f.sign([]byte(payload)); err != nil {
					t.Fatal(err)
				}
				parsed, err := jose.ParseSigned(got, []jose.SignatureAlgorithm{k.algorithm})
				if err != nil {
					t.Fatal(err)
				}
				if read, err := parsed.Verify(key.Public()); err != nil || string(read) != payload || len(got) != length {
					t.Fatalf("%s: %v: %s", k.algorithm, err, got)
				}
			}
		}
	}
}

// TestFormOfRFC8037: the examples of appendix A.3 and A.4.
func TestFormOfRFC8037(t *testing.T) {
	key := ed25519.NewKeyFromSeed(unhex(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
	f, err := newForm("", "", key)
	if err != nil {
		t.Fatal(err)
	}
	f.head = "eyJhbGciOiJFZERTQSJ9."
	const want = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	if got, err := f.sign([]byte("Example of Ed25519 signing")); err != nil || got != want {
		t.Error(got, err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "caller.key"), must(minipki.KeyPEM(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := newMinter(callerConfig{Keys: []file{{path: "caller.key"}}}, func(f file) string { return filepath.Join(folder, f.path) })
	if err != nil {
		t.Fatal(err)
	}
	if id := m.public.Keys[0].KeyID; id != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Error(id)
	}
	if text := string(m.keySet()); strings.Contains(text, `"d":`) || !strings.Contains(text, `"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`) {
		t.Error("a private key, or another:", text)
	}
}

// TestKeyOfRFC8410: the private key of section 10.3 is that of the public one of section 10.1.
func TestKeyOfRFC8410(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	const text = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := certs.ReadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if public, ok := key.Public().(ed25519.PublicKey); !ok || base64.StdEncoding.EncodeToString(public) != "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=" {
		t.Error(key.Public())
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	octets, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

// TestKeysRefused: no other key signs.
func TestKeysRefused(t *testing.T) {
	for name, kind := range map[string]minipki.KeyKind{"P-224": minipki.P224, "P-521": minipki.P521, "RSA 1024": minipki.RSA1024} {
		if f, err := newForm(callerType, "x", keyOf(t, kind)); err == nil || f.key != nil {
			t.Error(name, err)
		}
	}
	var zero form
	if token, err := zero.sign([]byte("{}")); err == nil || token != "" {
		t.Error("the zero form signs", token)
	}
	if token, err := (&minter{}).sign(callerType, (&minter{}).registered("a", "b", "c", time.Now(), 1, time.Now()), claims{}); err == nil || token != "" {
		t.Error("the zero minter signs", token)
	}
}

// tampered is a key that gives what it wants.
type tampered struct {
	crypto.Signer
	gives []byte
	err   error
}

func (k tampered) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return k.gives, k.err }

// TestSignatureOfKey: what a key gives becomes r‖s, or no token.
func TestSignatureOfKey(t *testing.T) {
	der := func(numbers ...*big.Int) []byte { return must(asn1.Marshal(numbers)) }
	one := big.NewInt(1)
	top, long := new(big.Int).Lsh(big.NewInt(0xfe), 248), new(big.Int).Lsh(one, 256)
	padded := strings.Repeat("00", 31) + "01"
	for name, c := range map[string]struct {
		gives []byte
		err   error
		want  string // in hex
	}{
		"both short":     {der(one, one), nil, padded + padded},
		"both long":      {der(top, top), nil, "fe" + strings.Repeat("00", 31) + "fe" + strings.Repeat("00", 31)},
		"r short":        {der(one, top), nil, padded + "fe" + strings.Repeat("00", 31)},
		"s short":        {der(top, one), nil, "fe" + strings.Repeat("00", 31) + padded},
		"r too long":     {der(long, one), nil, ""},
		"s too long":     {der(one, long), nil, ""},
		"negative":       {der(big.NewInt(-1), one), nil, ""},
		"one number":     {der(one), nil, ""},
		"three numbers":  {der(one, one, one), nil, ""},
		"more after it":  {append(der(one, one), 0), nil, ""},
		"raw already":    {bytes.Repeat([]byte{1}, 64), nil, ""},
		"nothing":        {nil, nil, ""},
		"not the least":  {unhex(t, "30070202000102"+"0101"), nil, ""},
		"length in BER":  {unhex(t, "308106020101020101"), nil, ""},
		"key that fails": {der(one, one), io.ErrUnexpectedEOF, ""},
	} {
		f, err := newForm(callerType, "x", tampered{keyOf(t, minipki.P256), c.gives, c.err})
		if err != nil {
			t.Fatal(err)
		}
		token, err := f.sign([]byte("{}"))
		if c.want == "" {
			if err == nil || token != "" {
				t.Errorf("%s: %s", name, token)
			}
			continue
		}
		signature, _ := base64.RawURLEncoding.DecodeString(token[strings.LastIndex(token, ".")+1:])
		if err != nil || hex.EncodeToString(signature) != c.want {
			t.Errorf("%s: %x, %v", name, signature, err)
		}
	}
	f, err := newForm(callerType, "x", tampered{keyOf(t, minipki.Ed25519), make([]byte, 63), nil})
	if err != nil {
		t.Fatal(err)
	}
	if token, err := f.sign([]byte("{}")); err == nil || token != "" {
		t.Error("a signature that is too short:", token)
	}
}

// TestCallerJudged: a service that reads tokens with PyJWT and the published keys takes those of every kind of key, and no others.
func TestCallerJudged(t *testing.T) {
	program := judge.Python(t, "jwt", "cryptography")
	u := &upstream{}
	r := start(t, strings.Replace(proxyConfig(listening(t, u), ""), "[caller.key]", "[caller.key, server.key]", 1))
	at, folder := r.service(t), t.TempDir()
	judged := func(tokens ...string) []string {
		t.Helper()
		file := filepath.Join(folder, "jwks.json")
		if err := os.WriteFile(file, r.current.Load().minter.keySet(), 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), program, filepath.Join("testdata", "judge.py"), file, "https://guard.example", "urn:service")
		command.Stdin = strings.NewReader(strings.Join(tokens, "\n") + "\n")
		var wrong bytes.Buffer
		command.Stderr = &wrong
		output, err := command.Output()
		answers := strings.Split(strings.TrimSpace(string(output)), "\n")
		if err != nil || len(answers) != len(tokens) {
			t.Fatalf("%v: %s%s", err, output, &wrong)
		}
		return answers
	}
	for _, k := range tokenKeys {
		r.signsWith(t, k.kind)
		if got := send(t, http.MethodPost, at, r.call(t)); got.status != http.StatusOK {
			t.Fatal(k.algorithm, got)
		}
		q, body := u.last(t)
		token := q.Header.Get("Sceau-Caller")
		m := r.current.Load().minter
		registered, said := r.verified(t, token, callerType, time.Now())
		session, err := m.sign(sessionType, registered, said)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere := registered
		elsewhere.Audience[0] = "urn:another"
		another, err := m.sign(callerType, elsewhere, said)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(token, ".")
		strange, err := newForm(callerType, m.public.Keys[0].KeyID, keyOf(t, k.kind))
		if err != nil {
			t.Fatal(err)
		}
		forged, err := strange.sign(must(base64.RawURLEncoding.DecodeString(parts[1])))
		if err != nil {
			t.Fatal(err)
		}
		answers := judged(token, session, another, forged, parts[0]+"."+strings.Split(another, ".")[1]+"."+parts[2])
		var taken struct {
			Header map[string]any
			Claims struct {
				claims
				ID string `json:"jti"`
			}
		}
		if err := json.Unmarshal([]byte(answers[0]), &taken); err != nil {
			t.Errorf("%s: %s", k.algorithm, answers[0])
			continue
		}
		if len(taken.Header) != 3 || taken.Header["alg"] != string(k.algorithm) || taken.Header["kid"] != m.public.Keys[0].KeyID {
			t.Errorf("%s: header %v", k.algorithm, taken.Header)
		}
		if c := taken.Claims; c.ID == "" || c.Body != thumbprintOf([]byte(body)) || c.Attributes[1].Values[0] != "true" || c.Confirmation.X5T != thumbprintOf(r.pki.holder) {
			t.Errorf("%s: %+v", k.algorithm, c)
		}
		for i, want := range []string{"ValueError: of another type", "InvalidAudienceError", "InvalidSignatureError", "InvalidSignatureError"} {
			if !strings.HasPrefix(answers[i+1], `"`+want) {
				t.Errorf("%s: token %d was taken, or refused for something else: %s", k.algorithm, i+1, answers[i+1])
			}
		}
	}
}

// TestSessionKeys: sessions hold under every kind of key, and no kind opens what another signed, whatever the header says.
func TestSessionKeys(t *testing.T) {
	folder := t.TempDir()
	var keys []file
	var signers []crypto.Signer
	for _, k := range tokenKeys {
		name := string(k.algorithm)
		signers = append(signers, keyOf(t, k.kind))
		if err := os.WriteFile(filepath.Join(folder, name), must(minipki.KeyPEM(signers[len(signers)-1])), 0o600); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, file{path: name})
	}
	minting := func(keys ...file) *minter {
		m, err := newMinter(callerConfig{Keys: keys, Issuer: "https://guard.example"}, func(f file) string { return filepath.Join(folder, f.path) })
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	all, now := minting(keys...), time.Now()
	for i, signer := range signers {
		own := minting(keys[i])
		registered := own.registered("CN=Alice", "https://guard.example", "1", now, duration(time.Minute), now.Add(time.Hour))
		said := claims{Confirmation: thumbprint{"x"}}
		token, err := own.sign(sessionType, registered, said)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := all.open(token, now); err != nil || s.registered.Subject != "CN=Alice" {
			t.Error(keys[i].path, err)
		}
		payload := must(base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1]))
		for j := range signers {
			if j == i {
				continue
			}
			f, err := newForm(sessionType, all.public.Keys[j].KeyID, signer) // signed by i, said to be by j
			if err != nil {
				t.Fatal(err)
			}
			for _, algorithm := range []jose.SignatureAlgorithm{f.algorithm, tokenKeys[j].algorithm, "none", jose.HS256} {
				header := must(json.Marshal(map[string]string{"alg": string(algorithm), "kid": all.public.Keys[j].KeyID, "typ": sessionType}))
				f.head = base64.RawURLEncoding.EncodeToString(header) + "."
				token, err := f.sign(payload)
				if err != nil {
					t.Fatal(err)
				}
				if s, err := all.open(token, now); err == nil || s != nil {
					t.Errorf("O4: %s under the name of %s, as %s", keys[i].path, keys[j].path, algorithm)
				}
			}
		}
	}
	for i, k := range all.public.Keys {
		if k.Algorithm != string(tokenKeys[i].algorithm) || !k.IsPublic() {
			t.Errorf("%+v", k)
		}
	}
}

// TestMintAllocates bounds what the token of a caller costs besides its signature: that of Ed25519 allocates once, that of ECDSA sixty times.
func TestMintAllocates(t *testing.T) {
	r := start(t, guarded+callerKeys)
	r.signsWith(t, minipki.Ed25519)
	m, now := r.current.Load().minter, time.Now()
	caller, err := r.current.Load().guard.Admit(r.call(t), now)
	if err != nil {
		t.Fatal(err)
	}
	body := caller.Body()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := m.caller(caller, "1", body, now); err != nil {
			t.Fatal(err)
		}
	}); n > 24 {
		t.Error(n, "allocations")
	}
}
