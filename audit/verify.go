package audit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// A FindingKind is one way in which a journal is not what was written.
type FindingKind uint8

const (
	_ FindingKind = iota
	// MalformedLine: a line is not a record.
	MalformedLine
	// Changed: the record does not have the hash it should.
	Changed
	// Missing: records are not there.
	Missing
	// Misplaced: a record stands twice, or not in its order.
	Misplaced
	// MissingFile: files are not there, between others that are.
	MissingFile
	// Foreign: the file belongs to another journal.
	Foreign
	// Unfinished: the last line has no end. A crash leaves this until the next
	// start; a record is lost only if an anchor says so.
	Unfinished
	// Truncated: the journal ends before an anchor.
	Truncated
	// AnchorMismatch: the record at an anchor has another hash.
	AnchorMismatch
)

func (k FindingKind) String() string {
	switch k {
	case MalformedLine:
		return "malformed line"
	case Changed:
		return "changed"
	case Missing:
		return "missing"
	case Misplaced:
		return "misplaced"
	case MissingFile:
		return "missing file"
	case Foreign:
		return "foreign file"
	case Unfinished:
		return "unfinished line"
	case Truncated:
		return "truncated"
	case AnchorMismatch:
		return "anchor mismatch"
	}
	return "nothing"
}

// A Finding is one place where the journal does not hold together. Line counts from 1; 0 means the file.
type Finding struct {
	Kind   FindingKind
	File   string
	Line   int
	Seq    uint64 // of the record concerned, as far as known
	Detail string
}

func (f Finding) String() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s: %s: record %d: %s", where, f.Kind, f.Seq, f.Detail)
}

// maxFindings bounds a report on a journal that is mostly noise.
const maxFindings = 1000

// A Report is what Verify found.
type Report struct {
	Files   int
	Records uint64 // of every kind
	Events  uint64
	// Before is where the kept part begins: the record before the first one, which is
	// number 0 unless older files were archived. Compare it with the head of what was archived.
	Before Anchor
	// Head is the last record; note it elsewhere.
	Head Anchor
	// Torn are the files in which starts after a crash set aside what was half written.
	Torn []string
	// Removed are the removals that the kept part speaks of (Prune).
	Removed []Removal
	// Unchecked are the anchors that lie before the kept part.
	Unchecked []Anchor
	Findings  []Finding
	// FindingsOmitted counts the findings beyond the first 1000.
	FindingsOmitted int
}

// RemovedByRetention says whether the journal itself vouches for where its kept part begins: nothing is missing, or what is was
// removed by Prune. Without, somebody archived or removed files by hand, and only an anchor shows that it was all.
func (r Report) RemovedByRetention() bool {
	return r.Before.Seq == 0 || slices.ContainsFunc(r.Removed, func(removal Removal) bool { return removal.Until == r.Before })
}

// Intact says whether nothing was found. It does not say that nothing was cut off the end
// or rewritten: only anchors show that (see the package comment).
func (r Report) Intact() bool { return len(r.Findings) == 0 }

// Verify reads the whole journal and reports every place where it does not hold together or
// contradicts an anchor. It needs neither key nor lock and works while another process
// appends: it reads the files that there are when it begins. The error, with Reason Unreadable, says that the journal could not be read to its end.
func Verify(dir string, anchors ...Anchor) (Report, error) {
	return verify(directory(dir), anchors)
}

func verify(files FileSystem, anchors []Anchor) (Report, error) {
	v := verifier{files: files, chain: chain{digest: sha256.New()}}
	v.anchors = slices.SortedFunc(slices.Values(anchors), func(a, b Anchor) int { return cmp.Compare(a.Seq, b.Seq) })
	// The files of now: all but the last are complete. One that is begun meanwhile is not gone on with, as records may
	// have come between the end that was read of the one before and its own beginning; and a busy writer
	// could begin files faster than they are read.
	numbers, torn, err := fileNumbers(files)
	if err != nil {
		return v.report, &Error{Reason: Unreadable, Err: err}
	}
	v.report.Torn = torn
	for _, number := range numbers {
		err := v.file(number)
		if errors.Is(err, fs.ErrNotExist) && v.report.Records == 0 {
			v.number, v.report.Files = 0, 0 // removed for its age since the names were read
			continue
		}
		if err != nil {
			return v.report, &Error{Reason: Unreadable, File: fileName(number), Err: err}
		}
	}
	v.end()
	return v.report, nil
}

// A verifier walks along a journal. When a record does not follow, several places may
// be the one the next record goes on from; keeping them all makes one change one finding.
type verifier struct {
	files   FileSystem
	report  Report
	anchors []Anchor // in order; those passed are removed

	journal ID     // zero until a file said it
	number  int    // of the file being read
	name    string // its name
	line    int
	chain   chain  // after the last record, as it says of itself
	others  []link // where else the next record may go on from
	unsure  bool   // the hash of the last record could not be read
}

func (v *verifier) found(kind FindingKind, seq uint64, detail string) {
	if len(v.report.Findings) == maxFindings {
		v.report.FindingsOmitted++
		return
	}
	v.report.Findings = append(v.report.Findings, Finding{Kind: kind, File: v.name, Line: v.line, Seq: seq, Detail: detail})
}

// An unfinished line may be one that another process is just writing.
const (
	settleTries = 5
	settleWait  = 20 * time.Millisecond
)

