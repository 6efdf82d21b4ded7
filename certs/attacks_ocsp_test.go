package certs_test

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// ocspScene is what a case of TestOCSPAnswers may play with.
type ocspScene struct {
	tb    testing.TB
	pki   *testpki.PKI
	ca    *minipki.Authority // whose certificate is asked about
	other *minipki.Authority // another authority of the same trust
	key   crypto.Signer      // of delegates
	now   time.Time
}

// delegate makes a responder's certificate and an answer that it signs.
func (s *ocspScene) delegate(by *minipki.Authority, o minipki.OCSP, change func(*minipki.Template)) minipki.OCSP {
	t := minipki.OCSPResponder(minipki.DN("C", "BE", "CN", "TEST OCSP responder"))
	if change != nil {
		change(&t)
	}
	o.Delegate, o.Key = issue(s.tb, by, t, s.key.Public()), s.key
	return o
}

// alias is an authority with the same key under another name.
func (s *ocspScene) alias() *minipki.Authority {
	a, err := minipki.NewRoot(caTemplate("CN", "TEST alias"), s.ca.Key())
	if err != nil {
		s.tb.Fatal(err)
	}
	return a
}

// ocspCase is one answer, and what becomes of it.
type ocspCase struct {
	name   string
	say    func(s *ocspScene, o minipki.OCSP) minipki.OCSP // nil: as it is
	raw    func(s *ocspScene, der []byte) []byte           // changes the octets at the end
	config func(s *ocspScene, o *certs.OCSP)
	crl    func(s *ocspScene) []byte // under the policy require; nil: the policy is off
	want   certs.Reason              // why the answer is refused; zero: it clears the certificate
}

// critical is an extension that nobody knows.
func critical() pkix.Extension { return extension(true, "\x05\x00", 1, 2, 3, 4) }

