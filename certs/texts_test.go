package certs_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
)

// recalled identifies a certificate until its text finds it, and gives that text.
func recalled(tb testing.TB, v *certs.Verifier, role certs.Role, leaf *testpki.Leaf) []byte {
	tb.Helper()
	text := []byte(base64.StdEncoding.EncodeToString(leaf.DER))
	certstest.Identify(tb, v, role, leaf.DER)
	v.Settle()
	c := certstest.Parse(tb, v, leaf.DER)
	if found := v.Recall(text); found != c || string(text) != c.Base64() {
		tb.Fatalf("the text of an identified certificate finds %v", found)
	}
	return text
}

// TestRecallOnlyWhatWasIdentified: a stranger's certificate, and a revoked one, take no place.
func TestRecallOnlyWhatWasIdentified(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	text := base64.StdEncoding.EncodeToString(pki.AliceEID.DER)
	for range 3 {
		if c := certstest.Parse(t, v, pki.AliceEID.DER); c.Base64() != text {
			t.Error("Base64 of a certificate that was parsed")
		}
		v.Settle()
		if v.Recall([]byte(text)) != nil {
			t.Error("found before it was identified")
		}
	}
	for _, leaf := range []*testpki.Leaf{&pki.StrangerEID, &pki.RevokedEID, &pki.ExpiredEHealth} {
		for range 3 {
			if reasonOf(t, v, certs.RoleIdentity, leaf.DER) == 0 {
				t.Fatal("identified")
			}
			v.Settle()
		}
		if v.Recall([]byte(base64.StdEncoding.EncodeToString(leaf.DER))) != nil {
			t.Error("a certificate that was refused is found")
		}
	}
	recalled(t, v, certs.RoleIdentity, &pki.AliceEID)
}

// TestRecallIsExact: of all texts but one, none finds the certificate: not one with another character in
// any place, cut, extended, or with white space, all of which a decoder might pass over.
func TestRecallIsExact(t *testing.T) {
	pki, v := testpki.Load(), certstest.Verifier(t)
	text := recalled(t, v, certs.RoleIdentity, &pki.AliceEIDP256)
	other := recalled(t, v, certs.RoleHolder, &pki.AliceEHealthP256)
	if one, two := v.Recall(text), v.Recall(other); string(one.Raw()) != string(pki.AliceEIDP256.DER) || string(two.Raw()) != string(pki.AliceEHealthP256.DER) {
		t.Fatal("one text finds the certificate of another")
	}
	for i := range text { // with the same end, and so the same slot, and with others
		for _, b := range []byte{text[i] ^ 1, text[i] ^ 0x20, '=', '\n', 0} {
			if b == text[i] {
				continue
			}
			changed := append([]byte(nil), text...)
			changed[i] = b
			if v.Recall(changed) != nil {
				t.Fatalf("%q in place of %q at %d", b, text[i], i)
			}
		}
		if v.Recall(text[:i]) != nil || i > 0 && v.Recall(text[i:]) != nil {
			t.Fatalf("cut at %d", i)
		}
		if v.Recall(append(append(append([]byte(nil), text[:i]...), '\n'), text[i:]...)) != nil {
			t.Fatalf("a line end at %d", i)
		}
	}
	for _, changed := range [][]byte{nil, append(text[:len(text):len(text)], '='), append(text[:len(text):len(text)], other...), make([]byte, 1<<20)} {
		if v.Recall(changed) != nil {
			t.Errorf("found by %d other octets", len(changed))
		}
	}
}

// TestRecallTrustsNobody: a certificate that is recalled is refused from the moment on at which a
// CRL lists it, or its authority is trusted no more.
func TestRecallTrustsNobody(t *testing.T) {
	pki := testpki.Load()
	c := anchored(pki.CitizenCA, certs.Revocation{})
	sign := func(number int64, revoked ...[]byte) []byte {
		crl := list(revoked...)
		crl.Number = number
		der, err := pki.CitizenCA.CRL(crl)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	dir := files(t, sign(1))
	c.CRL.Files = []string{dir}
	v := open(t, c)
	text := recalled(t, v, certs.RoleIdentity, &pki.AliceEID)
	identify := func() certs.Reason {
		t.Helper()
		leaf := v.Recall(text)
		if leaf == nil {
			t.Fatal("not recalled")
		}
		_, err := v.Identify(certs.RoleIdentity, leaf, nil, testpki.Now())
		return certs.ReasonOf(err)
	}
	if got := identify(); got != 0 {
		t.Errorf("good: %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.crl"), sign(2, pki.AliceEID.DER), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := identify(); got != certs.Revoked {
		t.Errorf("listed: %v", got)
	}
	if err := v.Reload(anchored(pki.ForeignerCA, certs.Revocation{Mode: certs.Off})); err != nil {
		t.Fatal(err)
	}
	if got := identify(); got != certs.UntrustedIssuer {
		t.Errorf("under another authority: %v", got)
	}
	v.Close()
	if v.Recall(text) != nil {
		t.Error("found after Close")
	}
}

// TestRecallConcurrently: the race detector watches texts come, go and be read.
func TestRecallConcurrently(t *testing.T) {
	pki := testpki.Load()
	c := certstest.Config(t)
	c.CacheEntries = 1 // certificates are dropped and parsed again all the time
	v := open(t, c)
	leaves := []*testpki.Leaf{&pki.AliceEID, &pki.AliceEIDP256, &pki.AliceEIDP384, &pki.BobEID}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 200 {
				leaf := leaves[(g+i)%len(leaves)]
				certstest.Identify(t, v, certs.RoleIdentity, leaf.DER)
				if found := v.Recall([]byte(base64.StdEncoding.EncodeToString(leaf.DER))); found != nil && string(found.Raw()) != string(leaf.DER) {
					t.Error("the certificate of another text")
				}
				if i%50 == 0 {
					if err := v.Reload(c); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
}

// TestRecallParsedAgain: a certificate that was dropped and parsed again is recalled too.
func TestRecallParsedAgain(t *testing.T) {
	v, leaf := certstest.Verifier(t), &testpki.Load().AliceEID
	first, err := certs.ParseCertificate(leaf.DER)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Identify(certs.RoleIdentity, first, nil, testpki.Now()); err != nil {
		t.Fatal(err)
	}
	v.Settle()
	recalled(t, v, certs.RoleIdentity, leaf)
}

func TestRecallAllocatesNothing(t *testing.T) {
	v := certstest.Verifier(t)
	text := recalled(t, v, certs.RoleIdentity, &testpki.Load().AliceEID)
	if n := testing.AllocsPerRun(100, func() { v.Recall(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