func (v *verifier) file(number int) error {
	v.name, v.line = fileName(number), 0
	if v.number != 0 && number != v.number+1 {
		v.found(MissingFile, v.chain.seq+1, fmt.Sprintf("files %d to %d are not there", v.number+1, number-1))
	}
	v.number = number
	v.report.Files++
	var offset int64
	for tries := 0; ; tries++ {
		end, finished, err := v.lines(offset)
		switch {
		case err != nil:
			return err
		case finished:
			return nil
		case end > offset:
			offset, tries = end, 0
		case tries == settleTries:
			v.line++
			v.found(Unfinished, v.chain.seq+1, "the last line has no end")
			return nil
		}
		time.Sleep(settleWait)
	}
}

// lines takes in the whole lines from offset on, and says whether the file ends with one.
func (v *verifier) lines(offset int64) (end int64, finished bool, err error) {
	file, err := v.files.Open(v.name)
	if err != nil {
		return offset, false, err
	}
	defer file.Close()
	if _, err := io.CopyN(io.Discard, file, offset); err != nil {
		return offset, false, err
	}
	lines := newLineReader(file)
	for end = offset; ; end = offset + lines.offset {
		text, complete, err := lines.next()
		switch {
		case err == io.EOF:
			return end, true, nil
		case err != nil:
			return end, false, err
		case !complete:
			return end, false, nil
		}
		v.line++
		v.record(text)
	}
}

func (v *verifier) record(text []byte) {
	v.report.Records++
	l, ok := parseLine(text)
	if !ok {
		v.found(MalformedLine, v.chain.seq+1, "the line is not a record")
		v.others = append(v.others[:0], v.chain.link)
		v.chain.seq++
		v.unsure = true
		return
	}
	if l.isEvent() {
		v.report.Events++
	} else if l.hasKind(`"removed"`) {
		if removal, ok := parseRemoval(text); ok && len(v.report.Removed) < maxFindings {
			v.report.Removed = append(v.report.Removed, removal)
		}
	}
	switch {
	case v.line == 1:
		v.first(&l)
	case l.isFile():
		v.found(Misplaced, l.seq, "the first record of a file in its middle")
		v.adopt(&l)
	default:
		v.next(&l)
	}
	v.compare(&l)
}

// first takes in what should be the first record of a file.
func (v *verifier) first(l *line) {
	at := chain{digest: v.chain.digest}
	head, ok := parseHead(l.text, v.number, &at)
	switch {
	case !ok:
		v.found(Changed, l.seq, "the first record is not that of this file")
		if v.report.Files == 1 {
			v.report.Before = Anchor{Seq: l.seq - min(l.seq, 1), Hash: head.previous}
		}
		v.adopt(l)
		return
	case v.report.Files == 1:
		v.report.Before = Anchor{Seq: l.seq - 1, Hash: head.previous}
		v.journal = head.journal
		v.adopt(l)
		return
	case v.journal == ID{}:
		v.journal = head.journal // the first file could not say
	case head.journal != v.journal:
		v.found(Foreign, l.seq, "the file is of journal "+head.journal.String())
	}
	v.next(l)
}

// next takes in a record that should follow the one before.
func (v *verifier) next(l *line) {
	expected, known := v.chain.link, !v.unsure
	if known && l.follows(&v.chain) {
		v.others = v.others[:0]
		return
	}
	for _, other := range v.others {
		v.chain.link = other
		if l.follows(&v.chain) {
			v.others, v.unsure = v.others[:0], false
			return
		}
	}
	v.chain.link = expected
	switch {
	case l.seq > expected.seq+1:
		v.found(Missing, expected.seq+1, fmt.Sprintf("records %d to %d are not there", expected.seq+1, l.seq-1))
		v.adopt(l)
	case l.seq <= expected.seq:
		v.found(Misplaced, l.seq, fmt.Sprintf("it stands after record %d", expected.seq))
	case !known:
		v.adopt(l) // nothing to hold it against; the line before is reported
	default:
		v.found(Changed, l.seq, "its hash is not that of its text and the record before")
		computed := v.chain
		computed.advance(l.hashed())
		computed.seq++
		v.adopt(l)
		v.others = append(v.others, computed.link, expected)
	}
}

// adopt goes on from what a record says of itself.
func (v *verifier) adopt(l *line) {
	v.chain.link = link{seq: l.seq, hash: l.hash}
	v.others, v.unsure = v.others[:0], false
}

// compare holds a record against the anchors for its number.
func (v *verifier) compare(l *line) {
	for len(v.anchors) > 0 && v.anchors[0].Seq <= l.seq {
		a := v.anchors[0]
		v.anchors = v.anchors[1:]
		switch {
		case v.journal != ID{} && a.Journal != v.journal:
			v.found(AnchorMismatch, a.Seq, "the anchor is of journal "+a.Journal.String())
		case a.Seq == l.seq:
			if a.Hash != l.hash {
				v.found(AnchorMismatch, a.Seq, "the record has another hash than the anchor")
			}
		case a.Seq == v.report.Before.Seq:
			if a.Hash != v.report.Before.Hash {
				v.found(AnchorMismatch, a.Seq, "what came before the kept part has another hash than the anchor")
			}
		case a.Seq < v.report.Before.Seq:
			v.report.Unchecked = append(v.report.Unchecked, a)
		default:
			v.found(AnchorMismatch, a.Seq, "there is no such record")
		}
	}
}

func (v *verifier) end() {
	if v.report.Files > 0 {
		v.report.Before.Journal = v.journal
		v.report.Head = Anchor{Journal: v.journal, Seq: v.chain.seq, Hash: v.chain.hash}
	}
	for _, a := range v.anchors {
		v.found(Truncated, a.Seq, fmt.Sprintf("an anchor names record %d, the journal ends at %d", a.Seq, v.chain.seq))
	}
}
