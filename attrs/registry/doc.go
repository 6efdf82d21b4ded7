// Package registry is an authentic source of attributes that needs no server: a registry in one SQLite file, filled by
// import and read by the security token service. It implements [attrs.Source] and [attrs.Versioned].
//
// # What it holds
//
// A fact a row: one attribute of one subject has one value from one instant to just before another.
//
//	subject_type     ssin, nihii, cbe, ehp, or two joined by a slash for a relation: nihii/ssin
//	subject          the number, check digits included; for a relation both, joined by a slash: 71000040/00000000097
//	attribute        name of a certified attribute, canonical or an alias
//	namespace        the certified namespace; the column may be missing and the cell empty
//	value            true or false for a boolean; otherwise a value of the attribute's kind
//	not_before       RFC 3339 with zone, to the microsecond; empty: since ever
//	not_on_or_after  the same; empty: for ever
//
// That is the header of the CSV that [Registry.ImportCSV] reads, in any order of columns, and the keys of the objects that
// [Registry.ImportJSON] reads, in an array or one after another (JSON lines). JSON booleans are taken for the values true
// and false, null and a missing key for an empty cell. Nothing else is forgiven: no blanks around a value, no other time
// formats, no unknown columns, no byte order mark.
//
// # Answers
//
// A subject that the registry does not hold is denied booleans, and its other attributes are unknown. So is one whose fact
// does not hold at the instant asked. Everything that keeps the registry from looking is an *[attrs.Error] and never a
// denial: a file that is missing, locked, corrupted, replaced by something else, of another version, a closed registry, and
// one into which nothing was ever imported, because a registry that knows nobody would tell everybody that he is no doctor.
// What is read from the file is checked again by kind, so that a value which was put there by other means than an import
// is a bad answer.
//
// # Imports
//
// An import is all or nothing. All rows are checked first and everything wrong is reported at once, by line and column,
// without repeating the value, which may be a person's. Two facts about one attribute of one subject may not hold at the
// same time (several values may, where the attribute allows it).
//
//	ModeReplace  the registry holds exactly the rows of the import afterwards
//	ModeMerge    for each subject and attribute that the import names, the registry holds exactly the rows of the import
//	             about them; what it does not name stays. To withdraw a fact, import its end or a false.
//
// An import without rows is refused: it is more likely a broken export than the wish to forget everybody.
//
// # Running processes
//
// The file is in WAL mode: readers see the state before or after an import, never between, and do not wait for it. Each
// import has a number one higher than the last. A running server, which opens the file read-only, looks for a new number
// every PollInterval; from then on answers kept from before are no longer used. If the file is moved away or another one put
// in its place, it opens the new one, and fails until it can. To put a backup in its place, stop the writers, remove the -wal and -shm
// files of the old one and move it in.
//
// SQLite needs the -shm file beside the database to be writable for readers too: give the server's account write access
// to the directory of the registry, though not to the registry itself, or keep both files there.
//
// The file holds personal data: it is made with mode 0600, what is deleted is overwritten, temporary tables stay in
// memory. Values that begin with =, +, - or @ are exported as they are: do not open an export in a spreadsheet that evaluates them.
package registry
