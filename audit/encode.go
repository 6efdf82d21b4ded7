package audit

import (
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
)

// How much of a text is kept, in bytes of the text itself. With them a record of
// maxAttributes attributes, every byte escaped, stays below maxLine.
const (
	maxWord       = 128
	maxName       = 256
	maxCause      = 1024
	maxAttributes = 128
	maxProfiles   = 32
	maxMethods    = 16
	maxTokens     = 16
	maxSealed     = 512 // of each text
)

// appendEvent appends the members of an event's record between seq and durable. It is
// written out by hand, in a fixed order and without reflection: it stands on the
// road of every request.
func appendEvent(dst []byte, e *Event, p *pseudonymizer) []byte {
	dst = append(dst, `"kind":"event","id":"`...)
	dst = e.ID.Append(dst)
	dst = append(dst, `","time":"`...)
	dst = appendTime(dst, e.Time)
	dst = append(dst, '"')
	dst = appendMember(dst, `,"service":`, e.Service, maxWord)
	dst = appendMember(dst, `,"operation":`, e.Operation, maxWord)
	dst = append(dst, `,"outcome":"`...)
	dst = append(dst, e.Outcome.String()...)
	dst = append(dst, '"')
	dst = appendMember(dst, `,"code":`, e.Code, maxWord)
	dst = appendMember(dst, `,"stage":`, e.Stage, maxWord)
	start := len(dst)
	dst = appendMember(dst, `,"cause":`, e.Cause, maxCause)
	maskNumbers(dst[start:])
	dst = appendMember(dst, `,"remote":`, e.Remote.String(), maxWord)
	dst = appendMember(dst, `,"requestId":`, e.RequestID, maxName)
	dst = appendDigest(dst, `,"message":"`, &e.MessageDigest)
	dst = appendMember(dst, `,"mode":`, e.Mode, maxWord)
	dst = appendParty(dst, `,"identity":{`, &e.Identity, p)
	dst = appendParty(dst, `,"holder":{`, &e.Holder, p)
	if e.Subject != (Identifier{}) {
		dst = append(dst, `,"subject":{`...)
		dst = appendIdentifier(dst, e.Subject, p)
		dst = append(dst, '}')
	}
	dst = appendMember(dst, `,"client":`, e.Client, maxWord)
	dst = appendMember(dst, `,"action":`, e.Action, maxWord)
	dst = appendResource(dst, &e.Resource, p)
	dst = appendMember(dst, `,"policies":`, e.Policies, maxCause)
	dst = appendTexts(dst, `,"profiles":[`, e.Profiles, maxProfiles)
	dst = appendAttributes(dst, e.Attributes)
	dst = appendMember(dst, `,"assertionId":`, e.AssertionID, maxName)
	if !e.NotBefore.IsZero() {
		dst = append(dst, `,"notBefore":"`...)
		dst = appendTime(dst, e.NotBefore)
		dst = append(dst, '"')
	}
	if !e.NotOnOrAfter.IsZero() {
		dst = append(dst, `,"notOnOrAfter":"`...)
		dst = appendTime(dst, e.NotOnOrAfter)
		dst = append(dst, '"')
	}
	if e.Service == ServiceOIDC {
		dst = appendOIDC(dst, e, p)
	}
	if e.Duration > 0 {
		dst = append(dst, `,"durationMicros":`...)
		dst = strconv.AppendInt(dst, e.Duration.Microseconds(), 10)
	}
	return dst
}

func appendParty(dst []byte, key string, party *Party, p *pseudonymizer) []byte {
	if party.Kind == "" && party.Identifier == (Identifier{}) && party.Fingerprint == [32]byte{} {
		return dst
	}
	dst = append(dst, key...)
	dst = append(dst, `"kind":`...)
	dst = appendText(dst, party.Kind, maxWord)
	if party.Identifier != (Identifier{}) {
		dst = append(dst, ',')
		dst = appendIdentifier(dst, party.Identifier, p)
	}
	dst = appendDigest(dst, `,"certificate":"`, &party.Fingerprint)
	return append(dst, '}')
}

func appendIdentifier(dst []byte, id Identifier, p *pseudonymizer) []byte {
	dst = append(dst, `"type":`...)
	dst = appendText(dst, id.Type, maxWord)
	dst = append(dst, `,"pseudonym":"`...)
	pseudonym := p.of(id)
	dst = hex.AppendEncode(dst, pseudonym[:])
	return append(dst, '"')
}

func appendResource(dst []byte, r *Resource, p *pseudonymizer) []byte {
	if *r == (Resource{}) {
		return dst
	}
	dst = append(dst, `,"resource":{`...)
	if r.Value != "" {
		dst = appendIdentifier(dst, Identifier{Type: r.Type, Value: r.Value}, p)
	} else {
		dst = append(dst, `"type":`...)
		dst = appendText(dst, r.Type, maxWord)
	}
	start := len(dst)
	dst = appendMember(dst, `,"name":`, r.Name, maxName)
	maskNumbers(dst[start:])
	return append(dst, '}')
}

func appendTexts(dst []byte, key string, texts []string, most int) []byte {
	if len(texts) == 0 {
		return dst
	}
	dst = append(dst, key...)
	for i, text := range texts[:min(len(texts), most)] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, text, maxWord)
	}
	return append(dst, ']')
}

