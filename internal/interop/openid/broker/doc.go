// Package broker does to an identity provider what Pro Santé Connect does, which is Keycloak with an identity provider behind it: for
// tests, since Pro Santé Connect lets nobody in who is not admitted yet.
//
// What it does is what is known of Keycloak's broker of OpenID Connect and of what Pro Santé Connect demands on top (docs/interop.md says
// how each is known). It is written apart from our own relying party: neither can hide a mistake of the other.
//
//	b, err := broker.New(ctx, broker.Config{…})        // downloads the metadata, once
//	f := b.Begin(broker.Wishes{MaxAge: &hour})         // f.URL is where the browser goes
//	identity, err := b.Callback(ctx, f, query)         // with what the browser brings back
//	to := b.Logout(identity)
//	err = b.LogoutResponse(identity, query)
//
// What it does not accept it refuses with a [Refusal], which names the [Rule] that was broken. The zero Config accepts nobody.
package broker
