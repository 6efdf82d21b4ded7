package httpsource

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"

	"sceau/attrs/remote"
)

// A token is a bearer token in a file, kept until the file changes. It is safe for concurrent use.
type token struct {
	file string

	mu   sync.Mutex
	seen fs.FileInfo
	text string
}

var errToken = errors.New("the bearer token is none (RFC 6750 section 2.1)")

// read gives the token. A file that is gone or unreadable is an error, also when a token was read from it before: it was taken
// away.
func (t *token) read() (string, error) {
	info, err := os.Stat(t.file)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen != nil && os.SameFile(info, t.seen) && info.Size() == t.seen.Size() && info.ModTime().Equal(t.seen.ModTime()) {
		return t.text, nil
	}
	text, err := remote.Secret(t.file)
	if err != nil {
		return "", err
	}
	if !validToken(text) {
		return "", errToken
	}
	t.seen, t.text = info, text
	return text, nil
}

// validToken admits b64token: nothing that could end the header.
func validToken(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return s != ""
}
