package xmlsec_test

import (
	"crypto"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sceau/internal/judge"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// meaning writes down what a reader of n sees through the node API: names,
// attributes, characters, where everything stands. It knows nothing of
// canonicalization, so that it can judge it. omit is left out.
func meaning(b *strings.Builder, n, omit xmltext.Node) {
	fmt.Fprintf(b, "<{%s}%s", n.Namespace(), n.Local())
	var attributes []string
	for i := range n.AttributeCount() {
		namespace, local, value := n.AttributeAt(i)
		attributes = append(attributes, fmt.Sprintf(" {%s}%s=%q", namespace, local, value))
	}
	slices.Sort(attributes)
	b.WriteString(strings.Join(attributes, "") + ">")
	d := n.Document()
	tokens := d.Tokens()
	end := tokens[n.Index()].Next
	child := n.FirstElement()
	var text []byte
	for i := n.Index() + 1; i < end; i = tokens[i].Next {
		switch tokens[i].Kind {
		case xmltext.Text, xmltext.CDATA:
			text = append(text, d.TokenValue(&tokens[i])...)
		case xmltext.Element:
			if child != omit {
				fmt.Fprintf(b, "%q", text)
				text = nil
				meaning(b, child, omit)
			}
			child = child.NextElement()
		}
	}
	fmt.Fprintf(b, "%q</>", text)
}

// verifiedMeaning verifies the n-th signature and returns what it signs, or an error.
func verifiedMeaning(text []byte, n int, key crypto.PublicKey, policy *xmlsec.Policy) (string, error) {
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		return "", err
	}
	defer d.Release()
	all := signatures(d.Root())
	if d.Root().Is(xmlsec.NamespaceDS, "Signature") {
		all = append([]xmltext.Node{d.Root()}, all...)
	}
	if n >= len(all) {
		return "", fmt.Errorf("no signature %d", n)
	}
	s, err := xmlsec.ParseSignature(all[n])
	if err != nil {
		return "", err
	}
	v, err := s.Verify(key, policy)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i := range s.References() {
		target, enveloped := s.Refers(i)
		if !v.Signs(target) {
			return "", fmt.Errorf("reference %d is verified and not signed", i)
		}
		omit := xmltext.Node{}
		if enveloped {
			omit = s.Node()
		}
		meaning(&b, target, omit)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// signedRanges returns the stretches of text that the n-th signature covers, its
// SignedInfo and its SignatureValue.
func signedRanges(t testing.TB, text []byte, n int) [][2]int {
	t.Helper()
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	node := signatures(d.Root())[n]
	s, err := xmlsec.ParseSignature(node)
	if err != nil {
		t.Fatal(err)
	}
	var ranges [][2]int
	add := func(n xmltext.Node) {
		k := d.Tokens()[n.Index()]
		ranges = append(ranges, [2]int{int(k.Start), int(k.End)})
	}
	add(node.FirstElement())
	add(node.FirstElement().NextElement())
	for i := range s.References() {
		target, _ := s.Refers(i)
		add(target)
	}
	return ranges
}

// freeBytes returns the bytes of a message that no canonical form depends on: what
// is inside comments, and white space in tags outside of values.
func freeBytes(t testing.TB, text []byte) map[int]bool {
	t.Helper()
	d, err := xmltext.Parse(text, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	free := map[int]bool{}
	tokens := d.Tokens()
	for i := range tokens {
		k := &tokens[i]
		if k.Kind == xmltext.Comment {
			for at := k.Start; at < k.End; at++ {
				free[int(at)] = true
			}
		}
		if k.Kind != xmltext.Element {
			continue
		}
		quote := byte(0)
		for at := k.Start; at < k.Open; at++ {
			switch b := text[at]; {
			case quote != 0:
				if b == quote {
					quote = 0
				}
			case b == '"', b == '\'':
				quote = b
			case b == ' ':
				free[int(at)] = true
			}
		}
	}
	return free
}

type flips struct{ all, signed, refused, signedSame, same int }

// flip changes single bits of text, every step-th one, and fails when a changed
// message verifies and says something else than the original.
func flip(t testing.TB, text []byte, n int, key crypto.PublicKey, policy *xmlsec.Policy, step int, exact bool) flips {
	t.Helper()
	want, err := verifiedMeaning(text, n, key, policy)
	if err != nil {
		t.Fatalf("the original: %v", err)
	}
	ranges, free := signedRanges(t, text, n), freeBytes(t, text)
	changed := slices.Clone(text)
	var f flips
	for bit := 0; bit < 8*len(text); bit += step {
		at := bit / 8
		signed := false
		for _, r := range ranges {
			signed = signed || at >= r[0] && at < r[1]
		}
		changed[at] ^= 1 << (bit % 8)
		got, err := verifiedMeaning(changed, n, key, policy)
		switch {
		case err != nil:
			f.refused++
		case got != want:
			t.Errorf("bit %d of byte %d (%q): verifies and says %s", bit%8, at, changed[max(0, at-20):min(len(text), at+20)], got)
		case exact && signed && !free[at]:
			t.Errorf("bit %d of byte %d (%q): verifies", bit%8, at, changed[max(0, at-20):min(len(text), at+20)])
		default:
			f.same++
			if signed {
				f.signedSame++
			}
		}
		changed[at] ^= 1 << (bit % 8)
		f.all++
		if signed {
			f.signed++
		}
	}
	return f
}

// TestEveryBit: a message with one bit changed, any bit anywhere, is refused or still
// says what was signed. In the signed parts the second is so only where no canonical
// form depends on the byte: in comments and between attributes.
func TestEveryBit(t *testing.T) {
	step := 1
	if judge.RaceEnabled || testing.Short() {
		step = 17
	}
	policy := xmlsec.DefaultPolicy()
	for _, c := range []struct {
		name, key string
		method    xmlsec.SignatureMethod
		step      int
	}{
		{"ECDSA P-256", "p256", xmlsec.ECDSASHA256, 1},
		{"RSA", "rsa2048", xmlsec.RSASHA256, 1},
		{"PSS", "rsa2048", xmlsec.PSSSHA256, 1},
		{"ECDSA P-384", "p384", xmlsec.ECDSASHA384, 23},
		{"ECDSA P-521", "p521", xmlsec.ECDSASHA512, 41},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			method := c.method.URI()
			detachedText := fill(t, apply(t, threeReferences(), []swap{{algorithmECDSA, method}}), key(t, c.key), c.method.Hash(), c.name == "PSS")
			bare := strings.Replace(enveloped, ns, `xmlns:ds="`+xmlsec.NamespaceDS+`"`, 1) // no declaration that nothing uses
			envelopedText := `<r>` + fill(t, apply(t, bare, []swap{{algorithmECDSA, method}}), key(t, c.key), c.method.Hash(), c.name == "PSS") + `</r>`
			for _, text := range []string{detachedText, envelopedText} {
				f := flip(t, []byte(text), 0, public(t, c.key), &policy, step*c.step, true)
				t.Logf("%d bits, %d of them in signed parts: %d refused, %d the same in meaning, %d of them in signed parts", f.all, f.signed, f.refused, f.same, f.signedSame)
			}
		})
	}
}

// TestBitsOfSamples: the same by sampling on the messages of real clients.
func TestBitsOfSamples(t *testing.T) {
	for file, keys := range map[string][]string{
		"connector-saml11-request-eid-hok-sha256.xml": {"eid", "hok"},
		"wsp-call-saml-hok-sha256.xml":                {"sts", "hok"},
		"inferred-assertion-sha256.xml":               {"sts"},
	} {
		text, err := os.ReadFile(judge.Shared(t, "samples", "ehealth", file))
		if err != nil {
			t.Fatal(err)
		}
		policy := xmlsec.DefaultPolicy()
		for n, name := range keys {
			f := flip(t, text, n, samplePublicKey(t, name), &policy, 37, false)
			t.Logf("%s, signature %d: %d bits, %d in signed parts: %d refused, %d the same in meaning", file, n, f.all, f.signed, f.refused, f.same)
		}
	}
}
