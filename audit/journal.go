package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// A Sink records events. Record returns nil once the event is kept as durably as the
// sink promises; on an error the caller must let nothing leave that the event speaks
// of. It is safe for concurrent use and keeps nothing of e. [Journal] is the Sink of production.
type Sink interface {
	Record(ctx context.Context, e *Event) error
}

// An Observer sees every event after the journal had it, with what Record will return.
// Observe must be safe for concurrent use, must not block and must not keep e.
type Observer interface {
	Observe(e *Event, err error)
}

// A Journal is an append-only, hash-chained trace. Open makes it; it is safe for
// concurrent use; Close it once.
type Journal struct {
	key       Key
	observers []Observer
	log       *slog.Logger
	now       func() time.Time
	slots     sync.Pool // *slot
	lock      io.Closer

	maxPending int
	queue      queue
	writer     writer // belongs to the leader

	pruning       sync.Mutex    // one Prune at a time, and none while Close gives up the lock
	stop, stopped chan struct{} // the syncer's; nil when durable
	closing       sync.Once
	closed        error
}

var _ Sink = (*Journal)(nil)

// Open opens the journal for appending, making it if need be. What a crash left half written
// is set aside and reported; a journal that does not hold together is refused. Errors are *Error.
func Open(c Config) (*Journal, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	files := c.FileSystem
	if files == nil {
		dir, err := makeDirectory(c.Dir)
		if err != nil {
			return nil, &Error{Reason: Unwritable, Err: err}
		}
		files = dir
		if dir.openToOthers() {
			c.Logger.Warn("the audit directory can be written by others than its owner: they can remove records", "dir", c.Dir)
		}
	}
	lock, err := files.Lock("lock")
	if err != nil {
		reason := Unwritable
		if errors.Is(err, ErrLocked) {
			reason = Locked
		}
		return nil, &Error{Reason: reason, Err: err}
	}
	j, err := open(c, files, lock)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return j, nil
}

func open(c Config, files FileSystem, lock io.Closer) (*Journal, error) {
	end, err := findEnd(files)
	if err != nil {
		return nil, err
	}
	key := c.Key
	if key.secret == nil {
		if key, err = loadKey(files, end.end.seq == 0); err != nil {
			return nil, err
		}
	}
	aside, err := end.setAside(files)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		key: key, observers: c.Observers, log: c.Logger, now: c.Now, lock: lock, maxPending: c.MaxPendingBytes,
		writer: writer{
			files: files, journal: end.journal, keyID: key.id(), maxFile: c.MaxFileBytes, maxAge: c.MaxFileAge, relaxed: c.Durability.relaxed(), now: c.Now,
			number: end.number, since: end.begun, size: end.size, chain: chain{link: end.end, digest: sha256.New()},
		},
	}
	j.slots.New = func() any {
		return &slot{pseudonymizer: key.pseudonymizer(), wake: make(chan struct{}, 1)}
	}
	j.writer.onLoss = j.tellLoss
	if err := j.resume(end); err != nil {
		return nil, err
	}
	j.tellOpened(c.Durability, aside, len(end.tail))
	if err := j.control(j.openBody(c.Durability, aside, end.tail)); err != nil {
		j.writer.close()
		return nil, err
	}
	if c.Durability.relaxed() {
		j.stop, j.stopped = make(chan struct{}), make(chan struct{})
		go j.syncEvery(c.Durability.interval)
	}
	return j, nil
}

// resume takes up the file that was found, or leaves it to the first append to begin one.
func (j *Journal) resume(end resumption) error {
	w := &j.writer
	if end.end.seq == 0 {
		rand.Read(w.journal[:])
		return nil
	}
	file, err := w.files.Append(fileName(end.number))
	if err == nil {
		// The process that wrote the file may have died before its sync.
		if err = file.Sync(); err != nil {
			file.Close()
		}
	}
	if err != nil {
		return &Error{Reason: Unwritable, File: fileName(end.number), Err: err}
	}
	w.file = file
	w.written.Store(end.end.seq)
	w.durable.Store(end.end.seq)
	j.queue.head = end.end
	j.queue.stats.File = end.number
	if end.keyID != w.keyID {
		w.rotate = true // pseudonyms under another key: another file says so in its head
	}
	return nil
}

