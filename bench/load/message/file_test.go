package message

import (
	"bytes"
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sceau/bench/load/measure"
)

// start is when runs of prepared messages begin in tests: far from now, and never where
// certificates have ended.
var start = time.Now().UTC().AddDate(0, 0, 7).Truncate(time.Hour)

// longPKI is a PKI that is valid around start.
var longPKI = sync.OnceValues(func() (*PKI, error) {
	dir, err := os.MkdirTemp(shared.dir, "long-")
	if err != nil {
		return nil, err
	}
	return NewPKI(dir, PKIConfig{Profiles: []Profile{{Identity: P256, Weight: 1, Consumers: 3}, {Identity: P256, Holder: P256, Weight: 1, Consumers: 1}},
		From: start.AddDate(0, -1, 0), Until: start.AddDate(1, 0, 0)})
})

// prepared prepares messages for start and returns the file and how it was made.
func prepared(tb testing.TB, change func(*PrepareConfig)) (string, *PKI) {
	tb.Helper()
	testPKI(tb) // makes the folder
	p, err := longPKI()
	fatal(tb, err)
	config := PrepareConfig{Maker: MakerConfig{PKI: p, Mix: Queries(), Seed: 3}, Path: filepath.Join(tb.TempDir(), "messages"), Count: 40, Start: start, Rate: 10}
	if change != nil {
		change(&config)
	}
	fatal(tb, Prepare(tb.Context(), config))
	return config.Path, p
}

func open(tb testing.TB, path string, config FileConfig) *File {
	tb.Helper()
	f, err := OpenFile(path, config)
	fatal(tb, err)
	tb.Cleanup(func() { f.Close() })
	return f
}

// at is a clock that stands still.
func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// TestPrepared: what was prepared, of all kinds, is answered rightly by a service on the clock of
// the plan; the file says what it is, and leaves nothing behind.
func TestPrepared(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) { // whose service has goroutines, which end with it
		now := start
		clock := func() time.Time { return now }
		ring := NewRing(16, time.Hour)
		told := 0
		path, p := prepared(t, func(c *PrepareConfig) {
			c.Maker.Mix, c.Maker.Replay, c.Workers = everything(), ring, 3
			c.Progress = func(done, total int) {
				if done <= told || total != 40 {
					t.Errorf("%d of %d after %d", done, total, told)
				}
				told = done
			}
		})
		if told != 40 {
			t.Errorf("told of %d", told)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("%v %v", entries, err)
		}
		s, f := service(t, p, P256, clock), open(t, path, FileConfig{PKI: p, Replay: ring, Now: clock})
		checker := newChecker(t, CheckerConfig{PKI: p, Sample: 1, Replay: ring, Now: clock})
		if h := f.Header(); h.Count != 40 || h.PKI != p.Fingerprint() || h.Lifetime != time.Minute || h.Early != 10*time.Second || !h.Start.Equal(start) || f.Live() {
			t.Errorf("%+v", h)
		}
		maker := newMaker(t, MakerConfig{PKI: p, Mix: everything(), Seed: 3, Replay: ring})
		for n := range uint64(40) {
			now = start.Add(time.Duration(n) * 100 * time.Millisecond)
			var shot measure.Shot
			fatal(t, f.Next(now, &shot))
			status, answer := ask(s, &shot)
			if v := checker.Check(&shot, status, answer); v.Class != measure.Right {
				t.Fatalf("%d %s: %+v\n%s", n, shot.Kind, v, answer)
			}
			live, err := maker.make(n, now)
			fatal(t, err)
			if same := live.kind == shot.Kind || live.kind == measure.Replay; !same || shot.Sequence != n || shot.Action != p.Wire().Action {
				t.Errorf("%d: %s prepared and %s live, number %d", n, shot.Kind, live.kind, shot.Sequence)
			}
		}
		for range 2 {
			if err := f.Next(now, new(measure.Shot)); err != io.EOF {
				t.Errorf("behind the last: %v", err)
			}
		}
	})
}

