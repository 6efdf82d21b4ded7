package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func readBack(t testing.TB, text string) *Entry {
	t.Helper()
	entry := new(Entry)
	if err := json.Unmarshal([]byte(`{"seq":1,`+text+`}`), entry); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return entry
}

func TestLoginHasOneText(t *testing.T) {
	text := encode(t, loginEvent())
	at := strings.Index(text, `,"establishment"`)
	end := strings.Index(text, `,"sealed":"`)
	if at < 0 || end < at {
		t.Fatal(text)
	}
	want := `,"establishment":"hopital","attempt":"` + hexOf(sha256.Sum256([]byte("attempt-secret"))) + `","session":"sid-1",` +
		`"authentication":"20202020202020202020202020202036","means":"carte","amr":["sc","pin","mfa","hwk"],"acr":"eidas2","authTime":"2026-11-21T19:59:00Z",` +
		`"credential":"` + testKey(t).Pseudonym(Identifier{"credential", "credential-of-dupont"}).String() + `","grant":"grant-1",` +
		`"scope":"openid scope_all patient/###########.read","tokens":[` +
		`{"use":"presented","kind":"code","digest":"` + hexOf(sha256.Sum256([]byte("code-secret"))) + `"},` +
		`{"use":"issued","kind":"access_token","id":"jti-1","expires":"2026-11-21T20:02:00Z"},` +
		`{"use":"subject","kind":"saml2","id":"_a1","issuer":"urn:other"}]`
	if got := text[at:end]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !strings.Contains(text, `"subject":{"type":"sub","pseudonym":"`+testKey(t).Pseudonym(Identifier{"sub", "f:hopital:0f8fad5b"}).String()+`"}`) {
		t.Errorf("the sub is not found by its pseudonym: %s", text)
	}
}

// What is of "oidc" alone stands in no other record: an old reader finds what he knows.
func TestOthersHaveNoLogin(t *testing.T) {
	e := loginEvent()
	e.Service = "saml11"
	if text := encode(t, e); strings.Contains(text, "establishment") || strings.Contains(text, "sealed") || strings.Contains(text, "tokens") {
		t.Error(text)
	}
}

// The trail names nobody, and no secret of a browser or a client can be taken from it.
func TestNoPersonInClear(t *testing.T) {
	text := encode(t, loginEvent())
	for _, clear := range []string{"10001234567", "0f8fad5b", "2001:db8", "dupont", "Dupont", "attempt-secret", "code-secret", "12345678901"} {
		if strings.Contains(text, clear) {
			t.Errorf("%s stands in the record", clear)
		}
	}
}