func (j *Journal) tellOpened(d Durability, aside string, torn int) {
	if d.relaxed() {
		j.log.Warn("AUDIT DURABILITY IS RELAXED: a crash of the machine may lose the trace of tokens already issued", "interval", d.interval)
	}
	if aside != "" {
		j.log.Warn("audit journal recovered after a crash: an unfinished write was set aside", "bytes", torn, "file", aside)
	}
}

func (j *Journal) tellLoss(err error, from, to uint64) {
	j.log.Error("AUDIT RECORDS MAY BE LOST: relaxed records could not be synced; the next file is begun", "from", from, "to", to, "error", err)
}

func (j *Journal) openBody(d Durability, aside string, tail []byte) []byte {
	b := append([]byte(nil), `"kind":"open","time":"`...)
	b = appendTime(b, j.now())
	b = append(b, `","durability":`...)
	b = appendText(b, d.String(), maxWord)
	if aside != "" {
		digest := sha256.Sum256(tail)
		b = append(b, `,"recovered":{"bytes":`...)
		b = strconv.AppendInt(b, int64(len(tail)), 10)
		b = append(b, `,"sha256":"`...)
		b = hex.AppendEncode(b, digest[:])
		b = append(b, `","file":`...)
		b = append(appendText(b, aside, maxName), '}')
	}
	return b
}

// Record keeps the event and returns once it is durable (see Durability), then tells
// the observers. It reads e before it returns and keeps nothing of it. The context bounds the wait, not the write: a
// record that is under way cannot be called back (Indeterminate). Errors are *Error; whatever the
// error, the caller treats the event as not recorded.
func (j *Journal) Record(ctx context.Context, e *Event) error {
	err := j.record(ctx, e)
	for _, o := range j.observers {
		o.Observe(e, err)
	}
	return err
}

func (j *Journal) record(ctx context.Context, e *Event) error {
	if j.lock == nil {
		return &Error{Reason: Closed, Err: errText("a journal comes from Open")}
	}
	if missing := e.validate(); missing != "" {
		return &Error{Reason: InvalidEvent, Err: errText(missing)}
	}
	s := j.slots.Get().(*slot)
	s.body = appendEvent(s.body[:0], e, &s.pseudonymizer)
	s.forget()
	s.event = true
	return j.submit(ctx, s)
}

// control keeps a record of the journal's own.
func (j *Journal) control(body []byte) error {
	s := j.slots.Get().(*slot)
	s.body, s.event = append(s.body[:0], body...), false
	return j.submit(context.Background(), s)
}

// Pseudonym gives what this journal records for an identifier.
func (j *Journal) Pseudonym(id Identifier) Pseudonym { return j.key.Pseudonym(id) }

// Head is the place and hash of the last record, to be noted elsewhere.
func (j *Journal) Head() Anchor {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	return Anchor{Journal: j.writer.journal, Seq: j.queue.head.seq, Hash: j.queue.head.hash}
}

// Stats are what a journal did since Open.
type Stats struct {
	Events        uint64        // recorded
	Failures      uint64        // refused for whatever reason
	Commits       uint64        // writes, each of one batch
	CommitTime    time.Duration // spent in them, fsync included
	Bytes         uint64        // of records written
	File          int           // number of the file now appended to
	Seq           uint64        // number of the last record
	PendingEvents int           // waiting for the disk
	Failing       bool          // the last write failed
}

// Stats gives a consistent copy.
func (j *Journal) Stats() Stats {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	stats := j.queue.stats
	stats.Seq, stats.PendingEvents = j.queue.head.seq, len(j.queue.waiting)
	return stats
}

func (j *Journal) syncEvery(interval time.Duration) {
	defer close(j.stopped)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-tick.C:
			_ = j.writer.flush() // told by tellLoss
		}
	}
}

// Close records the orderly end, syncs and gives up the lock. Record refuses from
// then on; what was waiting is recorded first. Further calls return the same.
func (j *Journal) Close() error {
	j.closing.Do(func() {
		j.pruning.Lock()
		defer j.pruning.Unlock()
		j.queue.close()
		body := append([]byte(nil), `"kind":"close","time":"`...)
		body = append(appendTime(body, j.now()), '"')
		err := j.control(body)
		if j.stop != nil {
			close(j.stop)
			<-j.stopped
		}
		if closeErr := j.writer.close(); err == nil && closeErr != nil {
			err = &Error{Reason: Unwritable, Err: closeErr}
		}
		j.lock.Close()
		j.closed = err
	})
	return j.closed
}