// TestAgreedClock: messages for a clock that stands still are good whenever they are sent, to a
// server with that clock.
func TestAgreedClock(t *testing.T) {
	path, p := prepared(t, func(c *PrepareConfig) { c.Maker.Clock, c.Start = start, time.Time{} })
	s, f := service(t, p, RSA2048, at(start)), open(t, path, FileConfig{PKI: p})
	checker := newChecker(t, CheckerConfig{PKI: p, Sample: 1, Clock: start})
	for range 5 {
		var shot measure.Shot
		fatal(t, f.Next(time.Now().AddDate(10, 0, 0), &shot))
		status, answer := ask(s, &shot)
		if v := checker.Check(&shot, status, answer); v.Class != measure.Right {
			t.Fatalf("%+v\n%s", v, answer)
		}
	}
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

// TestDamaged: a file of which any octet is another is refused, and one that was cut off anywhere
// is refused before a message of it is sent.
func TestDamaged(t *testing.T) {
	path, p := prepared(t, func(c *PrepareConfig) { c.Count = 2 })
	whole, err := os.ReadFile(path)
	fatal(t, err)
	read := func(text []byte) (messages int, err error) {
		r, err := newFileReader(bytes.NewReader(text), int64(len(text)))
		for err == nil {
			if _, err = r.next(); err == nil {
				messages++
			}
		}
		return messages, err
	}
	if n, err := read(whole); n != 2 || err != io.EOF {
		t.Fatal(n, err)
	}
	for i := 0; i < len(whole); i += 1 + 5*min(1, max(0, i-300)) { // all that is small, and some of the messages
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x10
		if n, err := read(damaged); err == io.EOF || n == 2 && i < len(whole)-endLength {
			t.Errorf("octet %d: %d messages, %v", i, n, err)
		}
		if _, err := newFileReader(bytes.NewReader(whole[:i]), int64(i)); err == nil {
			t.Errorf("%d octets of %d: no error", i, len(whole))
		}
	}
	if _, err := read(append(bytes.Clone(whole), whole[len(whole)-endLength:]...)); err == nil || err == io.EOF {
		t.Errorf("two ends: %v", err)
	}
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"cut":       {whole[:len(whole)-1], "not whole"},
		"too short": {whole[:20], "not whole"},
		"another":   {[]byte("MZ and more than some octets of it"), "no file of prepared messages"},
		"empty":     {nil, "no file of prepared messages"},
	} {
		fatal(t, os.WriteFile(path, test.text, 0o600))
		if _, err := OpenFile(path, FileConfig{PKI: p}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, test := range map[string]struct {
		header, records int
		end             uint64
		want            int // messages before the error
	}{"header says more": {3, 2, 2, 0}, "both say more": {3, 2, 3, 2}, "both say less": {1, 2, 1, 1}} {
		var out bytes.Buffer
		w, err := newFileWriter(&out, &Header{Count: test.header, Start: start, Lifetime: time.Minute})
		fatal(t, err)
		for range test.records {
			b, err := appendRecord(nil, &record{made: made{kind: measure.Query}})
			fatal(t, errors.Join(err, w.append(b, 1)))
		}
		w.count = test.end
		fatal(t, w.close())
		if n, err := read(out.Bytes()); n != test.want || err != errSpoilt {
			t.Errorf("%s: %d messages, %v", name, n, err)
		}
	}
	odd := append([]byte{byte(len(measure.Kinds()))}, make([]byte, recordFixed)...)
	if n, err := read(seal([]byte(`{"count":1,"clock":"2026-01-01T00:00:00Z","lifetime":60000000000}`), odd)); n != 0 || err != errSpoilt {
		t.Errorf("an unknown kind: %d messages, %v", n, err)
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-endLength-10] ^= 1 // in the second message
	fatal(t, os.WriteFile(path, damaged, 0o600))
	f := open(t, path, FileConfig{PKI: p, Now: at(start)})
	fatal(t, f.Next(start, new(measure.Shot)))
	for range 2 {
		if err := f.Next(start, new(measure.Shot)); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Error(err)
		}
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
		c.Maker.Weights = []int{1, 0}
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
	path, p := prepared(t, func(c *PrepareConfig) { c.Count, c.Workers = 100, 4 })
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

// TestPrepareStopped: a preparation that is stopped, or that fails, leaves the old file and nothing
// else.
func TestPrepareStopped(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	testPKI(t)
	p, err := longPKI()
	fatal(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "messages")
	fatal(t, os.WriteFile(path, []byte("old"), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	config := PrepareConfig{Maker: MakerConfig{PKI: p, Mix: Queries()}, Path: path, Count: 1_000_000, Start: start, Rate: 1000,
		Progress: func(done, _ int) { cancel() }}
	if err := Prepare(ctx, config); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	config.Progress = nil
	for name, change := range map[string]func(*PrepareConfig){
		"no PKI":         func(c *PrepareConfig) { c.Maker.PKI = nil },
		"no messages":    func(c *PrepareConfig) { c.Count = 0 },
		"no start":       func(c *PrepareConfig) { c.Start = time.Time{} },
		"negative rate":  func(c *PrepareConfig) { c.Rate = -1 },
		"too long":       func(c *PrepareConfig) { c.Rate = 1e-9 },
		"early":          func(c *PrepareConfig) { c.Early = 31 * time.Second },
		"short lifetime": func(c *PrepareConfig) { c.Maker.Lifetime = time.Millisecond },
		"no folder":      func(c *PrepareConfig) { c.Path = filepath.Join(dir, "none", "messages") },
	} {
		altered := config
		change(&altered)
		if err := Prepare(t.Context(), altered); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused := errors.New("the key is gone")
	config.Maker.PKI, err = p.With(func(key crypto.Signer) (crypto.Signer, error) {
		return &failing{Signer: key, err: refused, left: 100}, nil
	})
	fatal(t, err)
	if err := Prepare(t.Context(), config); !errors.Is(err, refused) {
		t.Errorf("a key that fails: %v", err)
	}
	entries, err := os.ReadDir(dir)
	text, _ := os.ReadFile(path)
	if err != nil || len(entries) != 1 || string(text) != "old" {
		t.Errorf("%v %v, %q", entries, err, text)
	}
}

// A failing key signs some times and then no more.
type failing struct {
	crypto.Signer
	err  error
	mu   sync.Mutex
	left int
}

func (f *failing) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left < 0 {
		return nil, f.err
	}
	return f.Signer.Sign(random, digest, options)
}

// TestRecords: what is written is read, whatever it is; memory is that of one message.
func TestRecords(t *testing.T) {
	h := Header{Count: 1, Start: start, Lifetime: time.Minute, Mix: Queries()}
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) record {
			r := record{created: start.Add(time.Duration(rapid.Int64Range(-1e6, 1e9).Draw(t, "created")) * time.Millisecond)}
			r.kind = rapid.SampledFrom(measure.Kinds()).Draw(t, "kind")
			r.id = rapid.StringMatching(`[a-z0-9.-]{0,255}`).Draw(t, "id")
			r.body = rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "body")
			return r
		}), 1, 20).Draw(t, "records")
		h.Count = len(want)
		var out bytes.Buffer
		w, err := newFileWriter(&out, &h)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			b, err := appendRecord(nil, &want[i])
			if err == nil {
				err = w.append(b, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		r, err := newFileReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			found, err := r.next()
			if err != nil || found.kind != want[i].kind || found.id != want[i].id || !bytes.Equal(found.body, want[i].body) ||
				!found.created.Equal(want[i].created) || found.sequence != uint64(i) {
				t.Fatalf("%d: %v", i, err)
			}
		}
		if _, err := r.next(); err != io.EOF {
			t.Fatal(err)
		}
	})
	for name, r := range map[string]record{"kind": {made: made{kind: "odd"}}, "identifier": {made: made{kind: measure.Query, id: strings.Repeat("a", 256)}},
		"body": {made: made{kind: measure.Query, body: make([]byte, maxRecord)}}} {
		if _, err := appendRecord(nil, &r); err == nil {
			t.Errorf("%s: kept", name)
		}
	}
}