func TestSealedOpensForTheKeyAlone(t *testing.T) {
	e := loginEvent()
	entry := readBack(t, encode(t, e))
	got, err := testKey(t).Unseal(entry)
	if err != nil || got != e.Sealed {
		t.Fatalf("%+v, %v", got, err)
	}
	other, err := NewKey([]byte("another key of at least 32 bytes."))
	if err != nil {
		t.Fatal(err)
	}
	flipped := readBack(t, encode(t, e))
	flipped.Sealed[3] ^= 1
	moved := readBack(t, encode(t, e))
	moved.ID = numbered(8).String() // put into the record of somebody else, it would say that he was there
	otherDay := readBack(t, encode(t, e))
	otherDay.Time = e.Time.Add(24 * time.Hour)
	short := readBack(t, encode(t, e))
	short.Sealed = short.Sealed[:5]
	nameless := readBack(t, encode(t, e))
	nameless.ID = "x"
	for _, test := range []struct {
		name  string
		key   Key
		entry *Entry
	}{{"another key", other, entry}, {"no key", Key{}, entry}, {"changed", testKey(t), flipped}, {"of another record", testKey(t), moved},
		{"of another day", testKey(t), otherDay}, {"cut", testKey(t), short}, {"without id", testKey(t), nameless}} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.key.Unseal(test.entry)
			var refused *Error
			if got != (Sealed{}) || !errors.As(err, &refused) || refused.Reason != InvalidKey {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	if got, err := (Key{}).Unseal(new(Entry)); err != nil || got != (Sealed{}) {
		t.Errorf("nothing sealed: %+v, %v", got, err)
	}
}

// Two records of one address look different, and a short address is as long as a long one.
func TestSealedTellsNothing(t *testing.T) {
	seen := map[string]bool{}
	lengths := map[int]bool{}
	for _, source := range []string{"::1", "192.0.2.1", "192.0.2.1", "2001:db8:1111:2222:3333:4444:5555:6666"} {
		e := loginEvent()
		e.Sealed = Sealed{Source: netip.MustParseAddr(source)}
		entry := readBack(t, encode(t, e))
		seen[base64.StdEncoding.EncodeToString(entry.Sealed)] = true
		lengths[len(entry.Sealed)] = true
		if got, err := testKey(t).Unseal(entry); err != nil || got.Source.String() != source {
			t.Errorf("%s came back as %v, %v", source, got, err)
		}
	}
	if len(seen) != 4 || len(lengths) != 1 {
		t.Errorf("%d texts of %d lengths", len(seen), len(lengths))
	}
}

// The key of a day is taken anew when the day changes, back and forth, in one pooled state.
func TestSealedAcrossDays(t *testing.T) {
	p := testKey(t).pseudonymizer()
	for _, days := range []int{0, 1, 0, 400, -30000} { // the last before 1970
		e := loginEvent()
		e.Time = e.Time.Add(time.Duration(days) * 24 * time.Hour)
		entry := readBack(t, string(appendEvent(nil, e, &p)))
		p.forget()
		if got, err := testKey(t).Unseal(entry); err != nil || got != e.Sealed {
			t.Errorf("day %d: %+v, %v", days, got, err)
		}
	}
}

func TestPooledStateForgetsWhatWasSealed(t *testing.T) {
	p := testKey(t).pseudonymizer()
	appendEvent(nil, loginEvent(), &p)
	p.forget()
	for _, kept := range [][]byte{p.sealer.text[:cap(p.sealer.text)], p.text[:cap(p.text)]} {
		if strings.Trim(string(kept), "\x00") != "" {
			t.Errorf("kept %q", kept)
		}
	}
}

func TestSealingAllocatesLittle(t *testing.T) {
	e, p := loginEvent(), testKey(t).pseudonymizer()
	buffer := appendEvent(nil, e, &p)
	if n := testing.AllocsPerRun(100, func() { buffer = appendEvent(buffer[:0], e, &p); p.forget() }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func anySealed(text *rapid.Generator[string]) *rapid.Generator[Sealed] {
	return rapid.Custom(func(t *rapid.T) Sealed {
		s := Sealed{Account: text.Draw(t, "account"), Agent: text.Draw(t, "agent")}
		if raw := rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "source"); len(raw) == 16 || len(raw) == 4 {
			s.Source, _ = netip.AddrFromSlice(raw)
			s.Source = s.Source.Unmap()
		}
		return s
	})
}

// Whatever stands in a login, it is read back, and its sealed part opens.
func TestLoginsComeBack(t *testing.T) {
	key := testKey(t)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.Rune(), -1, -1, 60)
		e := anyEvent().Draw(rt, "event")
		e.Service, e.Session, e.Grant, e.Means = ServiceOIDC, text.Draw(rt, "session"), text.Draw(rt, "grant"), text.Draw(rt, "means")
		e.Scope, e.Sealed, e.Attempt = text.Draw(rt, "scope"), anySealed(text).Draw(rt, "sealed"), text.Draw(rt, "attempt")
		e.Methods = rapid.SliceOfN(text, 0, 4).Draw(rt, "amr")
		for range rapid.IntRange(0, 3).Draw(rt, "tokens") {
			e.Tokens = append(e.Tokens, Token{Use: TokenUse(rapid.IntRange(1, 4).Draw(rt, "use")), Kind: text.Draw(rt, "kind"), ID: text.Draw(rt, "id"),
				Value: text.Draw(rt, "value"), Expires: start})
		}
		back := readBack(t, encode(t, e))
		switch {
		case back.Session != e.Session, back.Grant != e.Grant, back.Means != e.Means, back.Scope != masked(e.Scope),
			fmt.Sprint(back.Methods) != fmt.Sprint(e.Methods), len(back.Tokens) != len(e.Tokens), (back.Attempt == "") != (e.Attempt == ""):
			rt.Fatalf("%+v came back as %+v", e, back)
		}
		for i, token := range e.Tokens {
			got := back.Tokens[i]
			if got.ID != token.ID || got.Kind != token.Kind || got.Use != token.Use.String() || token.Value != "" && got.Digest != digestOf(token.Value) {
				rt.Fatalf("%+v came back as %+v", token, got)
			}
		}
		if sealed, err := key.Unseal(back); err != nil || sealed != e.Sealed {
			rt.Fatalf("sealed %+v came back as %+v, %v", e.Sealed, sealed, err)
		}
	})
}

