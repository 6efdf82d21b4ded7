// Command sceau is our own service as a peer of bench/peers: sts.Service made as stsd makes
// it, with rule file, registry in SQLite behind its resolver, certificate verification with
// CRLs and its caches, replay detection, audit journal and metrics.
//
//	sceau [-signer go|openssl] DIR
//
// DIR is the folder of a task (package task). Commands are read as lines from standard input, each is answered
// with one line on standard output:
//
//	version            what stands behind the row of the table
//	answer FILE OUT    answers the message in FILE and writes the answer to OUT: "ok" or "refused: …"
//	run N              answers DIR/request.xml N times: microseconds of CPU an answer, or "refused: …"
//
// What differs from stsd, and why:
//
//   - the clock stands still at DIR/now, as for all peers;
//   - replay detection is asked and remembers, but takes every message for another
//     one (repeat.go), so that one message can be answered many times;
//   - the journal writes every record to a real file before the answer leaves, but its file
//     does not wait for the disk (package unsynced): the waiting would disturb the turns of the
//     others. It saves CPU, too, which README.md tells.
package main
