package audit

import (
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// keptBuffer is how large a buffer may stay between batches.
const keptBuffer = 1 << 20

// A writer puts batches of records into files. All of it belongs to the leader of the
// moment (see queue.go), except what is marked for the syncer of relaxed durability.
type writer struct {
	files   FileSystem
	journal ID
	keyID   string
	maxFile int64
	maxAge  time.Duration // zero: none
	relaxed bool
	now     func() time.Time
	onLoss  func(err error, from, to uint64)

	number int
	since  time.Time // when the file was begun
	size   int64     // bytes of the file that hold acknowledged records
	chain  chain
	out    []byte
	rotate bool // begin another file whatever the size
	dirty  bool // the file may hold more than size
	begun  int  // number of a file that was created but could not be begun
	bytes  uint64

	mu      sync.Mutex    // leader: to replace file; syncer: to sync it
	file    File          // guarded by mu against replacement
	written atomic.Uint64 // number of the last record written
	durable atomic.Uint64 // number of the last record on stable storage
	lost    atomic.Bool   // a sync failed after records were acknowledged (relaxed only)
}

// append makes the batch part of the journal, durably unless relaxed, or leaves
// the journal as it was and returns an error.
func (w *writer) append(batch []*slot) error {
	if err := w.cut(); err != nil {
		return err
	}
	if w.file == nil || w.size >= w.maxFile || w.aged() || w.rotate || w.lost.Load() {
		if err := w.begin(); err != nil {
			return err
		}
	}
	before, durable := w.chain.link, w.durable.Load()
	w.out = w.out[:0]
	for _, s := range batch {
		w.out = w.chain.appendLine(w.out, s.body, durable)
	}
	err := writeAll(w.file, w.out)
	if err == nil && !w.relaxed {
		err = w.file.Sync()
	}
	if err != nil {
		w.chain.link = before
		w.dirty = true
		// Readers should not see what was not acknowledged. Should this fail too, the
		// next batch begins with it.
		return errors.Join(err, w.cut())
	}
	w.size += int64(len(w.out))
	w.bytes += uint64(len(w.out))
	w.written.Store(w.chain.seq)
	if !w.relaxed {
		w.durable.Store(w.chain.seq)
	}
	if cap(w.out) > keptBuffer {
		w.out = nil
	}
	return nil
}

// aged says that the file is too old to go on with.
func (w *writer) aged() bool { return w.maxAge > 0 && w.now().Sub(w.since) >= w.maxAge }

// cut removes from the file what a failed write or sync left behind the last
// acknowledged record. After a failed fsync the system may have dropped the pages and
// call them clean: nothing of that batch is counted on, it is cut off and its records were refused.
func (w *writer) cut() error {
	if !w.dirty {
		return nil
	}
	if err := w.file.Truncate(w.size); err != nil {
		return err
	}
	if !w.relaxed {
		if err := w.file.Sync(); err != nil {
			return err
		}
	}
	w.dirty = false
	return nil
}

// begin starts the next file. Its first record is on stable storage, and so is
// everything before it, when begin returns nil (but for what was lost before).
func (w *writer) begin() error {
	if w.file != nil {
		_ = w.flush() // a failure is told by onLoss, and the new file is the remedy
	}
	number := w.number + 1
	if w.begun == number {
		if err := w.files.Remove(fileName(number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	file, err := w.files.Create(fileName(number))
	if err != nil {
		return err
	}
	w.begun = number
	before, since := w.chain.link, w.now()
	w.out = w.chain.appendLine(w.out[:0], w.head(number, since), w.durable.Load())
	err = writeAll(file, w.out)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = w.files.SyncDir()
	}
	if err != nil {
		w.chain.link = before
		return errors.Join(err, file.Close(), w.files.Remove(fileName(number)))
	}
	w.begun, w.rotate = 0, false
	w.number, w.size, w.since = number, int64(len(w.out)), since
	w.written.Store(w.chain.seq)
	w.mu.Lock()
	old := w.file
	w.file = file
	w.durable.Store(w.chain.seq)
	w.lost.Store(false)
	w.mu.Unlock()
	if old != nil {
		old.Close() // all of it is on stable storage, or known to be lost
	}
	return nil
}

// head is the body of the first record of a file.
func (w *writer) head(number int, since time.Time) []byte {
	b := append([]byte(nil), `"kind":"file","time":"`...)
	b = appendTime(b, since)
	b = append(b, `","format":1,"file":`...)
	b = strconv.AppendInt(b, int64(number), 10)
	b = append(b, `,"journal":"`...)
	b = w.journal.Append(b)
	b = append(b, `","key":"`...)
	b = append(b, w.keyID...)
	b = append(b, `","previous":"`...)
	b = hex.AppendEncode(b, w.chain.hash[:])
	return append(b, '"')
}

// flush puts what was written on stable storage. It may be called while the leader appends.
func (w *writer) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	written := w.written.Load()
	if w.file == nil || written == w.durable.Load() {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		// Records were acknowledged that may now never reach the disk. The file is
		// not trusted any more: the next batch begins another.
		if w.lost.CompareAndSwap(false, true) {
			w.onLoss(err, w.durable.Load()+1, written)
		}
		return err
	}
	w.durable.Store(written)
	return nil
}

func (w *writer) close() error {
	if w.file == nil {
		return nil
	}
	return errors.Join(w.flush(), w.file.Close())
}

func writeAll(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
