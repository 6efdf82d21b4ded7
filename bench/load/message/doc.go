// Package message makes the messages of a load run and judges the answers to them.
//
//	pki, err := message.NewPKI(ctx, dir, message.PKIConfig{Profiles: …})  // and all that sets a server up
//	ring := message.NewRing(1024, 15*time.Second)
//	source, err := message.NewMaker(ctx, message.MakerConfig{PKI: pki, Mix: …, Replay: ring})
//	checker, err := message.NewChecker(message.CheckerConfig{PKI: pki, Sample: 0.05, Replay: ring})
//
//	source.Next(due, &shot)                    // a measure.Shot, to be sent once
//	verdict := checker.Check(&shot, status, answer)
//
// Every message is a real one: its own identifiers, Timestamp and signatures, written by the
// writers that the project's own client uses.
//
// # Consumers
//
// A PKI is a folder: authorities in the shape of the eID's and the platform's, consumers in
// profiles (the key of the eID, that of the eHealth certificate or none), CRLs, keys of the
// service and of TLS, and the facts and rules that make the service answer. So any server can
// be set up with it; PKI.ServerConfig writes the configuration of stsd. All numbers of people
// are invented: there are 1996 people, and beyond as many consumers they share them, with
// certificates of their own. The folder holds private keys; they are worth nothing elsewhere.
//
// # Live and prepared
//
// A Maker signs when Next is called, on the goroutine that calls: what that costs is the
// generator's own time. Prepare signs ahead on all processors, into a file; OpenFile hands the
// messages out. The Timestamp of a prepared message is that of the moment at which the plan
// sends it (start, and one by the rate). A File refuses a message that would not be fresh when
// it is sent, rather than let the server refuse it: the run then did not keep to the plan. Only
// when a clock was agreed with the server (test-clock of stsd) do messages not age. A file can
// be used once for one server: a second time all its messages are replays.
//
// # Kinds
//
// What is made, in which order, hangs on seed and weights alone.
//
//   - Query: a good one. The answer must be a signed assertion with what was asked for.
//   - ColdCertificate: likewise, with certificates of a known consumer's keys that nobody has
//     seen before.
//   - BadSignature: one character of the header's signature is another; whoever refuses it
//     has had the whole work of verifying it.
//   - Replay: a message that this target has answered, again, octet for octet. Checker and
//     Source share a Ring for it. Before anything was answered a good query goes in its place,
//     and is counted as one.
//   - IllFormed: a good query without its end. It is one and the same for a whole run.
//   - UnknownAttribute: a good query that asks besides for a name that no catalogue has.
//
// # Judging
//
// Every answer is parsed, by the project's parser, and compared with what was asked in every
// part that a client relies on: status and code, InResponseTo, issuer, subject, holder, validity,
// each attribute and its value. It costs little more than parsing, five to ten microseconds. What is
// left out, but for a share of the answers that is told, is the signature of the assertion: it
// must verify with the certificate of the target that is pinned.
package message