func appendAttributes(dst []byte, attributes []Attribute) []byte {
	if len(attributes) == 0 {
		return dst
	}
	dst = append(dst, `,"attributes":[`...)
	kept := min(len(attributes), maxAttributes)
	for i := range attributes[:kept] {
		a := &attributes[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		start := len(dst)
		dst = append(dst, `{"name":`...)
		dst = appendText(dst, a.Name, maxName)
		maskNumbers(dst[start:])
		dst = append(dst, `,"namespace":`...)
		dst = appendText(dst, a.Namespace, maxWord)
		dst = append(dst, `,"disposition":"`...)
		dst = append(dst, a.Disposition.String()...)
		dst = append(dst, '"')
		dst = appendMember(dst, `,"state":`, a.State.String(), maxWord)
		dst = appendMember(dst, `,"rule":`, a.Rule, maxName) // several, of policies in Cedar
		dst = appendMember(dst, `,"source":`, a.Source, maxWord)
		if a.Origin != Live {
			dst = appendMember(dst, `,"origin":`, a.Origin.String(), maxWord)
			dst = append(dst, `,"retrievedAt":"`...)
			dst = appendTime(dst, a.RetrievedAt)
			dst = append(dst, '"')
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if more := len(attributes) - kept; more > 0 {
		dst = append(dst, `,"attributesOmitted":`...)
		dst = strconv.AppendInt(dst, int64(more), 10)
	}
	return dst
}

// appendMember appends a key and a text, or nothing when the text is empty.
func appendMember[T string | []byte](dst []byte, key string, text T, limit int) []byte {
	if len(text) == 0 {
		return dst
	}
	return appendText(append(dst, key...), text, limit)
}

func appendDigest(dst []byte, key string, digest *[32]byte) []byte {
	if *digest == [32]byte{} {
		return dst
	}
	dst = append(dst, key...)
	dst = hex.AppendEncode(dst, digest[:])
	return append(dst, '"')
}

// appendTime appends RFC 3339 in UTC. A year that RFC 3339 cannot write comes
// from a message (R3: year 10000) and is kept as the last or first it can.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	switch {
	case t.Year() > 9999:
		return append(dst, "9999-12-31T23:59:59Z"...)
	case t.Year() < 0:
		return append(dst, "0000-01-01T00:00:00Z"...)
	}
	return t.AppendFormat(dst, time.RFC3339Nano)
}

// appendText appends text as a JSON string of at most limit bytes of text; a text that was
// cut ends in U+2026. Besides what JSON demands it escapes whatever could steer a
// terminal or turn the order of what is read: control characters, DEL, C1 controls, line and
// paragraph separators, bidirectional and zero-width marks (Z10: log injection). Ill-formed
// UTF-8 becomes U+FFFD.
func appendText[T string | []byte](dst []byte, text T, limit int) []byte {
	cut := len(text) > limit
	if cut {
		end := limit
		for back := 1; back < utf8.UTFMax; back++ {
			if start := limit - back; start >= 0 && utf8.RuneStart(text[start]) {
				if !utf8.FullRuneInString(string(text[start:limit])) {
					end = start // do not cut a character in two
				}
				break
			}
		}
		text = text[:end]
	}
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		if i += plain(text[i:]); i == len(text) {
			break
		}
		c := text[i]
		dst = append(dst, text[start:i]...)
		if c < utf8.RuneSelf {
			dst = appendEscape(dst, rune(c))
			i++
		} else {
			// At most 4 bytes: the conversion stays on the stack.
			r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			switch {
			case r == utf8.RuneError && size == 1:
				dst = append(dst, `\ufffd`...)
			case steers(r):
				dst = appendEscape(dst, r)
			default:
				dst = append(dst, text[i:i+size]...)
			}
			i += size
		}
		start = i
	}
	dst = append(dst, text[start:]...)
	if cut {
		dst = append(dst, "…"...)
	}
	return append(dst, '"')
}

// shortestNumber is the length from which a run of digits may be the number of a person
// or an institution: NIHII has 8, CBE and EHP 10, SSIN 11.
const shortestNumber = 8

// maskNumbers replaces long runs of digits in an encoded text by '#'. A cause is meant to hold no identifier, and the
// name of an attribute cannot; but a cause may quote the name in a certificate, with its SSIN, and a stranger may write into a name what he likes.
func maskNumbers(text []byte) {
	if !mayHoldNumber(text) {
		return
	}
	for i := 0; i < len(text); {
		if text[i] == '\\' { // the digits of an escape are not the text's
			i += 2
			if text[i-1] == 'u' {
				i += 4
			}
			continue
		}
		run := i
		for i < len(text) && '0' <= text[i] && text[i] <= '9' {
			i++
		}
		if i-run >= shortestNumber {
			for k := run; k < i; k++ {
				text[k] = '#'
			}
		}
		if i == run {
			i++
		}
	}
}

// mayHoldNumber says whether one of every shortestNumber bytes is a digit, as one of a long run must be.
func mayHoldNumber(text []byte) bool {
	for i := shortestNumber - 1; i < len(text); i += shortestNumber {
		if '0' <= text[i] && text[i] <= '9' {
			return true
		}
	}
	return false
}

func steers(r rune) bool {
	switch {
	case r < 0xa0,
		r == 0x061c, r == 0xfeff,
		0x200b <= r && r <= 0x200f,
		0x2028 <= r && r <= 0x202e,
		0x2060 <= r && r <= 0x206f,
		0xfff9 <= r && r <= 0xfffb:
		return true
	}
	return false
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
