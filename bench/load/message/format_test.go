package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/bench/load/measure"
)

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
