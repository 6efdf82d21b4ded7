package message

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"sceau/bench/load/measure"
)

// FileConfig says how a file of prepared messages is used.
type FileConfig struct {
	PKI *PKI // that the file was made of
	// Replay is where messages of kind Replay come from; needed where the file has them.
	Replay *Ring
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A File hands out prepared messages, each once: it satisfies drive.Source. OpenFile makes
// it; it is safe for concurrent use. A goroutine of its own reads ahead, until Close.
type File struct {
	config  FileConfig
	header  Header
	ready   chan record
	failure error // why ready was closed; written before
	stop    chan struct{}
	stopped sync.Once
	reading sync.WaitGroup
}

// readAhead is how many messages wait to be sent.
const readAhead = 256

var errClosed = errors.New("message: the file of prepared messages was closed")

// OpenFile opens what Prepare wrote. It refuses a file that is not whole, or of another PKI.
// A file that was used up to its end, or in part, may be opened again for another server, but
// not for the same: that would find its messages replayed.
func OpenFile(path string, config FileConfig) (*File, error) {
	if config.PKI == nil {
		return nil, errors.New("message: no PKI")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	f, err := openFile(in, config)
	if err != nil {
		return nil, fmt.Errorf("message: %s: %w", path, errors.Join(err, in.Close()))
	}
	return f, nil
}

func openFile(in *os.File, config FileConfig) (*File, error) {
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	r, err := newFileReader(in, info.Size())
	if err != nil {
		return nil, err
	}
	h := r.header
	if h.PKI != config.PKI.fingerprint {
		return nil, errors.New("it was made of another PKI: prepare it again with this one")
	}
	if h.Mix[measure.Replay] > 0 && config.Replay == nil {
		return nil, errors.New("it has replays, and there is no ring that they come from")
	}
	f := &File{config: config, header: h, ready: make(chan record, readAhead), stop: make(chan struct{})}
	f.reading.Go(func() {
		defer in.Close() // was only read
		f.failure = f.read(r)
		close(f.ready)
	})
	return f, nil
}

// read hands records over until there are no more, or nobody wants them.
func (f *File) read(r *fileReader) error {
	for {
		d, err := r.next()
		if err == io.EOF {
			return io.EOF
		}
		if err != nil {
			return fmt.Errorf("message: behind message %d: %w", r.read, err)
		}
		select {
		case f.ready <- d:
		case <-f.stop:
			return errClosed
		}
	}
}

// Close ends the reading ahead. Next then has no more messages.
func (f *File) Close() error {
	f.stopped.Do(func() { close(f.stop) })
	f.reading.Wait()
	return nil
}

// Header says what the file was made for.
func (f *File) Header() Header { return f.header }

// Live reports that nothing is signed.
func (f *File) Live() bool { return false }

// Next hands out the next message, io.EOF behind the last. It refuses one that would not be
// fresh when it is sent, at due or now, whichever is later.
func (f *File) Next(due time.Time, shot *measure.Shot) error {
	d, ok := <-f.ready
	if !ok {
		return f.failure
	}
	now := f.config.Now()
	if due.Before(now) {
		due = now
	}
	if err := f.header.fresh(&d, due); err != nil {
		return err
	}
	d.shot(shot, f.header.Wire.Action, f.config.Replay, now)
	return nil
}

// fresh refuses a message that is to be sent before it was made, or when a twelfth of its
// lifetime is left at most: it must still be fresh when the server comes to read it.
func (h *Header) fresh(d *record, at time.Time) error {
	if !h.Clock.IsZero() || d.kind == measure.IllFormed {
		return nil
	}
	last := d.created.Add(h.Lifetime - h.Lifetime/12)
	var what, remedy string
	switch {
	case at.Before(d.created):
		what, remedy = "too early", "begin the run at "+h.Start.Format(time.RFC3339)
	case !at.Before(last):
		what, remedy = "too late", "prepare the file again, for a start and a rate that the run keeps to, or with a longer lifetime"
	default:
		return nil
	}
	return fmt.Errorf("message: prepared message %d is used %s: it is fresh from %s to %s, and would be sent at %s; %s; or agree on a clock with the server under test, if it has one to be set",
		d.sequence, what, d.created.Format(time.RFC3339), last.Format(time.RFC3339), at.UTC().Format(time.RFC3339), remedy)
}
