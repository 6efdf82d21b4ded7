package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// ocspBench is a policy of the citizen CA with a question, and answers to it.
func ocspBench(tb testing.TB) (p *ocspPolicy, q *ocspQuestion, answers [][]byte) {
	tb.Helper()
	pki := testpki.Load()
	ca, err := ParseCertificate(pki.CitizenCA.DER())
	if err != nil {
		tb.Fatal(err)
	}
	a := &authority{certificate: ca, policy: Revocation{Mode: Off}, slot: &crlSlot{}}
	c := Config{}.withDefaults()
	if p, err = prepareOCSP(&OCSP{Mode: OCSPHard, MaxAge: time.Hour}, a, &c); err != nil {
		tb.Fatal(err)
	}
	delegate, err := pki.CitizenCA.Issue(minipki.OCSPResponder(minipki.DN("CN", "TEST responder")), pki.OtherKeyP256().Public())
	if err != nil {
		tb.Fatal(err)
	}
	question := newQuestion(p.issuer, big.NewInt(0x123456), false)
	now := testpki.Now()
	for status := range 3 {
		for _, delegated := range []bool{false, true} {
			o := minipki.OCSP{ProducedAt: now, Nonce: bytes.Repeat([]byte{7}, 32), ByKey: status == 1, Singles: []minipki.OCSPSingle{
				{Serial: big.NewInt(77), ThisUpdate: now, Status: minipki.OCSPRevoked},
				{Serial: question.serial, Status: status, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)},
			}}
			if delegated {
				o.Delegate, o.Key = delegate, pki.OtherKeyP256()
			}
			der, err := pki.CitizenCA.OCSP(o)
			if err != nil {
				tb.Fatal(err)
			}
			answers = append(answers, der)
		}
	}
	return p, &question, answers
}

// agrees holds what was accepted against x/crypto/ocsp, given the issuer.
func agrees(t *testing.T, p *ocspPolicy, q *ocspQuestion, der []byte, a *ocspAnswer) {
	t.Helper()
	r, err := ocsp.ParseResponseForCert(der, &x509.Certificate{SerialNumber: q.serial}, nil)
	if err != nil {
		t.Fatalf("accepted, and x/crypto/ocsp says %v", err)
	}
	signer := p.authority.certificate.x509
	if a.delegate != nil {
		signer = a.delegate.x509
	}
	if r.CheckSignatureFrom(signer) != nil || r.Status != a.status || !r.ThisUpdate.Equal(a.thisUpdate) || r.SerialNumber.Cmp(q.serial) != 0 {
		t.Fatalf("accepted as %+v, and x/crypto/ocsp finds %+v", a, r)
	}
	if a.delegate != nil && a.delegate.x509.CheckSignatureFrom(p.authority.certificate.x509) != nil {
		t.Fatal("the delegate is not the authority's")
	}
}

// TestOCSPEveryOctet: an answer of which one octet was changed is refused, or says
// what it said: only what the signature does not cover may change.
func TestOCSPEveryOctet(t *testing.T) {
	p, q, answers := ocspBench(t)
	for i, der := range answers {
		original, err := p.verify(der, q, testpki.Now())
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		agrees(t, p, q, der, original)
		read, err := ocsp.ParseResponseForCert(der, &x509.Certificate{SerialNumber: q.serial}, nil)
		if err != nil {
			t.Fatal(err)
		}
		from := bytes.Index(der, read.TBSResponseData)
		to := from + len(read.TBSResponseData)
		for at := range der {
			changed := bytes.Clone(der)
			changed[at] ^= 1 << (at % 8)
			a, err := p.verify(changed, q, testpki.Now())
			if err == nil && (at >= from && at < to || a.status != original.status || !a.nextUpdate.Equal(original.nextUpdate) || !a.thisUpdate.Equal(original.thisUpdate)) {
				t.Fatalf("answer %d: accepted with octet %d changed", i, at)
			}
			if err != nil && ReasonOf(err) == 0 {
				t.Fatalf("answer %d, octet %d: refused without a reason: %v", i, at, err)
			}
		}
	}
}

// FuzzOCSPAnswer: whatever octets come, nothing panics, a refusal has a reason,
// and what is accepted is what x/crypto/ocsp accepts, with no octet of what is
// signed to spare.
func FuzzOCSPAnswer(f *testing.F) {
	p, q, answers := ocspBench(f)
	for _, der := range answers {
		f.Add(der, uint(len(der)/3))
	}
	f.Add(minipki.OCSPError(3), uint(0))
	f.Fuzz(func(t *testing.T, der []byte, at uint) {
		a, err := p.verify(der, q, testpki.Now())
		if err != nil {
			if ReasonOf(err) == 0 || a != nil {
				t.Fatalf("%v with %v", a, err)
			}
			return
		}
		agrees(t, p, q, der, a)
		read, err := ocsp.ParseResponseForCert(der, &x509.Certificate{SerialNumber: q.serial}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tbs := bytes.Index(der, read.TBSResponseData)
		changed := bytes.Clone(der)
		changed[tbs+int(at%uint(len(read.TBSResponseData)))] ^= 0x10
		if _, err := p.verify(changed, q, testpki.Now()); err == nil {
			t.Fatal("accepted with an octet of what is signed changed")
		}
	})
}

// TestOCSPQuestion: the question is what x/crypto/ocsp reads and writes.
func TestOCSPQuestion(t *testing.T) {
	p, _, _ := ocspBench(t)
	for _, serial := range []*big.Int{big.NewInt(0), big.NewInt(127), big.NewInt(128), new(big.Int).Lsh(big.NewInt(0xff), 150)} {
		q := newQuestion(p.issuer, serial, false)
		der, err := q.marshal()
		if err != nil {
			t.Fatal(err)
		}
		read, err := ocsp.ParseRequest(der)
		if err != nil || read.SerialNumber.Cmp(serial) != 0 {
			t.Fatalf("%v: %v", serial, err)
		}
		if theirs, err := read.Marshal(); err != nil || !bytes.Equal(theirs, der) {
			t.Errorf("%v: %x, and theirs %x, %v", serial, der, theirs, err)
		}
	}
	one, two := newQuestion(p.issuer, big.NewInt(1), true), newQuestion(p.issuer, big.NewInt(1), true)
	if bytes.Equal(one.nonce, two.nonce) || len(one.nonce) != 34 {
		t.Error("a nonce comes twice")
	}
	if der, err := one.marshal(); err != nil || !bytes.Contains(der, one.nonce) {
		t.Errorf("the nonce is not in the question: %v", err)
	}
	if _, err := issuerOf(&Certificate{x509: &x509.Certificate{}}); !errors.As(err, new(*Error)) {
		t.Errorf("an issuer without a key: %v", err)
	}
}
