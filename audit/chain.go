package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strconv"
)

// maxLine bounds a record, its line end included. The encoder's limits keep every record below it.
const maxLine = 1 << 20

const (
	lineStart  = `{"seq":`
	durableKey = `,"durable":`
	hashKey    = `,"hash":"`
	lineEnd    = `"}`

	hashTail = len(hashKey) + 2*sha256.Size + len(lineEnd)
)

// A link is a place in the chain: the number of a record and its hash. The zero
// link stands before the first record.
type link struct {
	seq  uint64
	hash [sha256.Size]byte
}

// A chain appends records after its link. It belongs to one goroutine at a time.
type chain struct {
	link
	digest hash.Hash
}

// appendLine appends the record made of body (the members between seq and durable)
// with its line end, and moves on.
func (c *chain) appendLine(dst, body []byte, durable uint64) []byte {
	start := len(dst)
	c.seq++
	dst = append(dst, lineStart...)
	dst = strconv.AppendUint(dst, c.seq, 10)
	dst = append(dst, ',')
	dst = append(dst, body...)
	dst = append(dst, durableKey...)
	dst = strconv.AppendUint(dst, durable, 10)
	c.advance(dst[start:])
	dst = append(dst, hashKey...)
	dst = hex.AppendEncode(dst, c.hash[:])
	return append(dst, lineEnd+"\n"...)
}

func (c *chain) advance(text []byte) {
	c.digest.Reset()
	c.digest.Write(c.hash[:])
	c.digest.Write(text)
	c.digest.Sum(c.hash[:0])
}

// A line is a record as it stands in a file, taken apart but not believed.
type line struct {
	text    []byte // without its line end
	seq     uint64
	durable uint64
	hash    [sha256.Size]byte
}

// parseLine takes a line apart, strictly: one record has one text, so that a
// change that means nothing to a JSON reader shows as well.
func parseLine(text []byte) (line, bool) {
	l := line{text: text}
	if len(text) < len(lineStart)+hashTail || !bytes.HasPrefix(text, []byte(lineStart)) {
		return line{}, false
	}
	tail := text[len(text)-hashTail:]
	if !bytes.HasPrefix(tail, []byte(hashKey)) || !bytes.HasSuffix(tail, []byte(lineEnd)) ||
		!decodeHex(l.hash[:], tail[len(hashKey):len(tail)-len(lineEnd)]) {
		return line{}, false
	}
	hashed := l.hashed()
	number, _, ok := bytes.Cut(hashed[len(lineStart):], []byte{','})
	if !ok {
		return line{}, false
	}
	if l.seq, ok = parseNumber(number); !ok {
		return line{}, false
	}
	at := bytes.LastIndex(hashed, []byte(durableKey))
	if at < 0 {
		return line{}, false
	}
	if l.durable, ok = parseNumber(hashed[at+len(durableKey):]); !ok {
		return line{}, false
	}
	return l, true
}

// hashed is the part of the text that the hash covers.
func (l *line) hashed() []byte { return l.text[:len(l.text)-hashTail] }

// follows says whether the record stands right after c in an unbroken chain, and
// moves c on if it does.
func (l *line) follows(c *chain) bool {
	if l.seq != c.seq+1 {
		return false
	}
	before := c.link
	c.advance(l.hashed())
	c.seq++
	if c.hash != l.hash {
		c.link = before
		return false
	}
	return true
}

// isFile says whether the record calls itself the first of a file.
func (l *line) isFile() bool { return l.hasKind(`"file"`) }

func (l *line) isEvent() bool { return l.hasKind(`"event"`) }

func (l *line) hasKind(kind string) bool {
	_, rest, _ := bytes.Cut(l.text, []byte(`,`))
	rest, ok := bytes.CutPrefix(rest, []byte(`"kind":`))
	return ok && bytes.HasPrefix(rest, []byte(kind))
}

// parseNumber reads digits without a leading zero, as strconv.AppendUint writes them.
func parseNumber(text []byte) (uint64, bool) {
	if len(text) == 0 || len(text) > 19 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// A lineReader gives the lines of a file without keeping it in memory.
type lineReader struct {
	r      *bufio.Reader
	buffer []byte
	number int   // of the line last given, from 1
	offset int64 // of the first byte after it
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next gives the next line without its line end; complete is false when the file
// ends before the line does. A line beyond maxLine comes empty, which is no record.
// The text is good until the next call. At the end of the file the error is io.EOF.
func (r *lineReader) next() (text []byte, complete bool, err error) {
	r.buffer = r.buffer[:0]
	read := 0
	for {
		piece, err := r.r.ReadSlice('\n')
		read += len(piece)
		r.offset += int64(len(piece))
		if read <= maxLine {
			r.buffer = append(r.buffer, piece...)
		} else {
			r.buffer = r.buffer[:0]
		}
		switch {
		case err == nil:
			r.number++
			return bytes.TrimSuffix(r.buffer, []byte{'\n'}), true, nil
		case err == bufio.ErrBufferFull:
		case err == io.EOF && read > 0:
			r.number++
			return r.buffer, false, nil
		default:
			return nil, false, err
		}
	}
}
