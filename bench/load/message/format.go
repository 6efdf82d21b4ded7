package message

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"sceau/bench/load/measure"
)

// The file of prepared messages, version 1. Numbers are big-endian, checksums CRC-32C.
//
//	magic       8 octets, the last the version
//	header      length (4), JSON, checksum of it (4)
//	message     length of what follows without the checksum (4), place in measure.Kinds
//	            (1), Created in milliseconds since 1970 (8), length of the identifier (1),
//	            identifier, body, checksum of all from the length on (4)
//	…
//	end         0 (4), number of messages (8), checksum of the checksums (4), magic
//
// The checksums find what a disk or a copy spoilt; they prove nothing against somebody who
// means to spoil it.
const (
	fileMagic    = "sceaumg\x01"
	endLength    = 4 + 8 + 4 + len(fileMagic)
	recordFixed  = 1 + 8 + 1
	maxHeader    = 1 << 20
	maxRecord    = 1 << 20
	checksumSize = 4
	fileBuffer   = 256 << 10
	maxPlan      = 7 * 24 * time.Hour
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Header says what a file of prepared messages was made for.
type Header struct {
	// PKI is the fingerprint of the PKI.
	PKI string `json:"pki"`
	// Made is when its making began, Mix and Seed what it was made
	// of, Pad to how many bytes, and Count how many messages it has.
	Made  time.Time `json:"made"`
	Mix   Mix       `json:"mix"`
	Seed  uint64    `json:"seed"`
	Pad   int       `json:"pad,omitempty"`
	Count int       `json:"count"`
	Wire  Wire      `json:"wire"`
	// Start is when the first message is to be sent, Rate how many a second follow; zero:
	// all are made for Start.
	Start time.Time `json:"start"`
	Rate  float64   `json:"rate"`
	// Early is how much sooner than planned a message may be sent, and so how much older
	// than its plan it is; Lifetime is Expires less Created.
	Early    time.Duration `json:"early"`
	Lifetime time.Duration `json:"lifetime"`
	// Clock is the moment that all messages were made for, where one was agreed with the
	// server; Start, Rate and Early mean nothing then.
	Clock time.Time `json:"clock,omitzero"`
}

// planned returns the Created of message n.
func (h *Header) planned(n uint64) time.Time {
	if !h.Clock.IsZero() {
		return h.Clock
	}
	at := h.Start
	if h.Rate > 0 {
		at = at.Add(time.Duration(float64(n) / h.Rate * float64(time.Second)))
	}
	return at.Add(-h.Early)
}

func (h *Header) check() error {
	switch {
	case h.Count <= 0:
		return errors.New("no messages")
	case h.Clock.IsZero() && h.Start.IsZero():
		return errors.New("neither a start nor an agreed clock")
	case h.Rate < 0 || h.Rate > 0 && float64(h.Count)/h.Rate > maxPlan.Seconds():
		return fmt.Errorf("a negative rate, or a plan for longer than %s", maxPlan)
	case h.Lifetime < time.Second || h.Early < 0 || h.Early >= h.Lifetime/2:
		return errors.New("a lifetime below a second, or early not below half of it")
	}
	return nil
}

// A record is a message in the file.
type record struct {
	made
	created time.Time // to the millisecond, as the message has it
}

// appendRecord appends a record with length and checksum.
func appendRecord(dst []byte, r *record) ([]byte, error) {
	kind := slices.Index(measure.Kinds(), r.kind)
	length := recordFixed + len(r.id) + len(r.body)
	if kind < 0 || len(r.id) > 255 || length > maxRecord {
		return nil, fmt.Errorf("message: message %d cannot be kept: kind %q, identifier of %d octets, %d octets in all", r.sequence, r.kind, len(r.id), length)
	}
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(length))
	dst = append(dst, byte(kind))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.created.UnixMilli()))
	dst = append(dst, byte(len(r.id)))
	dst = append(dst, r.id...)
	dst = append(dst, r.body...)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}

// A fileWriter writes a file of prepared messages.
type fileWriter struct {
	out   *bufio.Writer
	sums  hash.Hash32
	count uint64
}

func newFileWriter(out io.Writer, h *Header) (*fileWriter, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("message: header: %w", err)
	}
	w := &fileWriter{out: bufio.NewWriterSize(out, fileBuffer), sums: crc32.New(castagnoli)}
	w.out.WriteString(fileMagic) // a bufio.Writer keeps its first error until Flush
	w.number(uint32(len(text)))
	w.out.Write(text)
	w.checksum(crc32.Checksum(text, castagnoli))
	return w, nil
}

func (w *fileWriter) number(n uint32) { w.out.Write(binary.BigEndian.AppendUint32(nil, n)) }

