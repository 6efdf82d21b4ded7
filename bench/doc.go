// Package bench measures what a request costs: the shipped service against the
// floor that its public-key arithmetic sets, and against the same work done the
// way a Go programmer would do it with etree, goxmldsig and crypto/x509.
//
// There is no code here but tests:
//
//	go test ./bench                                      the naive path is right, allocation ceilings hold
//	go test ./bench -run '^$' -bench Ratio -benchtime 60x    the ratios, as benchmark metrics
//
// With -table FILE, or -table - for standard output, the measured is written as
// Markdown tables besides; README.md has the whole command, RESULTS.md its last output.
//
// # Four paths, turn by turn
//
// For each cell (key of the eID, key of the STS) four paths answer the same messages
// in one process, in short turns one after another, over many rounds:
//
//	handler   sts.Service.AttributeQuery, from request bytes to answer bytes, built as
//	          stsd builds it: rule file, registry in SQLite behind the resolver, certificate
//	          and CRL checks, replay detection, audit journal, metrics
//	floor     the public-key operations of that request, and SHA-256 of the octets that
//	          its signatures are over: nothing can answer it with less
//	keys      the public-key operations alone
//	naive     etree + goxmldsig + crypto/x509 (see naiveService for all it leaves out)
//
// Every round gives one ratio of handler to floor, and of naive to handler. The median
// of the rounds is the figure that counts: a machine that slows down slows all four
// paths, and a disturbance of one turn spoils one round. Absolute times are the
// least of all rounds and say something about one machine only.
//
// # What is timed
//
// Time is CPU time of the process, user and system, all its threads: on a shared
// machine elapsed time measures the neighbours. Every turn begins with a request
// that is not timed, and its messages are copied into place before it, as the
// network would have left them. Handler, floor and keys take short turns, and no
// collection of garbage falls into one; handler and naive then take long turns, in which
// each pays for its own garbage.
//
// The journal of the handler is durable and writes every record to a real file before
// the answer leaves, but the file does not wait for the disk: fsync costs what the
// disk costs, and a loaded server shares one among many requests. What the disk adds
// when nobody shares has its own table (BenchmarkJournal).
package bench
