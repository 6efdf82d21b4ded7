// Package openid holds the tests of the OpenID Connect face against relying parties that are not ours: stsd runs as it is shipped, on a
// configuration as an establishment writes one, and others log in at it.
//
//	npm's openid-client, certified          node/rp.js, driven by line: a command in JSON, an answer in JSON
//	mod_auth_openidc in Debian's Apache     in front of a page, configured as the ANS's own proof of concept is
//	github.com/coreos/go-oidc               as most programs in Go log in
//	Pro Santé Connect                       package broker, which does what its Keycloak does
//
// The person is a script: a jar of cookies, a card (a client certificate) or a password. docs/interop.md says what was found.
package openid
