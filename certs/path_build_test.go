package certs

import (
	"log/slog"
	"testing"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// TestK5Certified: certificates that came with a message count from the top down, in
// whatever order they came: none that nobody trusted has signed, with whose key a
// stranger would have signatures verified, in every order of four (Z8).
func TestK5Certified(t *testing.T) {
	pki := testpki.Load()
	off := Revocation{Mode: Off}
	p := BelgianEID()
	p.Roots = []*Authority{{Certificate: pki.CitizenRoot.DER(), Revocation: off}}
	p.Intermediates = []*Authority{{Certificate: pki.CitizenCA.DER(), Revocation: off}}
	trust, err := newTrust(&Config{Profiles: []Profile{p}, Log: slog.New(slog.DiscardHandler)}, func(authorityID) *crlSlot { return &crlSlot{} })
	if err != nil {
		t.Fatal(err)
	}
	parse := func(a *minipki.Authority) *Certificate {
		c, err := ParseCertificate(a.DER())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	chain := func(root *minipki.Authority, firstKey byte, names ...string) (out []*Certificate) {
		for i, name := range names {
			below, err := root.Subordinate(minipki.CA(minipki.DN("C", "BE", "CN", name), testpki.NotBefore(), testpki.NotAfter()), fuzzKey(firstKey+byte(i)))
			if err != nil {
				t.Fatal(err)
			}
			root = below
			out = append(out, parse(root))
		}
		return out
	}
	ours, theirs := chain(pki.CitizenRoot, 1, "A", "B", "C"), chain(pki.StrangerCA, 11, "A", "B", "C", "D")
	forged, err := pki.StrangerCA.Subordinate(minipki.CA(minipki.DN("C", "BE", "CN", "TEST Belgium Root CA"), testpki.NotBefore(), testpki.NotAfter()), fuzzKey(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		given []*Certificate
		want  int
	}{
		{"none", nil, 0},
		{"from the top", ours, 3},
		{"from the bottom", []*Certificate{ours[2], ours[1], ours[0]}, 3},
		{"one missing", []*Certificate{ours[2], ours[0]}, 1},
		{"the root too", []*Certificate{ours[0], parse(pki.CitizenRoot)}, 2},
		{"a stranger's", theirs, 0},
		{"a stranger's, with the names of ours", []*Certificate{theirs[1], theirs[2], ours[0]}, 1},
		{"a stranger's, with the name of the root", []*Certificate{parse(forged)}, 0},
	} {
		if got := trust.certified(trust.profiles[0], tt.given); len(got) != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, len(got), tt.want)
		}
	}
}

// TestMoreTelling: of two refusals the one that a path met later is told.
func TestMoreTelling(t *testing.T) {
	ascending := []Reason{UntrustedIssuer, TooManyCertificates, WeakSignature, Expired, ConstraintViolated, RevocationUnknown, Revoked}
	for i, less := range ascending {
		for _, more := range ascending[i+1:] {
			a, b := refuse(less, nil), refuse(more, nil)
			if moreTelling(a, b) != b || moreTelling(b, a) != b {
				t.Errorf("%v and %v", less, more)
			}
		}
	}
	a := refuse(Expired, nil)
	if moreTelling(nil, a) != a || moreTelling(a, nil) != a || moreTelling(nil, nil) != nil || moreTelling(a, refuse(Expired, nil)) != a {
		t.Error("nothing tells more than something, or a second one than the first")
	}
}
