package sdjwt

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	typeStatusList = "statuslist+jwt"

	maxList  = 2 << 20 // octets of a list as it comes
	maxUnzip = 8 << 20 // and unpacked: 64 million credentials of one bit
	maxLists = 1024
	maxKept  = 64 << 20 // octets, unpacked, of all lists

	fetchTime  = 10 * time.Second
	failedLife = 2 * time.Second // for which a list that could not be had is not asked for again
	listLife   = 5 * time.Minute // of one that does not say how long it may be kept
)

// StatusConfig says whose status lists are believed, and where they are asked for.
type StatusConfig struct {
	// Addresses are what the addresses of lists begin with: "https://status.example.com/", with the slash. No other address is contacted, whoever signed it.
	// Required.
	Addresses []string
	// Client fetches. No redirect is followed. Required.
	Client *http.Client
	// Path says whether the holder of a certificate, with its path as it came, may sign the list at an address. Nil: nobody who signs so.
	Path func(path []*x509.Certificate, list string, now time.Time) error
	// Keys are those of signers without certificates.
	Keys jose.JSONWebKeySet
	// MaxAge is for how long a list is kept at most, whatever it says; 15 min if zero: for so long a revocation may go unseen.
	MaxAge time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// StatusLists asks status lists (Token Status List) and keeps them. It is safe for concurrent use, and holds lists of 64 MiB at most. A list
// that cannot be had, or is not believed, is an error, and is not asked for again for two seconds; one that was kept is not used any longer
// than it said.
type StatusLists struct {
	c StatusConfig

	mu   sync.Mutex
	kept map[string]*list
	size int // of all that are kept
}

// A list is one, fetched and verified; or why it was not.
type list struct {
	bits  uint
	data  []byte
	err   error
	until time.Time
	// under is closed when the fetch that is under way has ended; nil where there is none.
	under chan struct{}
}

// NewStatusLists checks the configuration.
func NewStatusLists(c StatusConfig) (*StatusLists, error) {
	for _, a := range c.Addresses {
		if u, err := url.Parse(a); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(a, "?#") || !strings.HasSuffix(a, "/") {
			return nil, fmt.Errorf("sdjwt: %q is no https address with a slash at its end, below which status lists are", a)
		}
	}
	if len(c.Addresses) == 0 || c.Client == nil || c.Path == nil && len(c.Keys.Keys) == 0 {
		return nil, errors.New("sdjwt: no address of status lists, nobody who fetches, or nobody who is believed")
	}
	if c.MaxAge == 0 {
		c.MaxAge = 15 * time.Minute
	}
	if c.MaxAge < 0 {
		return nil, errors.New("sdjwt: status lists that are never kept")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &StatusLists{c: c, kept: map[string]*list{}}, nil
}

// Status implements Config.Status. ErrRevoked is every status but VALID: INVALID, SUSPENDED, and what is not known.
func (s *StatusLists) Status(ctx context.Context, uri string, index int) error {
	if !s.admits(uri) {
		return fmt.Errorf("%w: a status list at an address that is not asked", ErrNoStatus)
	}
	l, err := s.list(ctx, uri)
	if err != nil {
		return fmt.Errorf("status list: %w", err)
	}
	value, ok := l.at(index)
	switch {
	case !ok:
		return fmt.Errorf("%w: a place behind the end of the status list", ErrNoStatus)
	case value != 0:
		return ErrRevoked
	}
	return nil
}

// admits says whether an address begins as one must, and is written in one way: what one reader sees as a step upwards, another does not.
func (s *StatusLists) admits(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.User != nil || u.Fragment != "" || u.RawPath != "" || path.Clean(u.Path) != u.Path || strings.Contains(uri, "\\") {
		return false
	}
	return slices.ContainsFunc(s.c.Addresses, func(a string) bool { return strings.HasPrefix(uri, a) })
}

// list is one that is good now. Of all who ask for it at once one fetches, for all of them: who goes away in the meantime waits for nothing,
// and stops nobody else.
func (s *StatusLists) list(ctx context.Context, uri string) (*list, error) {
	for {
		s.mu.Lock()
		l := s.kept[uri]
		if l != nil && s.c.Now().Before(l.until) {
			s.mu.Unlock()
			return l, l.err
		}
		if l == nil || l.under == nil {
			l = &list{under: make(chan struct{})}
			s.keep(uri, l)
			go s.renew(context.WithoutCancel(ctx), uri, l.under)
		}
		under := l.under
		s.mu.Unlock()
		select {
		case <-under:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// renew fetches a list and keeps what came of it.
func (s *StatusLists) renew(ctx context.Context, uri string, under chan struct{}) {
	ctx, stop := context.WithTimeout(ctx, fetchTime)
	defer stop()
	made := &list{}
	defer func() {
		if fault := recover(); fault != nil {
			made.err = fmt.Errorf("a fault: %v", fault)
		}
		now := s.c.Now()
		if made.err != nil {
			made.until = now.Add(failedLife)
		} else if !now.Before(made.until) {
			made.err, made.until = errors.New("it ended while it was fetched"), now.Add(failedLife)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.keep(uri, made)
		close(under)
	}()
	made.err = s.fetch(ctx, uri, made)
}

// keep puts a list in the place of what was kept, and gives up those that end first where there is no room. They can be had again.
func (s *StatusLists) keep(uri string, l *list) {
	if old := s.kept[uri]; old != nil {
		s.size -= len(old.data)
	}
	s.kept[uri] = l
	s.size += len(l.data)
	for len(s.kept) > maxLists || s.size > maxKept {
		first := ""
		for other, of := range s.kept {
			if other != uri && of.under == nil && (first == "" || of.until.Before(s.kept[first].until)) {
				first = other
			}
		}
		if first == "" {
			return
		}
		s.size -= len(s.kept[first].data)
		delete(s.kept, first)
	}
}

// at is a status, by its place: the first is in the lowest bits of the first octet.
func (l *list) at(index int) (value byte, ok bool) {
	per := 8 / int(l.bits)
	if index < 0 || index/per >= len(l.data) {
		return 0, false
	}
	return l.data[index/per] >> (uint(index%per) * l.bits) & (1<<l.bits - 1), true
}

// fetch gets a list and verifies it.
func (s *StatusLists) fetch(ctx context.Context, uri string, l *list) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/"+typeStatusList)
	client := *s.c.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if t, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); answer.StatusCode != http.StatusOK || err != nil || t != "application/"+typeStatusList {
		return fmt.Errorf("an answer of status %d and type %.40q", answer.StatusCode, t)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxList+1))
	if err != nil {
		return err
	}
	if len(raw) > maxList {
		return fmt.Errorf("more than %d octets", maxList)
	}
	return s.read(string(bytes.TrimSpace(raw)), uri, l)
}

// read verifies a Status List Token (8.3 of the draft): of whom it is, for which address, and until when.
func (s *StatusLists) read(raw, uri string, l *list) error {
	t, err := read(raw, typeStatusList)
	if err != nil {
		return err
	}
	now := s.c.Now()
	if err := s.believe(t, uri, now); err != nil {
		return err
	}
	if t.claims["sub"] != uri {
		return refuse(BadClaim, "sub is another address")
	}
	begun, there, err := t.instant("iat")
	if err != nil || !there || begun.After(now.Add(leeway)) {
		return refuse(BadClaim, "iat")
	}
	until := now.Add(listLife)
	if ttl, there := t.claims["ttl"]; there {
		n, _ := ttl.(json.Number)
		seconds, err := n.Int64()
		if err != nil || seconds <= 0 || seconds > 1<<31 {
			return refuse(BadClaim, "ttl")
		}
		until = now.Add(time.Duration(seconds) * time.Second)
	}
	until = earlier(until, now.Add(s.c.MaxAge))
	if end, there, err := t.instant("exp"); err != nil || there && !end.After(now) {
		return refuse(Expired, "the list")
	} else if there {
		until = earlier(until, end)
	}
	bits, data, err := unpack(t.claims["status_list"])
	if err != nil {
		return err
	}
	l.bits, l.data, l.until = bits, data, until
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// believe verifies who signed a list, and that he may.
func (s *StatusLists) believe(t *token, uri string, now time.Time) error {
	if t.path != nil {
		if s.c.Path == nil {
			return refuse(Untrusted, "a certificate of a signer")
		}
		if err := s.c.Path(t.path, uri, now); err != nil {
			return &Error{Reason: Untrusted, Cause: err}
		}
		return t.verify(jose.JSONWebKey{Key: t.path[0].PublicKey})
	}
	for _, k := range s.c.Keys.Keys {
		if k.KeyID == t.kid && (k.Use == "" || k.Use == "sig") {
			return t.verify(k)
		}
	}
	return refuse(Untrusted, "no key of that kid")
}

// unpack opens the list itself: base64url of DEFLATE in the format of zlib.
func unpack(v any) (uint, []byte, error) {
	o, _ := v.(map[string]any)
	n, _ := o["bits"].(json.Number)
	text, ok := o["lst"].(string)
	bits, err := n.Int64()
	if err != nil || !ok || bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return 0, nil, refuse(BadClaim, "status_list")
	}
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, nil, refuse(BadClaim, "lst is not base64url")
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return 0, nil, refuse(BadClaim, "lst: %w", err)
	}
	defer z.Close()
	data, err := io.ReadAll(io.LimitReader(z, maxUnzip+1))
	if err != nil {
		return 0, nil, refuse(BadClaim, "lst: %w", err)
	}
	if len(data) > maxUnzip {
		return 0, nil, refuse(BadClaim, "lst is longer than %d octets", maxUnzip)
	}
	return uint(bits), data, nil
}
