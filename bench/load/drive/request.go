package drive

import (
	"fmt"
	"strconv"

	"sceau/bench/load/measure"
)

const agent = "User-Agent: sceau-load\r\n"

// A form is the part of a request that is the same for all messages of a run.
type form struct{ before, after []byte }

func newForm(e *endpoint, closing bool) form {
	f := form{before: []byte("POST " + e.path + " HTTP/1.1\r\nHost: " + e.host + "\r\n" + agent +
		"Content-Type: text/xml; charset=utf-8\r\n")}
	if closing {
		f.before = append(f.before, "Connection: close\r\n"...)
	}
	f.before = append(f.before, `SOAPAction: "`...)
	f.after = []byte("\"\r\nContent-Length: ")
	return f
}

// append writes the request of a message (SOAP 1.1 section 6.1).
func (f form) append(dst []byte, shot *measure.Shot) ([]byte, error) {
	for i := range len(shot.Action) {
		if b := shot.Action[i]; b <= ' ' || b >= 0x7f || b == '"' {
			return nil, fmt.Errorf("drive: the action of message %d, %q, is not a URI", shot.Sequence, shot.Action)
		}
	}
	dst = append(append(append(dst, f.before...), shot.Action...), f.after...)
	dst = append(strconv.AppendInt(dst, int64(len(shot.Body)), 10), "\r\n\r\n"...)
	return append(dst, shot.Body...), nil
}

// question is what an idle connection asks once, so that the server keeps it alive as one in use.
func question(e *endpoint) []byte {
	return []byte("OPTIONS " + e.path + " HTTP/1.1\r\nHost: " + e.host + "\r\n" + agent + "\r\n")
}
