package xmlsec_test

import (
	"crypto"
	"strings"
	"testing"

	"sceau/internal/vector"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// wrap edits a signed message as signature wrapping does: elements are copied, moved
// and taken away whole, identifiers change hands, values are forged.
func wrap(choose vector.Source, text string) string {
	for range 1 + choose(4) {
		d, err := xmltext.Parse([]byte(text), xmltext.DefaultLimits())
		if err != nil {
			return text
		}
		var all []xmltext.Token
		for _, k := range d.Tokens() {
			if k.Kind == xmltext.Element {
				all = append(all, k)
			}
		}
		d.Release()
		a, b := all[choose(len(all))], all[choose(len(all))]
		source := text[a.Start:a.End]
		into := func(s string) string { // the place where content of b begins, or ends
			at := b.Open
			if choose(2) == 0 {
				at = b.Close
			}
			if b.SelfClosed() {
				return text
			}
			return text[:at] + s + text[at:]
		}
		forged := strings.NewReplacer("asked", "forged", "alice", "eve").Replace(source)
		switch choose(8) {
		case 0: // a copy elsewhere
			text = into(source)
		case 1: // a forged copy elsewhere
			text = into(forged)
		case 2: // a forged copy beside, under another identifier
			text = text[:a.End] + strings.NewReplacer(`Id="`, `Id="x`, `ID="`, `ID="x`).Replace(forged) + text[a.End:]
		case 3: // moved inside a wrapper, the forged one in its place
			text = text[:a.Start] + forged + `<wrapper>` + source + `</wrapper>` + text[a.End:]
		case 4: // taken away
			text = text[:a.Start] + text[a.End:]
		case 5: // wrapped
			text = text[:a.Start] + `<wrapper>` + source + `</wrapper>` + text[a.End:]
		case 6: // an identifier changes hands
			ids := []string{"body", "time", "token", "assertion", "str"}
			from, to := ids[choose(len(ids))], ids[choose(len(ids))]
			text = strings.Replace(text, `Id="`+from+`"`, `Id="`+to+`"`, 1)
		case 7: // another spelling of the attribute
			text = strings.Replace(text, []string{"wsu:Id=", "AssertionID=", "Id="}[choose(3)], []string{"Id=", "ID=", "wsu:Id="}[choose(3)], 1)
		}
	}
	return text
}

// TestWrapping: W1 to W10 in general: however a signed message is rearranged, what a
// proof says was signed is what was signed, word for word, and nothing that stands
// outside of it is covered.
func TestWrapping(t *testing.T) {
	policy := xmlsec.DefaultPolicy()
	originals := []string{
		fill(t, threeReferences(), key(t, "p256"), crypto.SHA256, false),
		`<r>` + fill(t, enveloped, key(t, "p256"), crypto.SHA256, false) + `</r>`,
	}
	said := map[string]bool{}
	for _, text := range originals {
		what, err := verifiedMeaning([]byte(text), 0, public(t, "p256"), &policy)
		if err != nil {
			t.Fatal(err)
		}
		said[what] = true
	}
	rounds := 20000
	if testing.Short() {
		rounds = 1000
	}
	verified, parsed := 0, 0
	for i := range rounds {
		text := wrap(vector.Seeded(uint64(i)), originals[i%len(originals)])
		d, err := xmltext.Parse([]byte(text), xmltext.DefaultLimits())
		if err != nil {
			continue
		}
		parsed++
		for n, node := range signatures(d.Root()) {
			s, err := xmlsec.ParseSignature(node)
			if err != nil {
				continue
			}
			proof, err := s.Verify(public(t, "p256"), &policy)
			if err != nil {
				continue
			}
			verified++
			if what, err := verifiedMeaning([]byte(text), n, public(t, "p256"), &policy); err != nil || !said[what] {
				t.Fatalf("round %d: %v: never signed: %s\n%s", i, err, what, text)
			}
			checkForgery(t, d.Root(), &proof)
		}
		d.Release()
	}
	t.Logf("%d rearranged messages: %d well-formed, in them %d signatures that verify, each over what was signed", rounds, parsed, verified)
	if verified < rounds/100 {
		t.Error("hardly anything verifies: the test says nothing")
	}
}

// checkForgery: nothing that is covered holds a forged word.
func checkForgery(t *testing.T, n xmltext.Node, proof *xmlsec.Verified) {
	t.Helper()
	if value, ok := n.Value(); ok && proof.Covers(n) && (strings.Contains(string(value), "forged") || strings.Contains(string(value), "eve")) {
		t.Fatalf("a forged element is covered: %s", n.Source())
	}
	if n.Is("", "wrapper") && proof.Covers(n) {
		t.Fatalf("a wrapper is covered: %s", n.Source())
	}
	for c := n.FirstElement(); !c.IsZero(); c = c.NextElement() {
		checkForgery(t, c, proof)
	}
}
