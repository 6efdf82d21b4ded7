// Package certs decides whom a certificate identifies: its chain, its validity,
// its usage, the strength of its key, its revocation; and it holds the keys with
// which we sign. It knows no XML, and no error of it names a SOAP fault or a REQ
// code.
//
// # What is not done
//
// The network is never asked on the road of a request: no CRL, no issuer, no OCSP
// answer is fetched there, and no address that stands in a certificate is ever
// contacted. Intermediate certificates come from the configuration or with the
// message, at most four. Indirect CRLs are refused. Unicode normalization is not applied to names: what differs
// by it differs. Keys on the list of weak Debian keys are not looked for. A NIHII
// or FINESS number is taken as the CA wrote it; check digits are verified of SSIN,
// CBE, SIREN and SIRET. Whether a certificate is for a host is not asked.
//
// # From octets to an Identity
//
//	v, err := certs.NewVerifier(certs.Config{Profiles: …, CRL: …})
//	leaf, err := v.Parse(der)                                        // syntax, no trust
//	id, err := v.Identify(certs.RoleIdentity, leaf, intermediates, at) // the proof
//	id.Kind(); id.SSIN(); id.NotAfter(); id.Certificate().SubjectIs(text)
//
// [Verifier.Parse] keeps parsed certificates by the SHA-256 of their DER,
// [Verifier.Identify] keeps verified paths by fingerprint and role, both in
// caches that may forget at any time. A known path is valid under the trust that
// verified it; its validity in time and the CRLs are asked again whenever it is
// used, so a new CRL counts from the moment that it is swapped in, and the swap
// drops nothing. Both calls then allocate nothing.
//
// [Identity] is a value that only Identify makes; the zero Identity is nobody. A
// [Name] is a parsed distinguished name: names are compared by structure, never
// as text (D10).
//
// # Roles and profiles
//
// A [Profile] says which certificates may play a [Role]: which kinds of subject,
// under which roots and issuers, with which usages and policies, or which ones by
// fingerprint. Nothing narrows by default and nothing is wide by default: a
// profile that says too little is refused when the Verifier is made (A8, K7).
// BelgianEID, EHealthPlatform and TokenIssuer give the rules of the wire
// document, IGCSante those of the French health PKI; they want their authorities:
//
//	ca := &certs.Authority{Certificate: der, DistributionPoints: []string{"http://…/ca.crl"}}
//	p := certs.BelgianEID()
//	p.Roots, p.Intermediates = roots, []*certs.Authority{ca}
//
// The subject decides the kind (wire document 6): a serialNumber makes an [EID],
// TYPE=value in OU and CN an [EHealthPerson] or [EHealthOrganisation], C=FR and a
// structure's identifier in OU an [IGCSanteOrganisation], C=FR with a surname and a
// professional's number in CN an [IGCSantePerson]; a name that is two of
// these is refused, so that none can be used for another (K8). What a name must
// look like beyond that a [Pattern] says.
//
// # Paths
//
// A path is valid by RFC 5280 section 6. crypto/x509 builds it and verifies its
// signatures, at most a hundred of them however many candidates bear one name
// (K5); it checks nested extended key usages, name constraints of DNS names and
// addresses, and the policies that the certificates themselves demand. What it
// does not do, or does otherwise, is asked around it, of every path that it finds:
//
//	names                issuer and subject by DER; neither is empty
//	signatures           SHA-2 but for the root's own; keys that are not weak, also of what came with the message
//	validity             of every certificate, the root included, at the given moment
//	issuers              version 3, cA, keyCertSign; a key usage without a bit is refused, not unlimited
//	serial numbers       positive, at most 20 octets
//	extensions           critical ones are known; those that restrict are read to the last octet
//	path length          self-issued certificates are not counted; the root's own bound counts
//	name constraints     directory names, mailboxes (of the subject too) and hosts of URIs, as strictly as RFC 5280;
//	                     minimum, maximum and other forms are refused, critical or not
//	policies             with ExplicitPolicy: initial-explicit-policy, mappings inhibited
//	the profile          issuer, subject, usages, policy and key of the certificate itself; five certificates at most
//
// A path that breaks a rule does not hide another that keeps them all. When none
// does, the refusal that is told is that of the path that got furthest.
//
// # Revocation
//
// CRLs come from files and directories, and from the distribution points that
// the configuration lists; what was fetched outlives a restart in CRLConfig.CacheDir
// and is verified again when it is read. A CRL counts when its issuer's key signed it,
// or one to which the configuration says that the issuer delegates it, under the
// issuer's name, by a certificate that may sign CRLs, with that key's identifier (K2),
// and when it is not older than the one before it (K3). Of a delegate who is known to be
// revoked, or is configured no longer, no list is taken, and those that were keep none
// out. It is kept as an index of 24 octets an entry.
//
// An authority may have several: partitions by distribution point or by reason (RFC
// 5280 section 5.2.5), and deltas. A certificate is cleared when the lists that speak
// for it, by its own distribution points, speak of every reason together. A delta that
// goes on from its base is, with it, the complete list of its own number; one whose
// base has not come adds revocations and takes none away.
//
// Each authority has a policy for the certificates that it issued, [Revocation].
// This is the whole of it; the test TestRevocationTable holds it state by state:
//
//	CRL of the issuer      │ require  │ grace D   │ off
//	───────────────────────┼──────────┼───────────┼────────────
//	lists the certificate  │ Revoked  │ Revoked   │ Revoked
//	fresh                  │ Cleared  │ Cleared   │ Cleared
//	late by at most D      │ Unknown  │ Late      │ NotChecked
//	late by more           │ Unknown  │ Unknown   │ NotChecked
//	not yet valid          │ Unknown  │ Unknown   │ NotChecked
//	missing, unparsable,   │ Unknown  │ Unknown   │ NotChecked
//	  unproven, out of     │          │           │
//	  scope, not for every │          │           │
//	  reason, its signer   │          │           │
//	  revoked or unknown   │          │           │
//
// Revoked and Unknown (RevocationUnknown) refuse. A listed certificate is refused
// under every policy, by a late list too, whatever the reason (certificateHold
// included) and the date of the entry; only a fresh delta lifts a hold. A list is late
// when nextUpdate was more than CRLConfig.Skew ago. Every certificate of a path but its
// root is asked about; the weakest answer is that of the Identity. An authority that is
// off is named in the log when the configuration is taken, and a list that is not
// renewed when three quarters of its span are over.
//
// Where an authority has responders, [OCSP] adds what they say of single
// certificates: its tables tell how that joins what the CRLs say. Answers are
// fetched in the background for certificates that were seen, are kept until their
// nextUpdate, and are signed by the authority or by whom it delegated that to. They
// are not kept over a restart.
//
// # Certificates that come again
//
// What was parsed, and what was proven of a path, is kept under the SHA-256 of the DER. Of a certificate
// that was identified its base64 is kept too: [Verifier.Recall] finds it by the text of a message,
// compared octet for octet, without decoding. It spares work and decides nothing: [Verifier.Identify]
// asks at each use for the validity, the trust and the CRLs of that moment.
//
// # Our keys
//
// [LoadSigner] and [NewSigner] give a [Signer]: key and certificate belong
// together, the certificate is valid, the key is strong, and a probe that it
// signed was verified. A [KeySet] is several of them by schedule: next, current and
// retired, of which one is current at every moment. The package certs/pkcs11 opens keys on
// tokens. [Signer.MayIssue] is asked of those that sign assertions.
//
// # Errors
//
// Every refusal is an *[Error]: a [Reason] that may be told to a stranger, and a
// cause for the operator that names authorities, files and addresses but never a
// person. [ReasonOf] gives the Reason of any error.
package certs
