package saml_test

import (
	"crypto"
	"crypto/sha256"
	"testing"

	"sceau/internal/testpki"
	"sceau/saml"
)

// TestAllocations: reading into a value that was used before allocates nothing.
func TestAllocations(t *testing.T) {
	leaf := &testpki.Load().STS
	text, err := saml.AppendQuery(nil, wish(), signer(t, leaf))
	if err != nil {
		t.Fatal(err)
	}
	n := parse(t, string(text))
	var r saml.Request
	var a saml.Assertion
	var p saml.Response
	zero := func(what string, f func() error) {
		t.Helper()
		if allocations := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); allocations != 0 {
			t.Errorf("%s: %v allocations", what, allocations)
		}
	}
	zero("ParseRequest", func() error { return saml.ParseRequest(n, &r) })
	self := r.Subject.Confirmation.Data.FirstElement()
	zero("ParseAssertion", func() error { return saml.ParseAssertion(self, &a) })
	answer := parse(t, response(responseHead, success+`<saml:Assertion/>`))
	zero("ParseResponse", func() error { return saml.ParseResponse(answer, &p) })

	// Writing allocates what the signature does, and nothing when there is room.
	if raceEnabled {
		return
	}
	s, i, sum := signer(t, leaf), issue(), sha256.Sum256(nil)
	room := make([]byte, 0, 1<<16)
	ours := testing.AllocsPerRun(20, func() {
		if _, err := saml.AppendAssertion(room, i, s); err != nil {
			t.Fatal(err)
		}
	})
	theirs := testing.AllocsPerRun(20, func() {
		if _, err := leaf.Key.Sign(nil, sum[:], crypto.SHA256); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("AppendAssertion: %v allocations, %v of them cryptography", ours, theirs)
	if ours > theirs+1 { // the parts of the signature
		t.Errorf("AppendAssertion: %v allocations, %v of them cryptography", ours, theirs)
	}
}

func BenchmarkParseRequest(b *testing.B) {
	text, err := saml.AppendQuery(nil, wish(), signer(b, &testpki.Load().STS))
	if err != nil {
		b.Fatal(err)
	}
	n := parse(b, string(text))
	var r saml.Request
	var a saml.Assertion
	b.ReportAllocs()
	for b.Loop() {
		if err := saml.ParseRequest(n, &r); err != nil {
			b.Fatal(err)
		}
		if err := saml.ParseAssertion(r.Subject.Confirmation.Data.FirstElement(), &a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAssertion(b *testing.B) {
	s, i := signer(b, &testpki.Load().STSP256), issue()
	room := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := saml.AppendAssertion(room, i, s); err != nil {
			b.Fatal(err)
		}
	}
}
