// Package minipki is a small certification authority: it makes roots,
// intermediate authorities, eID-like, eHealth-like, STS-signing and TLS server
// certificates, and CRLs. The demonstration uses it with keys that it generates;
// tests use it, mostly through package testpki, also to make every defect that a
// verifier must refuse.
//
// It is not a CA for production: it keeps no record of what it issued and
// checks nothing of what it is asked to sign. That is its purpose.
//
// # Use
//
//	key, err := minipki.GenerateKey(minipki.P256)              // RSA2048, P256, P384, …
//	root, err := minipki.NewRoot(minipki.CA(minipki.DN("C", "BE", "CN", "TEST Root"), from, to), rootKey)
//	ca, err := root.Subordinate(minipki.CA(minipki.DN("C", "BE", "CN", "Citizen CA", "serialNumber", "202601"), from, to), caKey)
//
//	t := minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: "00000000097"})
//	der, err := ca.Issue(t, key.Public())                      // one DER certificate
//
//	t = minipki.EHealth(minipki.Holder{Type: "SSIN", Value: "00000000097", Name: "ALICE EXAMPLE"})
//	t = minipki.EHealth(minipki.Holder{Type: "CBE", Value: "0809394427", Name: "EXAMPLE", Application: "SCEAU"})
//	t = minipki.TLSServer("localhost", "127.0.0.1")
//
//	crl, err := ca.CRL(minipki.CRL{Number: 1, ThisUpdate: now, NextUpdate: later, Revoked: []minipki.Revoked{{Serial: s, At: now}}})
//	pem := minipki.CertificatePEM(der, ca.DER()); keyPEM, err := minipki.KeyPEM(key)
//
// A profile function (CA, EID, EHealth, TLSServer) gives a [Template]; its
// fields are then changed at will before Issue: validity, usages, policies,
// distribution points, extra extensions, the version, the signature algorithm,
// the encoding of each name value. Zero validity means the issuer's own.
//
// Signatures are deterministic (RSA PKCS #1 v1.5, ECDSA after RFC 6979) and
// serial numbers are derived from the names, the key and a count: the same calls
// with the same keys give the same bytes.
package minipki
