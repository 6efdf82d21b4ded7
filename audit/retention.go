package audit

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// LeastRetention is the shortest time for which Prune lets a journal keep its records: a start reads back what was admitted a
// little while before.
const LeastRetention = 24 * time.Hour

// A Removal says which files of a journal were removed because all their records were older than they had to be kept. The journal
// itself records it, before they go, with the anchor of the last record removed: so the chain vouches for where it begins.
type Removal struct {
	First, Last int    // numbers of files
	Until       Anchor // the last record removed
	Retention   time.Duration
	At          time.Time
}

// removalRecord is a Removal as it stands in a record of kind "removed".
type removalRecord struct {
	Kind      string    `json:"kind"`
	Time      time.Time `json:"time"`
	First     int       `json:"first"`
	Last      int       `json:"last"`
	Until     string    `json:"until"`
	Retention string    `json:"retention"`
}

// Prune removes those whole files whose every record is older than retention, the oldest first; never the one that is appended to.
// What it removes it records first, durably. Zero is returned where there is nothing to remove. It may run beside Record; after an error or a
// crash the next Prune goes on. It knows no time but the clock: see that it is right. Errors are *Error.
func (j *Journal) Prune(retention time.Duration) (Removal, error) {
	if j.lock == nil {
		return Removal{}, &Error{Reason: Closed, Err: errText("a journal comes from Open")}
	}
	if retention < LeastRetention {
		return Removal{}, &Error{Reason: InvalidConfig, Err: fmt.Errorf("a retention of %v is below %v", retention, LeastRetention)}
	}
	j.pruning.Lock()
	defer j.pruning.Unlock()
	j.queue.mu.Lock()
	current, closed := j.queue.stats.File, j.queue.closed
	j.queue.mu.Unlock()
	if closed {
		return Removal{}, &Error{Reason: Closed}
	}
	old, err := j.older(current, j.now().Add(-retention))
	if err != nil || len(old.numbers) == 0 {
		return Removal{}, err
	}
	removal := Removal{First: old.numbers[0], Last: old.numbers[len(old.numbers)-1], Until: old.until, Retention: retention, At: j.now()}
	if err := j.control(removal.body()); err != nil {
		return Removal{}, err
	}
	if err := j.writer.flush(); err != nil {
		return Removal{}, &Error{Reason: Unwritable, Err: err}
	}
	for _, name := range append(old.torn, old.names()...) {
		if err := j.writer.files.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Removal{}, &Error{Reason: Unwritable, File: name, Err: err}
		}
	}
	if err := j.writer.files.SyncDir(); err != nil {
		return Removal{}, &Error{Reason: Unwritable, Err: err}
	}
	j.log.Info("audit files older than the retention were removed", "first", removal.First, "last", removal.Last, "retention", retention, "until", removal.Until)
	return removal, nil
}

func (r *Removal) body() []byte {
	b := append([]byte(nil), `"kind":"removed","time":"`...)
	b = appendTime(b, r.At)
	b = append(b, `","first":`...)
	b = strconv.AppendInt(b, int64(r.First), 10)
	b = append(b, `,"last":`...)
	b = strconv.AppendInt(b, int64(r.Last), 10)
	b = append(b, `,"until":"`...)
	b = append(b, r.Until.String()...)
	b = append(b, `","retention":"`...)
	b = append(b, r.Retention.String()...)
	return append(b, '"')
}

// parseRemoval reads a record of kind "removed".
func parseRemoval(text []byte) (Removal, bool) {
	var kept removalRecord
	if json.Unmarshal(text, &kept) != nil || kept.Kind != "removed" {
		return Removal{}, false
	}
	until, err := ParseAnchor(kept.Until)
	if err != nil {
		return Removal{}, false
	}
	retention, err := time.ParseDuration(kept.Retention)
	if err != nil {
		return Removal{}, false
	}
	return Removal{First: kept.First, Last: kept.Last, Until: until, Retention: retention, At: kept.Time}, true
}

// oldFiles are the files of a journal whose every record is older than some moment.
type oldFiles struct {
	numbers []int
	torn    []string
	until   Anchor
}

func (o *oldFiles) names() []string {
	var names []string
	for _, number := range o.numbers {
		names = append(names, fileName(number))
	}
	return names
}

// older finds the files before current that were followed by another before a moment. A record is made after the time
// of its event, so every one of theirs is older. The first file of which that cannot be said ends it: no gap is made.
func (j *Journal) older(current int, moment time.Time) (oldFiles, error) {
	files := j.writer.files
	numbers, torn, err := fileNumbers(files)
	if err != nil {
		return oldFiles{}, &Error{Reason: Unreadable, Err: err}
	}
	var old oldFiles
	for i := 0; i+1 < len(numbers) && numbers[i+1] <= current; i++ {
		head, seq, err := readHead(files, numbers[i+1])
		if err != nil {
			return oldFiles{}, &Error{Reason: Unreadable, File: fileName(numbers[i+1]), Err: err}
		}
		if head.Time.IsZero() || !head.Time.Before(moment) {
			break
		}
		old.numbers = append(old.numbers, numbers[i])
		old.until = Anchor{Journal: head.journal, Seq: seq - 1, Hash: head.previous}
	}
	for _, name := range torn {
		for _, number := range old.numbers {
			if strings.HasPrefix(name, fileName(number)+".") {
				old.torn = append(old.torn, name)
			}
		}
	}
	return old, nil
}

// readHead reads the first record of a file, and gives its number.
func readHead(files FileSystem, number int) (fileHead, uint64, error) {
	file, err := files.Open(fileName(number))
	if err != nil {
		return fileHead{}, 0, err
	}
	defer file.Close()
	text, complete, err := newLineReader(file).next()
	if err != nil {
		return fileHead{}, 0, err
	}
	c := chain{digest: sha256.New()}
	head, ok := parseHead(text, number, &c)
	if !complete || !ok {
		return fileHead{}, 0, errText("its first record is not one")
	}
	return head, c.seq, nil
}
