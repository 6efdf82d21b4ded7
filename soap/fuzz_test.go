package soap_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sceau/internal/attack"
	"sceau/internal/testpki"
	"sceau/soap"
)

// seeds are messages of every shape that the tables have, the samples included when
// they are at hand.
func seeds(f *testing.F) [][]byte {
	d := newDraft()
	saml := newDraft()
	saml.keyInfo, saml.token, saml.refs = byAssertion(assertionID), plain, over("B", "TS")
	all := [][]byte{d.sign(f), saml.sign(f)}
	variants, err := attack.Message(all[0])
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range variants {
		all = append(all, v.Message)
	}
	for _, content := range contents {
		message, err := outgoing(content, d.leaf, "").Append(nil, messageSigner(f, d.leaf, ""))
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, message)
	}
	if root := os.Getenv("SCEAU_SHARED"); root != "" {
		names, _ := filepath.Glob(filepath.Join(root, "samples", "ehealth", "*.xml"))
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, text)
		}
	}
	return all
}

// FuzzParse: no panic, an error is an *Error and comes alone, and what is read is
// read again from the same text.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		before := bytes.Clone(message)
		e, err := soap.Parse(message, config())
		if (e == nil) == (err == nil) {
			t.Fatal("an Envelope and an error, or neither")
		}
		if err != nil {
			typed(t, err)
			soap.AppendFault(nil, soap.FaultOf(err))
		}
		e.Release()
		if !bytes.Equal(message, before) {
			t.Fatal("the message was written to")
		}
	})
}

// FuzzVerify: a message that verifies under Alice's key holds what Alice signed: the
// canonical form of its Body, Timestamp and token are those of one of the seeds.
func FuzzVerify(f *testing.F) {
	k := trust(&testpki.Load().AliceEIDP256)
	signed := map[[32]byte]string{}
	for _, s := range seeds(f) {
		f.Add(s)
		if e, err := soap.Parse(s, config()); err == nil {
			if v, err := e.Verify(policy(), k, testpki.Now()); err == nil {
				signed[v.Digest()] = canonical(f, v.Body())
			}
			e.Release()
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, err := soap.Parse(message, config())
		if err != nil {
			return
		}
		defer e.Release()
		p := policy()
		v, err := e.Verify(p, k, testpki.Now())
		if err != nil {
			typed(t, err)
			if !v.Body().IsZero() || v.Token() != nil || v.Digest() != [32]byte{} {
				t.Fatal("a Signed with an error")
			}
			return
		}
		body, ok := signed[v.Digest()]
		if !ok || body != canonical(t, v.Body()) {
			t.Fatalf("a body that Alice did not sign: %s", message)
		}
		if v.Body().Parent().Parent() != v.Body().Document().Root() {
			t.Fatal("a body out of its place")
		}
	})
}

// FuzzReplay: an admitted digest is not admitted again before its end, whatever the
// clock does in between.
func FuzzReplay(f *testing.F) {
	f.Add([]byte{1, 10, 5, 2, 20, 250, 1, 10, 0})
	f.Add([]byte{1, 1, 0, 2, 1, 60, 1, 1, 200, 3, 3, 3})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := soap.NewMemoryReplay(50)
		now := testpki.Now()
		ends := map[byte]time.Time{}
		for len(steps) >= 3 {
			id, life, step := steps[0]%32, steps[1], int8(steps[2])
			steps = steps[3:]
			now = now.Add(time.Duration(step) * 20 * time.Second)
			until, seen := ends[id]
			if !seen || !until.After(now) {
				until = now.Add(time.Duration(life) * 5 * time.Second)
			}
			err := m.Remember(digest(int(id)), until, now)
			if err == nil && seen && ends[id].After(now) {
				t.Fatalf("digest %d admitted twice before its end", id)
			}
			if err == nil {
				ends[id] = until
			}
		}
	})
}

// TestEveryByte changes each byte of a message: it is refused, or it is the same
// message in other words.
func TestEveryByte(t *testing.T) {
	message := newDraft().sign(t)
	k := trust(&testpki.Load().AliceEIDP256)
	e, err := soap.Parse(message, config())
	if err != nil {
		t.Fatal(err)
	}
	v, err := e.Verify(policy(), k, testpki.Now())
	if err != nil {
		t.Fatal(err)
	}
	digest, body := v.Digest(), canonical(t, v.Body())
	e.Release()
	admitted, changes := 0, []byte{1, 2, 0x20, 0x80}
	if raceEnabled {
		changes = changes[:1] // it is slow
	}
	for i := range message {
		for _, change := range changes {
			message[i] ^= change
			if e, err := soap.Parse(message, config()); err == nil {
				if v, err := e.Verify(policy(), k, testpki.Now()); err == nil {
					admitted++
					if v.Digest() != digest || canonical(t, v.Body()) != body {
						t.Errorf("byte %d ^ %#x: another message is admitted\n%s", i, change, message)
					}
				}
				e.Release()
			}
			message[i] ^= change
		}
	}
	t.Logf("%d of %d changes are the same message in other words", admitted, len(changes)*len(message))
}
