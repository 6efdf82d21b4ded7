package soaphttp

import (
	"bufio"
	"bytes"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// A dateHeader writes the Date header by a clock that is not the system's. fasthttp
// passes over a Date that a handler sets, and keeps one that it reads: so the beginning
// of the answer is read from a prepared text, made once a second.
type dateHeader struct {
	now      func() time.Time // nil: fasthttp writes the system's time itself
	prepared atomic.Pointer[preparedDate]
	readers  sync.Pool // of *dateReader
}

type preparedDate struct {
	second int64
	text   []byte
}

type dateReader struct {
	source bytes.Reader
	reader *bufio.Reader
}

// write begins the header of an answer anew, with the Date.
func (d *dateHeader) write(header *fasthttp.ResponseHeader) {
	if d.now == nil {
		return
	}
	now := d.now()
	date := d.prepared.Load()
	if date == nil || date.second != now.Unix() {
		text := now.UTC().AppendFormat([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: "), http.TimeFormat)
		date = &preparedDate{second: now.Unix(), text: append(text, "\r\n\r\n"...)}
		d.prepared.Store(date)
	}
	r, _ := d.readers.Get().(*dateReader)
	if r == nil {
		r = &dateReader{}
		r.reader = bufio.NewReaderSize(&r.source, 128)
	}
	r.source.Reset(date.text)
	r.reader.Reset(&r.source)
	// The text is ours and well-formed: were it not, the tests of the Date would show it.
	_ = header.Read(r.reader)
	d.readers.Put(r)
}
