package audit

import (
	"crypto/sha256"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func encode(t testing.TB, e *Event) string {
	p := testKey(t).pseudonymizer()
	return string(appendEvent(nil, e, &p))
}

func TestEventHasOneText(t *testing.T) {
	person := testKey(t).Pseudonym(Identifier{"ssin", "00000000097"}).String()
	company := testKey(t).Pseudonym(Identifier{"cbe", "0809394427"}).String()
	tests := []struct {
		name  string
		event *Event
		want  string
	}{
		{"least", smallEvent(3), `"kind":"event","id":"20202020202020202020202020202033","time":"2026-11-21T20:00:03Z",` +
			`"service":"saml11","outcome":"refused","code":"REQ-01"`},
		{"all", fullEvent(), `"kind":"event","id":"20202020202020202020202020202031","time":"2026-11-21T20:00:00.123456Z",` +
			`"service":"saml11","operation":"attribute-query","outcome":"success","code":"samlp:Success","stage":"issue","cause":"none","remote":"private",` +
			`"requestId":"_a1b2","message":"` + hexOf(sha256.Sum256([]byte("message"))) + `","mode":"session",` +
			`"identity":{"kind":"eid","type":"ssin","pseudonym":"` + person + `","certificate":"` + hexOf(sha256.Sum256([]byte("identity"))) + `"},` +
			`"holder":{"kind":"ehealth-organisation","type":"cbe","pseudonym":"` + company + `","certificate":"` + hexOf(sha256.Sum256([]byte("holder"))) + `"},` +
			`"subject":{"type":"ssin","pseudonym":"` + person + `"},"profiles":["APP1","APP2"],"attributes":[` +
			`{"name":"urn:be:fgov:person:ssin","namespace":"urn:be:fgov:identification-namespace","disposition":"released","state":"affirmed","rule":"doctors","source":"certificate"},` +
			`{"name":"urn:be:fgov:person:ssin:doctor:boolean","namespace":"urn:be:fgov:certified-namespace:ehealth","disposition":"released","state":"denied","rule":"doctors","source":"registry"},` +
			`{"name":"urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11","namespace":"urn:be:fgov:certified-namespace:ehealth","disposition":"omitted","rule":"no-nihii"}],` +
			`"assertionId":"_cafe","notBefore":"2026-11-21T19:55:00Z","notOnOrAfter":"2026-11-21T21:00:00Z","durationMicros":812`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := encode(t, test.event); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// An identifier in clear in the journal would make it a register of who asked what.
func TestNoIdentifierInClear(t *testing.T) {
	text := encode(t, fullEvent())
	for _, clear := range []string{"00000000097", "0809394427"} {
		if strings.Contains(text, clear) {
			t.Errorf("%s stands in the record", clear)
		}
	}
}

// A cause may quote a certificate's name, and a stranger may write a number into the name of an attribute.
func TestNumbersAreMasked(t *testing.T) {
	e := smallEvent(1)
	e.Cause = "subject SERIALNUMBER=00000000097, \x01000000000971234567, CN=\"Alice 1234567\", 71000436\\71000436é71000436"
	e.Attributes = []Attribute{{Name: "urn:be:fgov:00000000097:1.0", Namespace: "urn:x"}}
	e.RequestID = []byte("_00000000097") // the consumer's own, which he must find again
	want := `"cause":"subject SERIALNUMBER=###########, \u0001##################, CN=\"Alice 1234567\", ########\\########é########"`
	got := encode(t, e)
	if !strings.Contains(got, want) || !strings.Contains(got, `{"name":"urn:be:fgov:###########:1.0","namespace"`) || !strings.Contains(got, `"requestId":"_00000000097"`) {
		t.Errorf("got %s", got)
	}
}

func TestTextIsEscaped(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "urn:be:fgov", `"urn:be:fgov"`},
		{"empty", "", `""`},
		{"quote ends the string (Z10)", `a","hash":"`, `"a\",\"hash\":\""`},
		{"backslash", `a\`, `"a\\"`},
		{"line feed forges a record (Z10)", "a\n{\"seq\":9}", `"a\n{\"seq\":9}"`},
		{"carriage return, tab", "\r\t", `"\r\t"`},
		{"NUL and escape", "\x00\x1b[2J", `"\u0000\u001b[2J"`},
		{"DEL", "\x7f", `"\u007f"`},
		{"C1 control sequence introducer", "\u009b2J", `"\u009b2J"`},
		{"right-to-left override", "a\u202eb", `"a\u202eb"`},
		{"line separator", "\u2028", `"\u2028"`},
		{"zero width space", "\u200b", `"\u200b"`},
		{"byte order mark", "\ufeff", `"\ufeff"`},
		{"letters", "Dé 漢字 😀", `"Dé 漢字 😀"`},
		{"broken UTF-8", "a\xffb\xc3", `"a\ufffdb\ufffd"`},
		{"overlong", "\xc0\xaf", `"\ufffd\ufffd"`},
		{"surrogate", "\xed\xa0\x80", `"\ufffd\ufffd\ufffd"`},
		{"replacement character itself", "\ufffd", "\"\ufffd\""},
		{"at the limit", strings.Repeat("x", 16), `"` + strings.Repeat("x", 16) + `"`},
		{"beyond the limit", strings.Repeat("x", 17), `"` + strings.Repeat("x", 16) + `…"`},
		{"cut before a character", strings.Repeat("x", 15) + "éé", `"` + strings.Repeat("x", 15) + `…"`},
		{"cut in noise", strings.Repeat("\x80", 20), `"` + strings.Repeat(`\ufffd`, 16) + `…"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(appendText(nil, test.text, 16)); got != test.want {
				t.Errorf("string: got %s, want %s", got, test.want)
			}
			if got := string(appendText(nil, []byte(test.text), 16)); got != test.want {
				t.Errorf("bytes: got %s, want %s", got, test.want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "a\"b\\", "\n\r\t\x00", "é\u2028😀\xff", strings.Repeat("é", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const limit = 64
		out := appendText(nil, text, limit)
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%q is not JSON: %v", out, err)
		}
		want := text
		if len(text) > limit {
			if !strings.HasSuffix(back, "…") {
				t.Fatalf("%q was cut silently", out)
			}
			back = strings.TrimSuffix(back, "…")
			want = text[:limit]
		}
		want = strings.ToValidUTF8(replaceEach(want), "\ufffd")
		if !strings.HasPrefix(want, back) || len(want)-len(back) > 3*len("\ufffd") {
			t.Fatalf("%q came back as %q", want, back)
		}
		if len(text) <= limit && back != want {
			t.Fatalf("%q came back as %q", want, back)
		}
		for _, r := range string(out) {
			if steers(r) && r >= utf8.RuneSelf || r < ' ' || r == 0x7f {
				t.Fatalf("%q holds %U", out, r)
			}
		}
	})
}

// replaceEach makes every ill-formed byte one U+FFFD, as strings.ToValidUTF8 does not for runs.
func replaceEach(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func TestTimesThatCannotBeWritten(t *testing.T) {
	tests := []struct {
		at   time.Time
		want string
	}{
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "9999-12-31T23:59:59Z"}, // R3
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), "0000-01-01T00:00:00Z"},
		{time.Date(2026, 11, 21, 21, 0, 0, 0, time.FixedZone("", 3600)), "2026-11-21T20:00:00Z"},
	}
	for _, test := range tests {
		got := string(appendTime(nil, test.at))
		if got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
		if _, err := time.Parse(time.RFC3339Nano, got); err != nil {
			t.Error(err)
		}
	}
}

// The largest record there can be must stay readable: a line beyond maxLine is no record.
func TestLargestRecordFitsALine(t *testing.T) {
	worst := strings.Repeat("\x01", 1<<16)
	e := &Event{ID: numbered(1), Time: start, Duration: 1 << 62, Service: ServiceOIDC, Operation: worst, Outcome: Fault, Code: worst, Stage: worst, Cause: worst,
		Remote: RemoteLoopback, RequestID: []byte(worst), MessageDigest: [32]byte{1}, Mode: worst,
		Identity: Party{worst, Identifier{worst, worst}, [32]byte{1}}, Holder: Party{worst, Identifier{worst, worst}, [32]byte{1}},
		Subject: Identifier{worst, worst}, AssertionID: []byte(worst), NotBefore: start, NotOnOrAfter: start,
		Client: worst, Action: worst, Resource: Resource{worst, worst, worst}, Policies: worst, Establishment: worst, Attempt: worst, Session: worst,
		Authentication: numbered(2), Means: worst, ACR: worst, AuthTime: start, Credential: worst, Grant: worst, Scope: worst,
		Sealed: Sealed{netip.MustParseAddr("::1"), worst, worst}}
	for range 1000 {
		e.Attributes = append(e.Attributes, Attribute{worst, worst, Omitted, Unavailable, worst, worst, Cached, start.Add(1)})
		e.Profiles = append(e.Profiles, worst)
		e.Methods = append(e.Methods, worst)
		e.Tokens = append(e.Tokens, Token{ActorToken, worst, worst, worst, worst, start})
	}
	files := newMemory()
	j := mustOpen(t, testConfig(t, files))
	record(t, j, e)
	if n := len(files.files[fileName(1)].content); n > maxLine {
		t.Fatalf("%d bytes", n)
	}
	got := entries(t, files, Query{})
	if len(got) != 1 || len(got[0].Attributes) != maxAttributes || got[0].MoreAttributes != 1000-maxAttributes {
		t.Fatalf("read back %d entries", len(got))
	}
	mustBeIntact(t, files)
}

func TestEncodingAllocatesNothing(t *testing.T) {
	e := fullEvent()
	p := testKey(t).pseudonymizer()
	buffer := appendEvent(nil, e, &p)
	if n := testing.AllocsPerRun(100, func() { buffer = appendEvent(buffer[:0], e, &p); p.forget() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func anyEvent() *rapid.Generator[*Event] {
	return rapid.Custom(func(t *rapid.T) *Event {
		text := rapid.StringOfN(rapid.Rune(), -1, -1, 60)
		id := rapid.Custom(func(t *rapid.T) Identifier { return Identifier{text.Draw(t, "type"), text.Draw(t, "value")} })
		e := &Event{
			Time: start.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "time"))), Duration: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "duration")),
			Service: "s" + text.Draw(t, "service"), Outcome: Outcome(rapid.IntRange(1, 3).Draw(t, "outcome")), Code: text.Draw(t, "code"),
			Cause: text.Draw(t, "cause"), RequestID: []byte(text.Draw(t, "request")), Subject: id.Draw(t, "subject"),
			Identity: Party{Kind: text.Draw(t, "kind"), Identifier: id.Draw(t, "identity")},
		}
		copy(e.ID[:], rapid.SliceOfN(rapid.ByteRange(1, 255), 16, 16).Draw(t, "id"))
		for range rapid.IntRange(0, 4).Draw(t, "attributes") {
			e.Attributes = append(e.Attributes, Attribute{Name: text.Draw(t, "name"), Namespace: text.Draw(t, "namespace"),
				Disposition: Disposition(rapid.IntRange(0, 3).Draw(t, "disposition")), State: State(rapid.IntRange(0, 4).Draw(t, "state")),
				Origin: Origin(rapid.IntRange(0, 2).Draw(t, "origin")), RetrievedAt: start.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "retrieved")))})
		}
		return e
	})
}

