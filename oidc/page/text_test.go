package page

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
)

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// TestTexts: every language says the same things, with the same names to fill in.
func TestTexts(t *testing.T) {
	for _, l := range languages {
		for key, text := range french {
			other := l.texts[key]
			if strings.TrimSpace(other) == "" {
				t.Errorf("%s: no text %s", l.tag, key)
				continue
			}
			want, got := placeholder.FindAllString(text, -1), placeholder.FindAllString(other, -1)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s fills in %v, French %v", l.tag, key, got, want)
			}
			if strings.ContainsAny(other, "'\"<>") {
				t.Errorf("%s: %s has a typewriter's quote, or markup: %s", l.tag, key, other)
			}
		}
		if len(l.texts) != len(french) {
			t.Errorf("%s has %d texts, French %d", l.tag, len(l.texts), len(french))
		}
	}
}

// TestTextsAreUsed: no text is left over, and none that is named is missing. Names that are put together are listed by their beginning.
func TestTextsAreUsed(t *testing.T) {
	made := []string{"refused.", "password.refused.", "code.refused.", "passkey.refused.", "certificate.refused.", "wallet.refused.", "kind.", "scope.", "error.is.", "wait."}
	var source strings.Builder
	for _, pattern := range []string{"templates/*.html", "*.go"} {
		names, err := fs.Glob(os.DirFS("."), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.HasPrefix(name, "text_") && !strings.HasSuffix(name, "_test.go") {
				content, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				source.Write(content)
			}
		}
	}
	for key := range french {
		titled := strings.HasSuffix(key, ".title")
		if !titled && !strings.Contains(source.String(), `"`+key+`"`) && !slices.ContainsFunc(made, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("nobody says %s", key)
		}
	}
	named := regexp.MustCompile(`\.(?:T|Strong) "([^"]+)"`).FindAllStringSubmatch(source.String(), -1)
	if len(named) < 40 {
		t.Fatalf("only %d texts are named", len(named))
	}
	for _, name := range named {
		if french[name[1]] == "" {
			t.Errorf("no text %s", name[1])
		}
	}
}

// TestTemplatesSayNothing: words stand in the texts, where they are translated.
func TestTemplatesSayNothing(t *testing.T) {
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	err := fs.WalkDir(templateFiles, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(templateFiles, name)
		if err != nil {
			return err
		}
		// To a tokenizer what stands in noscript is text: a browser without scripts reads elements.
		source := strings.ReplaceAll(action.ReplaceAllString(string(content), ""), "noscript", "div")
		for tokens := html.NewTokenizer(strings.NewReader(source)); ; {
			kind := tokens.Next()
			if kind == html.ErrorToken {
				return nil
			}
			token := tokens.Token()
			if kind == html.TextToken && strings.ContainsFunc(token.Data, unicode.IsLetter) {
				t.Errorf("%s says %q", name, strings.TrimSpace(token.Data))
			}
			for _, a := range token.Attr {
				if slices.Contains([]string{"title", "alt", "placeholder", "aria-label", "aria-description"}, a.Key) && a.Val != "" {
					t.Errorf("%s says %s=%q", name, a.Key, a.Val)
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFrenchPunctuation(t *testing.T) {
	f := &frame{Language: "fr", texts: texts{"x": "Qui ? « {who} » : vous !"}}
	if got, want := f.T("x", "who", "moi ?"), "Qui\u202f? «\u00a0moi ?\u00a0»\u00a0: vous\u202f!"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// What is filled in is not looked at again.
	f.texts["y"] = "{a} {b}"
	if got := f.T("y", "a", "{b}", "b", "2"); got != "{b} 2" {
		t.Errorf("%q", got)
	}
	if got := string(f.Strong("y", "a", "<i>", "b", "2")); got != "<strong><bdi>&lt;i&gt;</bdi></strong> <strong><bdi>2</bdi></strong>" {
		t.Errorf("%q", got)
	}
}
