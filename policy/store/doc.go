// Package store keeps policies as versions: who proposed each, who approved it, which is in force, and all that was ever in force. It
// is the store behind the policy administration point (PAP) of the seed's Policy Enforcement Model.
//
// # A version
//
// A version is a [Bundle] of files, those of one directory of policies with its folder of tests. It lives so:
//
//	draft ──submit──▶ in review ──approve──▶ approved ──activate──▶ active ──▶ superseded
//	  ▲                  │  (by a second person, or more)  │                       │
//	  └────── draft ── rejected ◀──────────reject──────────┘        rollback: active again
//
// A draft may be changed, and one that was rejected too: each change is kept. Whoever had a hand in a version does not approve it.
// A version is activated only on top of the one it was written for ([Stale] otherwise), so that nobody undoes what he has not seen. A
// rollback makes active again what was active before: one person may do that, at night.
//
// # What proves it
//
// Each step is an [Event], signed with the key of the [Administrator] who takes it. The signature covers the store, the number of the
// event, the hash of the event before, what is done, with which version of which content, when and why. It has one spelling, and no event is
// before the one that it follows. Whoever reads the store verifies all of that with the public keys that his own configuration names, and
// checks every rule again; who can write to the database, and has no key, can bring nothing in force. He can take away the newest events:
// a reader that has seen them notices ([History.Extends]), and audit trails of servers name the events they have acted on. And he can put
// another store in its place, which the same people have signed for something else: Config.ID names the one that is meant.
//
// Administrators of one name are one person, with keys that he has or had.
//
// A content is known by its digest: the SHA-256 of the list that sha256sum would print for the files, sorted by path.
//
// # Databases
//
// SQLite in a file, or PostgreSQL. Readers need the right to read and no other. Everything is text, so that an
// auditor can look at it with the database's own tools. Events are only ever added; two who add one at the same time
// do not both succeed ([Conflict]).
//
// # Concurrency
//
// A Store is safe for concurrent use. A Bundle and a History are immutable.
package store
