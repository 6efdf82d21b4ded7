package audit

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// What is sealed is encrypted with AES-256-GCM under a random nonce, with a key of its own for each day (UTC) of the
// events, so that no key sees more nonces than are good for it (NIST SP 800-38D: 2^32). The id of the event is
// authenticated with it: what was sealed for one record opens in no other.

// sealStep is what the length of a sealed text is a multiple of: it does not tell one address from another.
const sealStep = 64

// A sealer is the reusable state of one goroutine.
type sealer struct {
	secret []byte
	day    int64
	aead   cipher.AEAD
	text   []byte
	sealed []byte
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// daily gives the cipher of the day of an event.
func daily(secret []byte, day int64) (cipher.AEAD, error) {
	info := "sceau audit seal " + time.Unix(day*24*60*60, 0).UTC().Format(time.DateOnly)
	key, err := hkdf.Key(sha256.New, secret, nil, info, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// append appends the sealed text of an event, or nothing where there is none.
func (s *sealer) append(dst []byte, e *Event) []byte {
	if e.Sealed == (Sealed{}) {
		return dst
	}
	if day := dayOf(e.Time); s.aead == nil || s.day != day {
		aead, err := daily(s.secret, day)
		if err != nil {
			return dst // only where the lengths above were wrong
		}
		s.aead, s.day = aead, day
	}
	s.text = append(s.text[:0], '{')
	if e.Sealed.Source.IsValid() {
		s.text = append(s.text, `"source":"`...)
		s.text = e.Sealed.Source.WithZone("").Unmap().AppendTo(s.text) // a zone means something on our machine alone
		s.text = append(s.text, `",`...)
	}
	s.text = appendMember(s.text, `"account":`, e.Sealed.Account, maxSealed)
	if e.Sealed.Agent != "" {
		if s.text[len(s.text)-1] == '"' {
			s.text = append(s.text, ',')
		}
		s.text = appendMember(s.text, `"agent":`, e.Sealed.Agent, maxSealed)
	}
	if last := len(s.text) - 1; s.text[last] == ',' {
		s.text = s.text[:last]
	}
	s.text = append(s.text, '}')
	for len(s.text)%sealStep != 0 {
		s.text = append(s.text, ' ')
	}
	s.sealed = s.aead.Seal(s.sealed[:0], nil, s.text, e.ID[:])
	dst = append(dst, `,"sealed":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, s.sealed)
	return append(dst, '"')
}

// forget removes what was in clear, so that a pooled sealer keeps none.
func (s *sealer) forget() {
	clear(s.text[:cap(s.text)])
	s.text = s.text[:0]
}

// Unseal reads what was sealed in a record of a journal with this key. Zero where nothing was. Its error has Reason
// InvalidKey where it is another key, or the text is not that of this record.
func (k Key) Unseal(e *Entry) (Sealed, error) {
	if len(e.Sealed) == 0 {
		return Sealed{}, nil
	}
	wrong := func(err error) (Sealed, error) {
		return Sealed{}, &Error{Reason: InvalidKey, File: e.File, Line: e.Line, Err: err}
	}
	id, err := ParseID(e.ID)
	if err != nil {
		return wrong(err)
	}
	if k.secret == nil {
		return wrong(errText("no key"))
	}
	aead, err := daily(k.secret, dayOf(e.Time))
	if err != nil {
		return wrong(err)
	}
	text, err := aead.Open(nil, nil, e.Sealed, id[:])
	if err != nil {
		return wrong(errText("what is sealed does not open: another key, or another record"))
	}
	var sealed Sealed
	if err := json.Unmarshal(text, &sealed); err != nil {
		return wrong(errText("what is sealed is not what was recorded"))
	}
	return sealed, nil
}