var longNumber = regexp.MustCompile(`[0-9]{8,}`)

func masked(s string) string {
	return longNumber.ReplaceAllStringFunc(s, func(run string) string { return strings.Repeat("#", len(run)) })
}

// What is recorded can be read back, whatever its texts.
func TestEventsComeBack(t *testing.T) {
	key := testKey(t)
	rapid.Check(t, func(rt *rapid.T) {
		e := anyEvent().Draw(rt, "event")
		var back Entry
		line := `{"seq":1,` + encode(t, e) + `}`
		if err := json.Unmarshal([]byte(line), &back); err != nil {
			rt.Fatalf("%s: %v", line, err)
		}
		switch {
		case back.ID != e.ID.String(), !back.Time.Equal(e.Time), back.Service != e.Service, back.Outcome != e.Outcome.String(),
			back.Code != e.Code, back.Cause != masked(e.Cause), back.RequestID != string(e.RequestID), back.DurationMicros != e.Duration.Microseconds(),
			back.Identity.Kind != e.Identity.Kind, len(back.Attributes) != len(e.Attributes):
			rt.Fatalf("%+v came back as %+v", e, back)
		case e.Subject != Identifier{} && (back.Subject.Type != e.Subject.Type || back.Subject.Pseudonym != key.Pseudonym(e.Subject).String()):
			rt.Fatalf("subject %+v came back as %+v", e.Subject, back.Subject)
		}
		for i, a := range e.Attributes {
			b := back.Attributes[i]
			if b.Name != masked(a.Name) || b.Namespace != a.Namespace || b.Disposition != a.Disposition.String() || b.State != a.State.String() ||
				b.Origin != a.Origin.String() || b.RetrievedAt.IsZero() != (a.Origin == Live) || a.Origin != Live && !b.RetrievedAt.Equal(a.RetrievedAt) {
				rt.Fatalf("%+v came back as %+v", a, b)
			}
		}
	})
}