// FuzzFile: whatever a file holds, with right checksums or without, reading it ends, gives no more
// messages than it says, and takes no more memory than a few of the longest messages.
func FuzzFile(f *testing.F) {
	path, _ := prepared(f, func(c *PrepareConfig) { c.Count = 1 })
	whole, err := os.ReadFile(path)
	fatal(f, err)
	length := int(binary.BigEndian.Uint32(whole[len(fileMagic):]))
	header := whole[len(fileMagic)+4:][:length]
	content := whole[len(fileMagic)+4+length+checksumSize+4 : len(whole)-endLength-checksumSize]
	f.Add(true, header, content)
	f.Add(true, []byte(`{"count":1,"clock":"2026-01-01T00:00:00Z","lifetime":60000000000}`), []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff"))
	f.Add(false, whole, []byte(nil))
	f.Add(false, whole[:len(whole)/2], whole[len(whole)/2:])
	f.Add(false, []byte(fileMagic+"\xff\xff\xff\xff"+fileMagic), []byte(nil))
	f.Fuzz(func(t *testing.T, sealed bool, header, content []byte) {
		text := append(bytes.Clone(header), content...)
		if sealed {
			text = seal(header, content)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := newFileReader(bytes.NewReader(text), int64(len(text)))
		messages := uint64(0)
		for err == nil {
			var d record
			if d, err = r.next(); err != nil {
				break
			}
			if messages++; len(d.body) > len(text) || d.kind == "" || messages > r.total {
				t.Fatalf("%d of %d: %+v", messages, r.total, d)
			}
		}
		if err == io.EOF && messages != r.total {
			t.Errorf("%d messages of %d", messages, r.total)
		}
		if sealed && len(content) >= recordFixed && len(content) <= maxRecord && r != nil && messages == 0 && err == io.EOF {
			t.Error("a message is passed over")
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20+20*uint64(len(text)) {
			t.Errorf("%d octets of memory for %d", grown, len(text))
		}
	})
}

// seal makes a file of one message of any header and content.
func seal(header, content []byte) []byte {
	sums := crc32.New(castagnoli)
	checksum := func(dst, of []byte) []byte {
		sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(of, castagnoli))
		sums.Write(sum)
		return append(dst, sum...)
	}
	text := binary.BigEndian.AppendUint32([]byte(fileMagic), uint32(len(header)))
	text = checksum(append(text, header...), header)
	record := append(binary.BigEndian.AppendUint32(nil, uint32(len(content))), content...)
	text = checksum(append(text, record...), record)
	text = binary.BigEndian.AppendUint64(append(text, 0, 0, 0, 0), 1)
	text = binary.BigEndian.AppendUint32(text, sums.Sum32())
	return append(text, fileMagic...)
}
