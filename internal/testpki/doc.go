// Package testpki is the public key infrastructure of the tests: fixed keys,
// fixed names, fixed validity, and so the same bytes at every call on every
// machine. It has the shape of section 6 of the wire document; nobody in it
// exists. No server trusts it unless a test says so.
//
// # Use
//
//	pki := testpki.Load()                 // made once a process, read-only
//	pki.AliceEID.DER, pki.AliceEID.Key    // a leaf: certificate and private key
//	pki.CitizenCA.DER()                   // an authority: *minipki.Authority
//	pki.CRLs()                            // a fresh CRL of every authority
//	clock := testpki.Now                  // func() time.Time: 2026-11-21T20:00:00Z
//
//	leaf := pki.Issue(pki.CitizenCA, template, key)   // one more, of a minipki template
//
// Authorities: CitizenRoot > CitizenCA (RSA-2048), ForeignerRoot > ForeignerCA
// (P-384), EHealthRoot > EHealthCA (RSA-2048), and StrangerCA, which bears
// CitizenCA's name with another key and is trusted by nobody.
//
// Leafs, all valid 2026-01-01 to 2036-01-01 unless said:
//
//	AliceEID, AliceEIDP256, AliceEIDP384    eID of Alice, by key (CitizenCA)
//	BobEID, FrankEID                        eID of Bob (RSA-2048), of the foreigner Frank (P-384, ForeignerCA)
//	AliceEHealth, AliceEHealthP256, AliceEHealthP384, BobEHealth   eHealth certificates SSIN=… (EHealthCA)
//	Hospital                                eHealth, NIHII-HOSPITAL=…
//	Organisation, Application               eHealth, CBE=…; the same with the application identifier TESTAPP
//	STS, STSP256                            sign assertions: CN="CBE=0809394427, SCEAU" (EHealthCA)
//	Server                                  TLS server for localhost, 127.0.0.1, ::1 (EHealthRoot)
//	RevokedEID, RevokedEHealth              in the CRLs since 2026-06-01 (Dave)
//	ExpiredEID, ExpiredEHealth              ended 2026-06-01 (Erin)
//	FutureEID                               begins 2030-01-01 (Erin)
//	StrangerEID                             Alice's names, signed by StrangerCA
//
// People: the constants AliceSSIN, BobSSIN, …: birth date 00.00.00, right check
// digits. Alice is a doctor, Bob a physiotherapist, Carol was born after 2000 and
// has no certificate.
//
// The package for a ready Verifier is certs/certstest.
package testpki
