package certs

import (
	"encoding/base64"
	"hash/maphash"
	"sync/atomic"
)

const (
	textSlots = 1024
	textEnd   = 64
	maxText   = (maxCertificate + 2) / 3 * 4
)

// texts finds certificates by their base64, without decoding and digesting it. It holds
// only certificates that a Verifier identified, so that a stranger's take no place, and it
// says what Parse would say of the decoded text, no more: whether a certificate is trusted
// still, Identify decides at each use.
//
// The hash of a text's end, which is the CA's signature, chooses its slot and proves nothing: a text is
// found when it equals, octet for octet, the text that was made of the certificate's DER.
type texts struct {
	seed  maphash.Seed
	slots [textSlots]atomic.Pointer[Certificate]
}

func (t *texts) find(text []byte) *Certificate {
	if len(text) == 0 || len(text) > maxText {
		return nil
	}
	c := t.slots[maphash.Bytes(t.seed, text[max(0, len(text)-textEnd):])%textSlots].Load()
	if c == nil || string(text) != c.Base64() {
		return nil
	}
	return c
}

// put takes up a certificate that was identified, and no other.
func (t *texts) put(c *Certificate) {
	if text := c.text.Load(); text != nil {
		end := (*text)[max(0, len(*text)-textEnd):]
		t.slots[maphash.String(t.seed, end)%textSlots].Store(c)
	}
}

func (t *texts) clear() {
	for i := range t.slots {
		t.slots[i].Store(nil)
	}
}

// identified keeps the base64 of a certificate.
func (c *Certificate) identified() {
	if c.text.Load() == nil {
		text := base64.StdEncoding.EncodeToString(c.x509.Raw)
		c.text.Store(&text)
	}
}
