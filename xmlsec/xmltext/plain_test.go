package xmltext

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// slowPlain is Plain as it is defined.
func slowPlain(s string) int {
	if n := strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x80 || strings.ContainsRune(`&<>"`, r) }); n >= 0 {
		return n
	}
	return len(s)
}

func samePlain(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string) {
	t.Helper()
	want := slowPlain(s)
	if got, bytes := Plain(s), Plain([]byte(s)); got != want || bytes != want {
		t.Fatalf("%q: %d as string, %d as bytes, want %d", s, got, bytes, want)
	}
}

// TestPlain sets every byte at every place of texts around the width of a word, before and after
// neighbours whose bits could carry over.
func TestPlain(t *testing.T) {
	for length := range 40 {
		for _, around := range []byte{' ', '!', '#', '\'', '=', '?', 'A', 0x7e, 0x7f, 0x80, 0, '<', 0xff} {
			text := []byte(strings.Repeat(string([]byte{around}), length))
			samePlain(t, string(text))
			for at := range text {
				for b := range 256 {
					text[at] = byte(b)
					samePlain(t, string(text))
				}
				text[at] = 'A' // plain so far: the next place is reached
			}
		}
	}
}

func TestPlainAnything(t *testing.T) {
	plainer := rapid.OneOf(rapid.StringMatching(`[ !#-%'-;=?-~]{0,60}`), rapid.String(), rapid.StringMatching(`[&<>"\x00-\x1f]`))
	rapid.Check(t, func(t *rapid.T) {
		samePlain(t, plainer.Draw(t, "a")+plainer.Draw(t, "b")+plainer.Draw(t, "c"))
	})
}

// TestASCIINames: what the fast reader of names admits, the reader of all names reads alike.
func TestASCIINames(t *testing.T) {
	name := rapid.StringMatching(`[A-Za-z_:][A-Za-z0-9:._-]{0,20}|[a-z:é\x{2603}0-9<=./> -]{0,8}`)
	end := rapid.SampledFrom([]string{"", ">", "/>", "=", " ", "\n", "é", "\xff", "&", ":"})
	read := 0
	rapid.Check(t, func(t *rapid.T) {
		text := []byte("<" + name.Draw(t, "name") + end.Draw(t, "end"))
		fast := parser{text: text, limits: Limits{NameLength: rapid.IntRange(0, 20).Draw(t, "limit")}}
		slow := fast
		colon, after, ok := fast.asciiName(1)
		if !ok {
			return
		}
		read++
		wantColon, wantAfter, wantOK := slow.anyName(1)
		if !wantOK || colon != wantColon || after != wantAfter {
			t.Fatalf("%q: %d, %d; want %d, %d, %v", text, colon, after, wantColon, wantAfter, wantOK)
		}
	})
	if read == 0 {
		t.Error("the fast reader read no name")
	}
}

// TestASCIINamesAreFast: names of every ordinary form do not come to the slow reader.
func TestASCIINamesAreFast(t *testing.T) {
	for _, name := range []string{"a", "ds:Signature", "_x-1.2", "xmlns", "wsu:Id"} {
		p := parser{text: []byte("<" + name + ">"), limits: DefaultLimits()}
		if colon, after, ok := p.asciiName(1); !ok || after != 1+len(name) || colon != 1+strings.Index(name, ":") && (colon != -1 || strings.Contains(name, ":")) {
			t.Errorf("%s: %d, %d, %v", name, colon, after, ok)
		}
	}
}