func (w *fileWriter) checksum(sum uint32) {
	w.number(sum)
	w.sums.Write(binary.BigEndian.AppendUint32(nil, sum))
}

// append writes records that appendRecord made, and how many they are.
func (w *fileWriter) append(records []byte, count int) error {
	for rest := records; len(rest) > 0; {
		n := checksumSize + int(binary.BigEndian.Uint32(rest))
		w.sums.Write(rest[n : n+checksumSize])
		rest = rest[n+checksumSize:]
	}
	w.count += uint64(count)
	_, err := w.out.Write(records)
	return err
}

// close writes the end, without which a file is refused.
func (w *fileWriter) close() error {
	w.number(0)
	w.out.Write(binary.BigEndian.AppendUint64(nil, w.count))
	w.number(w.sums.Sum32())
	w.out.WriteString(fileMagic)
	return w.out.Flush()
}

// A fileReader reads a file of prepared messages, one after the other, with the memory of
// one message.
type fileReader struct {
	header Header
	in     *bufio.Reader
	sums   hash.Hash32
	read   uint64
	total  uint64
}

var (
	errNotPrepared = errors.New("no file of prepared messages of version 1")
	errIncomplete  = errors.New("the file is not whole (its making or copying was cut off): prepare it again")
	errSpoilt      = errors.New("the file is damaged: prepare it again")
)

// newFileReader reads the header of a file of some size, and its end, so that a file that
// was cut off is refused before a message of it is sent.
func newFileReader(in io.ReaderAt, size int64) (*fileReader, error) {
	r := &fileReader{in: bufio.NewReaderSize(io.NewSectionReader(in, 0, size), int(min(size, fileBuffer))), sums: crc32.New(castagnoli)}
	var magic [len(fileMagic)]byte
	if _, err := io.ReadFull(r.in, magic[:]); err != nil || string(magic[:]) != fileMagic {
		return nil, errNotPrepared
	}
	var end [endLength]byte
	if size < int64(endLength) {
		return nil, errIncomplete
	}
	if _, err := in.ReadAt(end[:], size-int64(endLength)); err != nil {
		return nil, err
	}
	if string(end[endLength-len(fileMagic):]) != fileMagic {
		return nil, errIncomplete
	}
	r.total = binary.BigEndian.Uint64(end[4:])
	length, err := r.number()
	if err != nil || length > maxHeader {
		return nil, errSpoilt
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r.in, text); err != nil {
		return nil, errSpoilt
	}
	if err := r.checksum(crc32.Checksum(text, castagnoli)); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &r.header); err != nil {
		return nil, errSpoilt
	}
	if err := r.header.check(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if uint64(r.header.Count) != r.total {
		return nil, errSpoilt
	}
	return r, nil
}

func (r *fileReader) number() (uint32, error) {
	var n [4]byte
	if _, err := io.ReadFull(r.in, n[:]); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(n[:]), nil
}

// checksum reads a checksum and compares.
func (r *fileReader) checksum(want uint32) error {
	found, err := r.number()
	if err != nil || found != want {
		return errSpoilt
	}
	r.sums.Write(binary.BigEndian.AppendUint32(nil, found))
	return nil
}

// next reads the next message, io.EOF behind the last when the end is that of these messages.
// The body is its own memory.
func (r *fileReader) next() (record, error) {
	length, err := r.number()
	if err != nil {
		return record{}, errSpoilt
	}
	if length == 0 {
		return record{}, r.end()
	}
	if length < recordFixed || length > maxRecord || r.read == r.total {
		return record{}, errSpoilt
	}
	b := make([]byte, 4+length)
	binary.BigEndian.PutUint32(b, length)
	if _, err := io.ReadFull(r.in, b[4:]); err != nil {
		return record{}, errSpoilt
	}
	if err := r.checksum(crc32.Checksum(b, castagnoli)); err != nil {
		return record{}, err
	}
	kinds := measure.Kinds()
	kind, idEnd := int(b[4]), 4+recordFixed+int(b[4+recordFixed-1])
	if kind >= len(kinds) || idEnd > len(b) {
		return record{}, errSpoilt
	}
	d := record{created: time.UnixMilli(int64(binary.BigEndian.Uint64(b[5:]))).UTC()}
	d.kind, d.sequence, d.id, d.body = kinds[kind], r.read, string(b[4+recordFixed:idEnd]), b[idEnd:]
	r.read++
	return d, nil
}

// end judges the end of the file.
func (r *fileReader) end() error {
	var end [endLength - 4]byte
	if _, err := io.ReadFull(r.in, end[:]); err != nil {
		return errSpoilt
	}
	if _, err := r.in.ReadByte(); err != io.EOF || r.read != r.total || binary.BigEndian.Uint32(end[8:]) != r.sums.Sum32() {
		return errSpoilt
	}
	return io.EOF
}
