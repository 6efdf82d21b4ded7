// Package bench measures what a request costs: the shipped service against the
// floor that its public-key arithmetic sets, and against the same work done the
// way a Go programmer would do it with etree, goxmldsig and crypto/x509; and how that
// cost grows with messages, certificate revocation lists and registries.
//
// There is no code here but tests:
//
//	go test ./bench                                      the naive path is right, ceilings of allocations and their growth hold
//	go test ./bench -run '^$' -bench Ratio -benchtime 60x    the ratios, as benchmark metrics
//
// With -table FILE, or -table - for standard output, the measured is written as
// Markdown tables besides; README.md has the whole command, RESULTS.md its last output. With
// -tags openssl there are cells more, in which the STS signs in libcrypto.
//
// # Five paths, turn by turn
//
// For each cell (key of the eID, key of the STS) five paths answer the same messages
// in one process, in short turns one after another, over many rounds:
//
//	handler    sts.Service.AttributeQuery, from request bytes to answer bytes, built as
//	           stsd builds it: rule file, registry in SQLite behind the resolver, certificate
//	           and CRL checks, replay detection, audit journal, metrics
//	floor      the public-key operations of that request, and SHA-256 of the octets that
//	           its signatures are over: nothing can answer it with less
//	keys       the public-key operations alone
//	naive      etree + goxmldsig + crypto/x509 (see naiveService for all it leaves out)
//	validated  the same behind xml-roundtrip-validator, as crewjam/saml has it
//
// Every round gives one time of each. The figure that counts is the ratio of the
// quietest tenth of the rounds (see comparison); the median of all rounds and best against
// best stand beside it. Absolute times are the least of all rounds and say something about
// one machine only.
//
// # What is timed
//
// Time is CPU time of the process, user and system, all its threads: on a shared
// machine elapsed time measures the neighbours. Every turn begins with a request
// that is not timed, and its messages are copied into place before it, as the
// network would have left them. Handler, floor and keys take short turns, and no
// collection of garbage falls into one; handler and the naive paths then take long turns, in
// which each pays for its own garbage. The HTTP layer is in none of them and has a row
// of its own among the steps. The steps (BenchmarkStage) are timed alone and overlap: they cannot be added.
//
// The journal of the handler is durable and writes every record to a real file before
// the answer leaves, but the file does not wait for the disk: fsync costs what the
// disk costs, and a loaded server shares one among many requests. What the disk adds
// when nobody shares has its own table (BenchmarkJournal).
//
// # Growth
//
// The tables of growth put handlers of several sizes side by side, turn by turn, and end with
// the exponents of the growth (see growth). With -short or -benchtime 1x the sizes are
// small. That the road of a request does not depend on the size of CRL and registry, and takes memory no faster
// than messages and designators grow, is asserted besides by counting, without a clock, in
// ordinary tests.
package bench