// FuzzUnseal: whatever stands in a journal that somebody hands us, it opens only if it was sealed.
func FuzzUnseal(f *testing.F) {
	key, err := NewKey([]byte("a key of at least thirty-two bytes"))
	if err != nil {
		f.Fatal(err)
	}
	p := key.pseudonymizer()
	f.Add(appendEvent([]byte(`{"seq":1,`), loginEvent(), &p))
	f.Add([]byte(`{"id":"20202020202020202020202020202037","time":"2026-11-21T20:00:00Z","sealed":"AAAA"`))
	genuine := readBack(f, string(appendEvent(nil, loginEvent(), &p)))
	f.Fuzz(func(t *testing.T, text []byte) {
		var entry Entry
		if json.Unmarshal(append(text[:len(text):len(text)], '}'), &entry) != nil {
			return
		}
		got, err := key.Unseal(&entry)
		if err != nil && got != (Sealed{}) {
			t.Fatal("an error and a result")
		}
		if err == nil && got != (Sealed{}) && entry.ID != genuine.ID {
			t.Fatalf("%s opened as %+v", text, got)
		}
	})
}

func TestLoginQueriesChoose(t *testing.T) {
	files := newMemory()
	c := testConfig(t, files)
	j := mustOpen(t, c)
	first := loginEvent()
	authentication := &Event{ID: numbered(6), Time: start, Service: ServiceOIDC, Operation: OperationAuthentication, Outcome: Success, Session: "sid-1", Establishment: "hopital"}
	// The same texts where they do not count.
	decoy := &Event{ID: numbered(8), Time: start, Service: ServiceOIDC, Operation: OperationUserinfo, Outcome: Refused, Client: "other", Establishment: "clinique",
		Session: "sid-2", Cause: "sid-1 jti-1 grant-1 " + digestOf("code-secret") + numbered(6).String()}
	record(t, j, authentication, first, decoy)
	j.Close()
	for _, test := range []struct {
		name  string
		query Query
		want  string
	}{
		{"session", Query{Session: "sid-1"}, "6 7"},
		{"grant", Query{Grant: "grant-1"}, "7"},
		{"token id", Query{TokenID: "jti-1"}, "7"},
		{"assertion of an exchange", Query{TokenID: "_a1"}, "7"},
		{"code", Query{Token: "code-secret"}, "7"},
		{"authentication", Query{Authentication: numbered(6)}, "6 7"},
		{"operation", Query{Operation: OperationUserinfo}, "8"},
		{"client", Query{Client: "pro-sante-connect"}, "7"},
		{"establishment", Query{Establishment: "clinique"}, "8"},
		{"sub", Query{Pseudonym: c.Key.Pseudonym(Identifier{SubjectType, "f:hopital:0f8fad5b"})}, "7"},
		{"credential", Query{Pseudonym: c.Key.Pseudonym(Identifier{CredentialType, "credential-of-dupont"})}, "7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, entry := range entries(t, files, test.query) {
				got = append(got, entry.ID[len(entry.ID)-1:])
			}
			if text := strings.Join(got, " "); text != test.want {
				t.Errorf("got %q, want %q", text, test.want)
			}
		})
	}
	mustBeIntact(t, files)
}
