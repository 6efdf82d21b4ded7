// Package rp is the relying party: it sends a person's browser to an OpenID provider of others, Pro Santé Connect or any, and
// says who came back. It is built on coreos/go-oidc and golang.org/x/oauth2; what those leave to their callers is decided here.
//
//	New(Config) ─▶ Provider
//	Begin  ──▶ Flow           where the browser goes, and what must be remembered of it until it is back
//	Finish ──▶ Login          who it is: code, PKCE, ID token, userinfo and policy, or an Error with its Reason
//	BackchannelAuthentication ─▶ Pending ─▶ Poll ─▶ Login      without a browser (CIBA)
//	Refresh, EndSession, Ended, Logouts                        what comes after
//
// # What is checked
//
// Of the response: state; iss, where the provider announces or the configuration demands it (RFC 9207), and wherever it is
// there; that the flow began with this provider (mix-up); no parameter twice. Of the ID token: one signature of an algorithm of
// Config.Algorithms by a key of the provider's set; no key, address or extension out of its header, encrypted for us or not; typ, iss, sub, aud, azp, exp,
// nbf, iat, nonce, at_hash; auth_time, acr and amr by Config.Policy. Of userinfo: its sub, and its signature if it has one.
// Names of members are compared octet by octet, and none stands twice.
//
// # What is never done
//
// No host is contacted that the configuration does not name, no redirect of the back channel is followed, nothing but https is
// spoken, nothing is read without bound. No environment and no authority of the system is consulted. Errors hold no token, no
// claim and no body of a response.
package rp
