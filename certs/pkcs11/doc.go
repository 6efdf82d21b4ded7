// Package pkcs11 signs with a private key that lies on a PKCS #11 token: a hardware
// security module, a smart card, SoftHSM. The key is named by a URI of RFC 7512 and never
// leaves the token. The public key is the one that the caller expects, of a certificate;
// what the token says of itself is never believed.
//
// # The build
//
// The vendor's module is a shared library that runs in this process, so that a build
// needs cgo and a C compiler, and nothing of the vendor:
//
//	CGO_ENABLED=1 go build -tags pkcs11 ./cmd/stsd
//
// In any other build Open and Generate answer ErrNotBuilt.
//
// # What it promises
//
//   - Nothing wrong leaves: every signature is verified with the expected public key before
//     it is handed on. It costs 30 µs with RSA-2048 and 69 µs with P-256, a fraction of what
//     a token takes, and besides the wrong key it stops the faulty signature that betrays
//     an RSA key (Boneh, DeMillo, Lipton 1997).
//   - Nothing waits without bound. A signature takes at most Config.Timeout, waiting for a
//     session included; no more than Config.Waiting wait, the next is refused at once. A
//     call that the module does not return from cannot be ended from outside: it is
//     left alone with its session, and of those there are never more than four times
//     Config.Sessions.
//   - While the token is away, requests are refused at once with ErrUnavailable. In the
//     background it is tried again, with growing and random pauses. After it came back,
//     the key must be the expected one and a probe must verify before anything else is
//     signed: another key under the same name stays refused.
//   - A PIN that was refused is not tried again before its file has another: tokens lock
//     themselves after a few.
//
// Any error of the token but those that speak of one request (a mechanism that it does
// not have) takes the whole connection down: sessions and handles are dropped and made
// anew. Which errors a module gives when its token has gone is not to be foreseen; SoftHSM
// says CKR_OBJECT_HANDLE_INVALID.
//
// # What is to be known
//
//   - A process loads a module once. Some see a token that came back only after they were
//     finalized and initialized again (SoftHSM is one). That is done when no key of the
//     module is at work and no call is inside it.
//   - The login is the application's and not a session's (PKCS #11 2.40 section 5.6): a
//     second Key on a token that is logged in does not try its PIN.
//   - github.com/miekg/pkcs11 is used and not crypto11 above it: its pool takes a dead session
//     back, its handles live as long as its context, and closing that context waits for
//     a call that hangs.
package pkcs11