func ocspCases() []ocspCase {
	withoutNoCheck := func(t *minipki.Template) { t.Extra = nil }
	nonce := func(_ *ocspScene, o *certs.OCSP) { o.Nonce = true }
	return []ocspCase{
		{name: "signed by the authority"},
		{name: "signed by the authority, named by its key", say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.ByKey = true; return o }},
		{name: "signed by the authority, whose certificate came along", say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o.Certificates = [][]byte{s.ca.DER()}
			return o
		}},
		{name: "signed by a delegate", say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { return s.delegate(s.ca, o, nil) }},
		{name: "signed by a delegate, named by its key", say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o.ByKey = true
			return s.delegate(s.ca, o, nil)
		}},
		{name: "signed by a delegate without nocheck that the CRL clears", crl: func(s *ocspScene) []byte { return sign(s.tb, s.ca, list()) },
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { return s.delegate(s.ca, o, withoutNoCheck) }},
		{name: "about several certificates", say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			second := o.Singles[0]
			second.Serial, second.Status = serialOf(s.pki.BobEID.DER), minipki.OCSPRevoked
			o.Singles = append([]minipki.OCSPSingle{second}, o.Singles...)
			return o
		}},
		{name: "with our nonce", config: nonce},
		{name: "without nextUpdate, where MaxAge admits it", config: func(_ *ocspScene, o *certs.OCSP) { o.MaxAge = time.Hour },
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Singles[0].NextUpdate = time.Time{}; return o }},
		{name: "with an extension that is unknown and not critical", say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP {
			o.Extra = []pkix.Extension{extension(false, "\x05\x00", 1, 2, 3, 4)}
			o.Singles[0].Extra = o.Extra
			return o
		}},

		// Each of these would have let whoever sits at the responder's address, or on
		// the way to it, say "good" of a revoked certificate.
		{name: "signed by a stranger's key under the authority's name", want: certs.WrongSigner,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { o.Key = s.pki.OtherKey(); return o }},
		{name: "signed by a stranger's key under the hash of the authority's", want: certs.WrongSigner,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { o.Key, o.ByKey = s.pki.OtherKey(), true; return o }},
		{name: "signed by another authority of the trust", want: certs.WrongSigner,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { o.Key, o.Responder = s.other.Key(), s.other; return o }},
		{name: "signed by another authority that bears the same name", want: certs.WrongSigner,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
				o.Key, o.Certificates = s.pki.StrangerCA.Key(), [][]byte{s.pki.StrangerCA.DER()}
				return o
			}},
		{name: "signed by any leaf of the authority", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o.Delegate, o.Key = s.pki.BobEID.DER, s.pki.BobEID.Key
			return o
		}},
		{name: "delegate without the extended key usage", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.ExtKeyUsage = nil })
		}},
		{name: "delegate with any extended key usage", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.ExtKeyUsage = []string{"2.5.29.37.0"} })
		}},
		{name: "delegate of another authority", want: certs.WrongSigner,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { return s.delegate(s.other, o, nil) }},
		{name: "delegate of another authority that bears the same name", want: certs.WrongSigner,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { return s.delegate(s.pki.StrangerCA, o, nil) }},
		{name: "delegate of an authority with the same key and another name", want: certs.WrongSigner,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { return s.delegate(s.alias(), o, nil) }},
		{name: "delegate of a delegate", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			t := minipki.OCSPResponder(minipki.DN("CN", "TEST sub"))
			t.IsCA, t.PathLength, t.KeyUsage = true, -1, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
			return s.delegate(subordinate(s.tb, s.ca, t, minipki.P256), o, nil)
		}},
		{name: "delegate that is a CA", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.IsCA = true })
		}},
		{name: "delegate without digitalSignature", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.KeyUsage = x509.KeyUsageKeyEncipherment })
		}},
		{name: "delegate that has expired", want: certs.Expired, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.NotBefore, t.NotAfter = testpki.NotBefore(), s.now.Add(-time.Second) })
		}},
		{name: "delegate that is not yet valid", want: certs.NotYetValid, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.NotBefore, t.NotAfter = s.now.Add(time.Hour), testpki.NotAfter() })
		}},
		{name: "delegate with an unknown critical extension", want: certs.UnknownCriticalExtension, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.Extra = append(t.Extra, critical()) })
		}},
		{name: "delegate whose certificate is signed with SHA-1", want: certs.WeakSignature, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			return s.delegate(s.ca, o, func(t *minipki.Template) { t.SignatureAlgorithm = x509.SHA1WithRSA })
		}},
		{name: "delegate with a weak key", want: certs.WeakKey, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			key, err := minipki.GenerateKey(minipki.P224)
			if err != nil {
				s.tb.Fatal(err)
			}
			s.key = key
			return s.delegate(s.ca, o, nil)
		}},
		{name: "delegate without nocheck that the CRL lists", want: certs.WrongSigner,
			crl: func(s *ocspScene) []byte {
				c := list()
				c.Revoked = []minipki.Revoked{{Serial: delegateSerial(), At: s.now.Add(-time.Hour)}}
				return sign(s.tb, s.ca, c)
			},
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
				return s.delegate(s.ca, o, func(t *minipki.Template) { t.Extra, t.Serial = nil, delegateSerial() })
			}},
		{name: "signature of a delegate that is not its own", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o = s.delegate(s.ca, o, nil)
			o.Key = s.pki.OtherKey()
			return o
		}},
		{name: "delegate that is not sent along and not pinned", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o = s.delegate(s.ca, o, nil)
			o.OmitCertificate = true
			return o
		}},
		{name: "delegate whose certificate came under the authority's name", want: certs.WrongSigner, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			d := s.delegate(s.ca, o, nil)
			o.Key, o.Certificates = d.Key, [][]byte{d.Delegate} // the ResponderID is the authority's
			return o
		}},
		{name: "signed with SHA-1", want: certs.WeakSignature,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.SignatureAlgorithm = x509.SHA1WithRSA; return o }},
		{name: "one octet of the signature changed", want: certs.WrongSigner,
			raw: func(_ *ocspScene, der []byte) []byte { der[len(der)-1] ^= 1; return der }},

		// Signed by the right one, about something else.
		{name: "about another certificate of the authority", want: certs.Mismatch,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
				o.Singles[0].Serial = serialOf(s.pki.BobEID.DER)
				return o
			}},
		{name: "about the same number of another authority", want: certs.Mismatch,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { o.Singles[0].Issuer = s.other; return o }},
		{name: "about the same number of another authority of the same name", want: certs.Mismatch,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { o.Singles[0].Issuer = s.pki.StrangerCA; return o }},
		{name: "about the same number of an authority with the same key and another name", want: certs.Mismatch,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { o.Singles[0].Issuer = s.alias(); return o }},
		{name: "with another hash than was asked", want: certs.Mismatch,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Singles[0].SHA256 = true; return o }},
		{name: "about nothing", want: certs.Mismatch,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Singles = nil; return o }},
		{name: "two statements that differ", want: certs.Malformed, say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP {
			second := o.Singles[0]
			second.Status = minipki.OCSPRevoked
			o.Singles = append(o.Singles, second)
			return o
		}},

		// Signed by the right one, at another time.
		{name: "thisUpdate in the future", want: certs.NotYetValid, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o.Singles[0].ThisUpdate = s.now.Add(6 * time.Minute)
			return o
		}},
		{name: "producedAt in the future", want: certs.NotYetValid,
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP { o.ProducedAt = s.now.Add(6 * time.Minute); return o }},
		{name: "nextUpdate has passed: played again", want: certs.Expired, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o.Singles[0].ThisUpdate, o.Singles[0].NextUpdate = s.now.Add(-48*time.Hour), s.now.Add(-6*time.Minute)
			return o
		}},
		{name: "nextUpdate before thisUpdate", want: certs.Malformed, say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
			o.Singles[0].ThisUpdate, o.Singles[0].NextUpdate = s.now, s.now.Add(-time.Second)
			return o
		}},
		{name: "without nextUpdate: good for ever", want: certs.Unsupported,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Singles[0].NextUpdate = time.Time{}; return o }},
		{name: "without nextUpdate, older than MaxAge", want: certs.Expired, config: func(_ *ocspScene, o *certs.OCSP) { o.MaxAge = time.Hour },
			say: func(s *ocspScene, o minipki.OCSP) minipki.OCSP {
				o.Singles[0].ThisUpdate, o.Singles[0].NextUpdate = s.now.Add(-66*time.Minute), time.Time{}
				return o
			}},
		{name: "nonce left out: played again", want: certs.Mismatch, config: nonce,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Nonce = nil; return o }},
		{name: "another nonce: played again", want: certs.Mismatch, config: nonce,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Nonce = make([]byte, 32); return o }},
		{name: "a part of our nonce", want: certs.Mismatch, config: nonce,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Nonce = o.Nonce[:31]; return o }},

		// Signed by the right one, and not understood.
		{name: "unknown critical extension of the response", want: certs.Unsupported,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP { o.Extra = []pkix.Extension{critical()}; return o }},
		{name: "unknown critical extension of the statement", want: certs.Unsupported,
			say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP {
				o.Singles[0].Extra = []pkix.Extension{critical()}
				return o
			}},
		{name: "two extensions of one type", want: certs.Malformed, say: func(_ *ocspScene, o minipki.OCSP) minipki.OCSP {
			one := extension(false, "\x05\x00", 1, 2, 3, 4)
			o.Extra = []pkix.Extension{one, one}
			return o
		}},
		{name: "something behind the answer", want: certs.Malformed,
			raw: func(_ *ocspScene, der []byte) []byte { return append(der, 0) }},
		{name: "cut short", want: certs.Malformed, raw: func(_ *ocspScene, der []byte) []byte { return der[:len(der)-1] }},
		{name: "nothing at all", want: certs.Malformed, raw: func(*ocspScene, []byte) []byte { return nil }},
		{name: "a page of a proxy", want: certs.Malformed, raw: func(*ocspScene, []byte) []byte { return []byte("<html>please log in</html>") }},
		{name: "larger than is read", want: certs.TooLarge, raw: func(*ocspScene, []byte) []byte { return make([]byte, 64<<10+1) }},
		{name: "malformedRequest", want: certs.Unsupported, raw: func(*ocspScene, []byte) []byte { return minipki.OCSPError(1) }},
		{name: "internalError", want: certs.Unavailable, raw: func(*ocspScene, []byte) []byte { return minipki.OCSPError(2) }},
		{name: "tryLater", want: certs.Unavailable, raw: func(*ocspScene, []byte) []byte { return minipki.OCSPError(3) }},
		{name: "unauthorized", want: certs.Unsupported, raw: func(*ocspScene, []byte) []byte { return minipki.OCSPError(6) }},
		{name: "successful, without an answer", want: certs.Malformed, raw: func(*ocspScene, []byte) []byte { return minipki.OCSPError(0) }},
	}
}

