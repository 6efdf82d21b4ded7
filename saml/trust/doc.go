// Package trust says whether a SAML 1.1 assertion is to be believed, and whose it is: it joins what package saml reads, package xmlsec
// verifies and package certs identifies, for whoever is shown an assertion: the guard of a service (package wsp) and the exchange of
// tokens (oidc/bridge).
//
// [Judge.Believe] judges in this order, what is cheap first and nothing for a stranger that costs much:
//
//  1. the Issuer is one of ours, exactly; the Conditions hold at that moment, both times being there; each AudienceRestriction
//     names one of our audiences;
//  2. the subject is confirmed by the one method that the caller calls for, once; the subject of the attributes is the same one;
//  3. the certificate in the signature is that of a trusted STS (certs.RoleSTS), the signature is made with its key, and signs
//     exactly the assertion that it stands in.
//
// Only then is anything in the assertion somebody's word. Whether the holder's certificate is trusted [Judge.Holder] says, and whether he is
// there (a signature, a TLS connection) is the caller's to prove.
package trust
