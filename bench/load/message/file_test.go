package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/bench/load/measure"
)

func open(tb testing.TB, path string, config FileConfig) *File {
	tb.Helper()
	f, err := OpenFile(path, config)
	fatal(tb, err)
	tb.Cleanup(func() { f.Close() })
	return f
}

// TestFresh: a message that would not be fresh when it is sent is refused, with what to do.
func TestFresh(t *testing.T) {
	path, p := prepared(t, nil)
	second := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	for _, test := range []struct {
		now, due time.Time
		want     string
	}{
		{start, start, ""},
		{start, second(-5), ""},
		{second(-10), second(-10), ""}, // Created
		{second(-10.1), second(-10.1), "too early"},
		{second(-60), second(-60), "begin the run at " + start.Format(time.RFC3339)},
		{second(-60), start, ""}, // asked for ahead
		{second(44), second(44), ""},
		{second(45), second(45), "too late"}, // 5 seconds are left
		{second(45), start, "too late"},      // waited too long
		{start.AddDate(0, 0, 1), start, "prepare the file again"},
		{start.AddDate(0, 0, 1), start, "agree on a clock"},
	} {
		err := open(t, path, FileConfig{PKI: p, Now: at(test.now)}).Next(test.due, new(measure.Shot))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("due %s at %s: %v", test.due, test.now, err)
		}
	}
	path, p = prepared(t, func(c *PrepareConfig) { c.Rate, c.Maker.Lifetime = 0, 10*time.Minute })
	f := open(t, path, FileConfig{PKI: p, Now: at(second(400))})
	for range 40 {
		fatal(t, f.Next(start, new(measure.Shot)))
	}
}

// TestOpenRefused: a file is not used with what it was not made for.
func TestOpenRefused(t *testing.T) {
	path, p := prepared(t, func(c *PrepareConfig) {
		c.Maker.Mix, c.Maker.Replay = Mix{measure.Replay: 1}, NewRing(1, time.Hour)
	})
	for name, test := range map[string]struct {
		path   string
		config FileConfig
		want   string
	}{
		"no PKI":      {path, FileConfig{}, "no PKI"},
		"another PKI": {path, FileConfig{PKI: testPKI(t)}, "another PKI"},
		"no ring":     {path, FileConfig{PKI: p}, "no ring"},
		"no file":     {path + "x", FileConfig{PKI: p}, "no such file"},
	} {
		if f, err := OpenFile(test.path, test.config); err == nil || f != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClosed: a file that is closed before its end stops reading, and gives no more than what it
// had read.
func TestClosed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path, p := prepared(t, func(c *PrepareConfig) {
		c.Count, c.Rate = 3*readAhead, 0
	})
	f := open(t, path, FileConfig{PKI: p, Now: at(start)})
	fatal(t, f.Next(start, new(measure.Shot)))
	fatal(t, errors.Join(f.Close(), f.Close()))
	left := 0
	for {
		err := f.Next(start, new(measure.Shot))
		if err == errClosed {
			break
		}
		fatal(t, err)
		left++
	}
	if left > readAhead+1 {
		t.Errorf("%d messages after the end", left)
	}
}

// TestConcurrentNext: many workers share the messages, each once, all of them.
func TestConcurrentNext(t *testing.T) {
	path, p := prepared(t, func(c *PrepareConfig) { c.Count = 100 })
	f := open(t, path, FileConfig{PKI: p, Now: at(start.Add(5 * time.Second))})
	var mu sync.Mutex
	ids, numbers := map[string]bool{}, map[uint64]bool{}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				var shot measure.Shot
				err := f.Next(start, &shot)
				if err == io.EOF {
					return
				}
				mu.Lock()
				if err != nil || !bytes.Contains(shot.Body, []byte(`RequestID="`+shot.ID+`"`)) {
					t.Errorf("%q: %v", shot.ID, err)
				}
				ids[shot.ID], numbers[shot.Sequence] = true, true
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	if len(ids) != 100 || len(numbers) != 100 {
		t.Errorf("%d identifiers, %d numbers", len(ids), len(numbers))
	}
}
