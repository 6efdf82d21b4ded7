// Package wsp guards a web service provider: it is the policy enforcement point
// (PEP) of the seed's model. It reads a SOAP message, proves who sent it and with
// which certified attributes, and hands on a [Caller], or refuses with a fault.
//
// # Use
//
//	guard, err := wsp.NewGuard(wsp.Config{
//		Certificates: verifier,                                // whom certificates identify: package certs
//		Issuers:      []string{"urn:be:fgov:ehealth:sts:1_0"}, // whose assertions count
//		Replay:       soap.NewMemoryReplay(100_000),
//		Require:      []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}},
//	})
//	defer guard.Close()
//
//	caller, err := guard.Admit(message, time.Now())
//	if err != nil {
//		reply = soap.AppendFault(nil, wsp.FaultOf(err))
//	}
//	doctor, ok := caller.Bool(doctor)
//
// With net/http, [Guard.Handler] does this around a handler, which finds the caller
// with [CallerFrom] and the verified body, and nothing else, in the request. Package wsp/fast does it with fasthttp. [Guard.Judge] is
// what both do, for a server of another kind. Packages wsp/cedar and wsp/authzen are PDPs: policies in the process, or a service that is
// asked. cmd/wspd is the guard as a program, before services in any language.
//
// # What Admit proves
//
// In this order, what is cheap first and nothing for a stranger that costs much:
//
//  1. the message is a SOAP 1.1 envelope with one Security header and one body
//     element; its Timestamp is fresh; its signature refers by SAMLAssertionID to
//     the one assertion of that header (package soap);
//  2. the assertion is in the shape of the wire and within the caps; its Issuer is
//     one of ours, exactly; its Conditions hold at that moment, both times being
//     there; each AudienceRestriction names one of our audiences;
//  3. its subject is confirmed by holder-of-key, once, with one key (or by the word of a
//     sender, see below); the subject of its attributes is the same one;
//  4. the certificate in the signature of the assertion is that of a trusted STS
//     (certs.RoleSTS: pinned, or named under an authority; validity, CRL), the
//     signature is made with it, and signs exactly the assertion it stands in;
//  5. the certificate of the holder is identified (chain, validity, CRL) in one of
//     the roles that the configuration names;
//  6. the message is signed with the holder's key, the signature covers the very
//     Body and Timestamp, and the message was not seen before;
//  7. the required attributes hold, and the [PDP], when there is one, does not deny.
//
// Bearer and X.509 tokens are refused, and so is sender-vouches unless Config.SenderVouches names the sender: then he is
// identified by the certificate in the message, his signature must cover the assertion as well, and
// Caller.Holder is he.
//
// # What is readable
//
// A Caller holds values of the verified assertion and the verified body, copied; no
// part of a message that was not verified can be reached from it. The zero Caller is
// nobody. The body is given in exclusive canonical form: the octets that the
// signature speaks of. A prefix that is used only inside a value (xsi:type="xs:…")
// and declared outside the body is not part of them, because nobody signed its
// declaration.
//
// # Memory of verified assertions
//
// A consumer uses one assertion for hours. The Guard remembers assertions that came
// with an admitted message, by the SHA-256 of their canonical form with the signature
// inside, and then verifies the signature of the STS no more. The octets as they stand in the
// message would not do as the key: the same octets mean something else where the
// message binds a prefix otherwise around them. Everything that can change is judged again at
// each use: the window, the certificate of the STS and that of the holder with their
// validity and revocation, the signature of the message, the requirements, the PDP. What
// is found by its key is compared by the whole digest. Config.CacheBytes bounds the
// memory; an assertion is forgotten when it ends.
//
// # Concurrency
//
// A Guard is immutable and safe for concurrent use, and so is a Caller.
package wsp
