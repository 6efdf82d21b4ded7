package page

import (
	"strings"

	"golang.org/x/text/language"
)

// texts are what pages say in one language, by key. {name} stands for what is filled in.
type texts map[string]string

// languages are those we have, the first one for who asks for none.
var languages = []struct {
	tag   string
	texts texts
}{{"fr", french}, {"nl", dutch}, {"de", german}, {"en", english}}

var matcher = language.NewMatcher([]language.Tag{language.French, language.Dutch, language.German, language.English})

// maxPreferences bounds what is read of the preferences that strangers send: whoever has more languages than fit is asked by the switch.
const maxPreferences = 256

// Language chooses the language of pages: the one that the person chose (the parameter lang of the switch, or what the attempt
// remembers of it), else the first of those that the client asks for (ui_locales) that we have, else what his browser
// prefers (Accept-Language), else French.
func Language(chosen, uiLocales, accept string) string {
	for _, l := range languages {
		if chosen == l.tag {
			return chosen
		}
	}
	if len(uiLocales) <= maxPreferences {
		for _, locale := range strings.Fields(uiLocales) {
			if tag, err := language.Parse(locale); err == nil {
				if _, index, confidence := matcher.Match(tag); confidence >= language.Low {
					return languages[index].tag
				}
			}
		}
	}
	if len(accept) <= maxPreferences {
		if tags, _, err := language.ParseAcceptLanguage(accept); err == nil && len(tags) > 0 {
			if _, index, confidence := matcher.Match(tags...); confidence >= language.Low {
				return languages[index].tag
			}
		}
	}
	return languages[0].tag
}

// textsOf are the texts of a language, of the first one if it is none of ours.
func textsOf(tag string) (string, texts) {
	for _, l := range languages {
		if tag == l.tag {
			return tag, l.texts
		}
	}
	return languages[0].tag, languages[0].texts
}

// unbreakable keeps French punctuation on the line of its word.
var unbreakable = strings.NewReplacer(" :", "\u00a0:", " ;", "\u202f;", " ?", "\u202f?", " !", "\u202f!", "« ", "«\u00a0", " »", "\u00a0»")