func delegateSerial() *big.Int { return big.NewInt(0x4f435350) }

// TestOCSPAnswers: under hard, with the CRL policy off, the answer alone decides.
// What is right clears; what is wrong in any way clears nobody, and the operator
// learns why.
func TestOCSPAnswers(t *testing.T) {
	pki := testpki.Load()
	for _, tt := range ocspCases() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.run(t, pki) })
		})
	}
}

func (tt *ocspCase) run(t *testing.T, pki *testpki.PKI) {
	now := since()
	s := &ocspScene{tb: t, pki: pki, ca: pki.CitizenCA, other: pki.ForeignerCA, key: pki.OtherKeyP256(), now: now()}
	gate := make(chan struct{})
	network := newResponder(t, func(q inquiry) ([]byte, error) {
		<-gate
		o := statement(q, s.now, minipki.OCSPGood)
		if tt.say != nil {
			o = tt.say(s, o)
		}
		der, err := s.ca.OCSP(o)
		if err != nil {
			t.Error(err)
		}
		if tt.raw != nil {
			der = tt.raw(s, der)
		}
		return der, nil
	})
	o := certs.OCSP{Mode: certs.OCSPHard}
	if tt.config != nil {
		tt.config(s, &o)
	}
	c := asking(s.ca, certs.Revocation{Mode: certs.Off}, now, network, o)
	if tt.crl != nil {
		c.Profiles[0].Roots[0].Revocation = certs.Revocation{}
		c.CRL.Files = []string{files(t, tt.crl(s))}
	}
	v, err := certs.NewVerifier(c)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, reason := asks(t, v, pki.AliceEID.DER, now()); reason != certs.RevocationUnknown {
		t.Errorf("before any answer: %v", reason)
	}
	close(gate)
	synctest.Wait()
	id, reason := asks(t, v, pki.AliceEID.DER, now())
	status := v.Status(now()).Authorities[0].OCSP
	if tt.want == 0 {
		if reason != 0 || id.Revocation() != certs.Cleared || status.Good != 1 {
			t.Errorf("refused with %v: %+v", reason, status)
		}
		return
	}
	if reason != certs.RevocationUnknown {
		t.Errorf("answer that is wrong: %v", reason)
	}
	if r := status.Responders[0]; certs.ReasonOf(r.LastError) != tt.want || r.Failures == 0 || status.Waiting != 1 {
		t.Errorf("last error %v, want %v; %+v", r.LastError, tt.want, status)
	}
}
