// Package audit keeps the trace of every decision: one event a request, whatever
// its end, recorded before the answer leaves.
//
// # The promise
//
// [Journal.Record] returns nil once the event is on stable storage. A caller that
// gets an error must not let the token leave: nothing is issued unrecorded. The
// reverse may happen and is harmless: after a power failure at the wrong instant
// the journal may hold the record of a token that never left.
//
// Many goroutines share one fsync: the first to come writes and syncs for all who
// queued behind it (a leader and its followers), so the price of durability is
// one fsync a batch. [Relaxed] gives that up, explicitly and loudly: records are
// handed to the operating system at once and synced every interval; a crash of the
// machine (not of the process) may then lose the last interval.
//
// When the disk is full or fails, Record returns an [*Error] with Reason
// [Unwritable], what was half written is cut off again, and the next Record tries
// anew: the journal recovers when the disk does.
//
// # Files
//
// A journal is one directory:
//
//	journal-00000001.jsonl   records, one JSON object a line; only ever appended to
//	journal-00000002.jsonl   the next file, begun when the former reached its size
//	pseudonym.key            HMAC key, mode 0600, made at the first start unless given
//	lock                     held (flock) by the one process that appends
//	*.torn                   what a crash left half written, set aside at the next start
//
// There is no manifest. The first record of each file names the number of the file,
// the identity of the journal and the hash of the last record before it.
//
// # Records and their chain
//
//	{"seq":7,"kind":"event", ... ,"durable":6,"hash":"5f1c…"}
//
// seq grows by one from record to record across files. durable is the last record
// that was known to be on stable storage when this one was written; it lets a start after
// a crash tell a torn write from a record that was changed. hash is, in lower-case hex,
//
//	SHA-256( hash of the record before (32 bytes) || the line up to and without `,"hash":"` )
//
// and for the very first record the hash before it is 32 zero bytes. So the chain
// can be checked without this program:
//
//	prev = bytes(32)
//	for line in open("journal-00000001.jsonl", "rb"):
//	    body, hash = line[:-76], line[-67:-3].decode()
//	    assert hashlib.sha256(prev + body).hexdigest() == hash
//	    prev = bytes.fromhex(hash)
//
// Besides events there are four kinds of records: "file" (the first of a file), "open" (a
// process began to append: it states the durability in force and what was recovered), "removed" (files
// that were older than the retention, with the anchor of their last record) and "close" (it ended in order).
//
// # What the chain shows, and what it cannot
//
// [Verify] finds changed bytes, records removed, inserted, repeated or put in another
// order, and files missing from the middle. A chain alone cannot show two things, because
// its hashes need no secret. First, whoever may write the directory can cut off the end;
// second, he can rewrite everything from some record on. Both show against an [Anchor]: the place and hash of
// a record, noted where he cannot write ([Journal.Head], or Report.Head of Verify; print it daily, send it
// to another machine, have it time-stamped). Files missing from the beginning are not an error, since the operator
// may archive them; Report.Before says where the kept part begins, and Report.RemovedByRetention whether the journal itself recorded
// the removal of all before it.
//
// # Personal data
//
// Attribute values are never recorded, only names and states. Identifiers of
// persons and organisations are kept as HMAC-SHA-256 pseudonyms under the journal's own key, so that
// whoever knows an identifier and holds the key can search for it ([Key.Pseudonym]), and the
// journal alone names nobody. Keep the key apart from backups of the journal; destroying it
// makes the pseudonyms meaningless. A journal that has records and lost its key is not opened: put
// the key back or begin a new directory. Certificate fingerprints are recorded: they identify a
// certificate to whoever already has it. Texts from outside (RequestID, names of attributes, causes) are
// escaped and cut to a fixed length, so that they can neither forge a record nor steer a terminal (Z10), and in
// causes and names of attributes runs of eight digits and more are masked.
//
// A federated identification must be followed back to where it came from (EXI FI 35), and that needs an address and a
// person. Both are kept encrypted under the journal's key ([Sealed]): AES-256-GCM, a key of its own for each day, and the
// id of the event authenticated with it. Whoever has the journal alone learns nothing from them; whoever answers an
// investigation opens those records that it asks for ([Key.Unseal]). Codes and tokens without an id are kept as SHA-256: they
// are random, and who holds one finds its record.
//
// # Operation
//
// Retention is the operator's: nothing is removed unless [Journal.Prune] is asked to. It removes whole files, the oldest first,
// whose every record is older, and records that it does. Who removes files by other means removes the oldest first
// too, and keeps the head of what was removed as an anchor. Do not rename,
// edit or rotate files while a process appends (no logrotate): it keeps writing to the file it opened.
// Reading needs no lock: [List] and [Verify] work on a live journal.
//
// A directory whose last file does not hold together (and was not merely torn by a crash) is
// refused by [Open] with Reason [Broken]: it is evidence. Set it aside and begin another.
package audit
