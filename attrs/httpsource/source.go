package httpsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sceau/attrs"
)

// maxHeaderBytes bounds the header of an answer.
const maxHeaderBytes = 32 << 10

// A Source is a service over HTTP. It is safe for concurrent use. Close it after use.
type Source struct {
	config     Config
	client     *http.Client
	transport  *http.Transport
	token      *token // nil: none
	templates  map[attrs.SubjectType]*template
	mappings   map[*attrs.Definition]*Mapping
	notFoundAt *path            // nil: the status alone counts
	echo       map[string]*path // by part of a subject

	closing context.Context // ends with Close
	stop    context.CancelFunc

	mu     sync.Mutex
	closed bool
	using  sync.WaitGroup // questions under way; added to under mu, while not closed
}

var errClosed = errors.New("the source is closed")

// Open makes a source. It reads all files and checks all that can be checked without asking the service: one that is down
// when a program starts may come later, and Health says so until then. All that is wrong is told at once.
func Open(c Config) (*Source, error) {
	c.defaults()
	s := &Source{config: c, templates: make(map[attrs.SubjectType]*template), mappings: make(map[*attrs.Definition]*Mapping), echo: make(map[string]*path)}
	wrong := []error{c.check()}
	note := func(err error) {
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(c.URLs)) {
		p, err := parseTemplate(t, c.URLs[t], c.Bodies[t])
		note(err)
		s.templates[t] = p
	}
	for _, m := range c.Mappings {
		note(m.check(s.templates))
		if s.mappings[m.Definition] != nil {
			note(fmt.Errorf("%s is mapped twice", m.Definition.Name))
		}
		s.mappings[m.Definition] = &m
	}
	if c.NotFoundAt != "" {
		var err error
		s.notFoundAt, err = parsePath(c.NotFoundAt)
		note(err)
	}
	for _, part := range slices.Sorted(maps.Keys(c.Echo)) {
		p, err := parsePath(c.Echo[part])
		if err == nil && !s.asksBy(part) {
			err = errors.New("no request has that placeholder")
		}
		if err != nil {
			note(fmt.Errorf("echo of %s: %w", part, err))
			continue
		}
		s.echo[part] = p
	}
	if c.TokenFile != "" {
		s.token = &token{file: c.TokenFile}
		_, err := s.token.read()
		note(err)
	}
	if c.HealthURL != "" {
		note(s.checkHealthURL())
	}
	note(s.connect())
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("HTTP source %s: %w", c.ID, err)
	}
	s.closing, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// connect makes the client. It takes nothing from the environment, follows nobody and decompresses nothing.
func (s *Source) connect() error {
	c := &s.config
	var settings *tls.Config
	if c.TLS.Given() || slices.ContainsFunc(slices.Collect(maps.Values(c.URLs)), func(u string) bool { return !strings.HasPrefix(u, "http:") }) {
		var err error
		if settings, err = c.TLS.Config(c.Now); err != nil {
			return err
		}
	}
	s.transport = &http.Transport{
		Proxy:                  nil,
		DialContext:            new(net.Dialer).DialContext,
		TLSClientConfig:        settings, // with it, HTTP/1.1
		DisableCompression:     true,
		MaxConnsPerHost:        max(c.MaxConnections, 0),
		MaxIdleConnsPerHost:    max(c.MaxConnections, 0),
		IdleConnTimeout:        c.IdleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	s.client = &http.Client{
		Transport:     s.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // its status is an error
	}
	return nil
}

// checkHealthURL demands a host to which requests go anyway: the token goes there too.
func (s *Source) checkHealthURL() error {
	if err := checkAddress(s.config.HealthURL); err != nil {
		return fmt.Errorf("URL of health: %w", err)
	}
	for _, host := range s.hosts() {
		if strings.HasPrefix(s.config.HealthURL, host+"/") {
			return nil
		}
	}
	return errors.New("URL of health: not of a host that is asked")
}

// hosts are the beginnings of the addresses, scheme and host.
func (s *Source) hosts() (list []string) {
	for _, t := range slices.Sorted(maps.Keys(s.config.URLs)) {
		if u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(s.config.URLs[t])); err == nil {
			list = append(list, u.Scheme+"://"+u.Host)
		}
	}
	return slices.Compact(list)
}

// ID implements attrs.Source.
func (s *Source) ID() string { return s.config.ID }

// Answers says whether the attribute is mapped.
func (s *Source) Answers(d *attrs.Definition) bool { return s.mappings[d] != nil }

// Idempotent says whether a question may be put again: with GET (RFC 9110 section 9.2.2), which a POST need not be.
func (s *Source) Idempotent() bool { return s.config.Method == http.MethodGet }

// Close ends all connections, and with an error the questions under way. Closing twice is no error.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.using.Wait()
	s.transport.CloseIdleConnections()
	return nil
}

// begin counts a question and binds it to the life of the source.
func (s *Source) begin(ctx context.Context) (context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errClosed
	}
	s.using.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	unbind := context.AfterFunc(s.closing, cancel)
	return ctx, func() { unbind(); cancel(); s.using.Done() }, nil
}

// Resolve implements attrs.Source: one request for each subject of the query, for all its attributes.
func (s *Source) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	if err := ctx.Err(); err != nil {
		return dst, attrs.Unavailable(ctx, s.config.ID, err)
	}
	subjects := make([]attrs.Subject, len(q.Definitions))
	for i, d := range q.Definitions {
		if s.mappings[d] == nil {
			return dst, &attrs.Error{Reason: attrs.NoSource, Source: s.config.ID, Attribute: d.Name}
		}
		var err error
		if subjects[i], err = q.Subject(d); err != nil {
			return dst, err
		}
	}
	bound, end, err := s.begin(ctx)
	if err != nil {
		return dst, s.refused(ctx, nil, err)
	}
	defer end()
	before, now := len(dst), s.config.Now() // before the request: an answer is not younger than its asking
	answers := make(map[attrs.Subject]*answer, 1)
	for i, d := range q.Definitions {
		a := answers[subjects[i]]
		if a == nil {
			if a, err = s.ask(bound, subjects[i]); err != nil {
				return dst[:before], s.refused(ctx, nil, err)
			}
			answers[subjects[i]] = a
		}
		facts, err := s.mappings[d].facts(a.document)
		var c attrs.Certified
		if err == nil {
			c, err = attrs.Certify(d, facts, q.At)
		}
		if err != nil {
			return dst[:before], s.refused(ctx, d, badAnswer{err})
		}
		c.NotOnOrAfter = earliest(c.NotOnOrAfter, now.Add(s.config.TTL))
		if a.fresh > 0 {
			c.NotOnOrAfter = earliest(c.NotOnOrAfter, now.Add(a.fresh))
		}
		c.Source, c.RetrievedAt = s.config.ID, now
		dst = append(dst, c)
	}
	return dst, nil
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// ask asks about one subject.
func (s *Source) ask(ctx context.Context, subject attrs.Subject) (*answer, error) {
	t := s.templates[subject.Type]
	numbers, err := t.numbers(subject.Value)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	a, err := s.exchange(ctx, t, numbers)
	if err == nil && a.document != nil {
		err = s.checkEcho(t, numbers, a.document)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// asksBy says whether the part stands in subjects of some type.
func (s *Source) asksBy(part string) bool {
	for _, t := range s.templates {
		if t != nil && slices.Contains(t.parts, part) {
			return true
		}
	}
	return false
}

var errOther = errors.New("it does not say that it is about the subject that was asked")

// checkEcho demands that the answer is about whom the request was.
func (s *Source) checkEcho(t *template, numbers []string, document *node) error {
	for i, part := range t.parts {
		p := s.echo[part]
		if p == nil {
			continue
		}
		found, missing, err := p.find(document)
		if err != nil || missing || len(found) == 0 {
			return badAnswer{errOther}
		}
		for _, n := range found {
			if n.kind != text || n.text != numbers[i] {
				return badAnswer{errOther}
			}
		}
	}
	return nil
}

// refused makes the error of the source.
func (s *Source) refused(ctx context.Context, d *attrs.Definition, err error) *attrs.Error {
	e := attrs.Unavailable(ctx, s.config.ID, err)
	var b badAnswer
	switch {
	case ctx.Err() != nil:
	case s.closing.Err() != nil:
		e.Reason, e.Err = attrs.SourceUnavailable, errClosed
	case errors.Is(err, errSubject):
		e.Reason = attrs.InvalidQuery
	case errors.As(err, &b):
		e.Reason = attrs.BadAnswer
	}
	if d != nil {
		e.Attribute = d.Name
	}
	return e
}

// Health says why the service cannot be asked now, or nil: it asks HealthURL, or connects to each host.
func (s *Source) Health(ctx context.Context) error {
	bound, end, err := s.begin(ctx)
	if err == nil {
		defer end()
		bound, cancel := context.WithTimeout(bound, s.config.Timeout)
		defer cancel()
		if s.config.HealthURL != "" {
			err = s.askHealth(bound)
		} else {
			for _, host := range s.hosts() {
				err = errors.Join(err, s.reach(bound, host))
			}
		}
	}
	if err != nil {
		return s.refused(ctx, nil, err)
	}
	return nil
}

func (s *Source) askHealth(ctx context.Context) error {
	request, err := s.request(ctx, http.MethodGet, s.config.HealthURL, nil)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return plain(err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, s.config.MaxBytes)) // so that the connection can be used again
	if !slices.Contains(s.config.Success, response.StatusCode) {
		return fmt.Errorf("health: status %d", response.StatusCode)
	}
	return nil
}

// reach connects to a host, with TLS where requests have it.
func (s *Source) reach(ctx context.Context, host string) error {
	u, err := url.Parse(host)
	if err != nil {
		return err
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme // net knows http and https as services
	}
	address := net.JoinHostPort(u.Hostname(), port)
	dial := s.transport.DialContext
	if u.Scheme == "https" {
		dial = (&tls.Dialer{Config: s.transport.TLSClientConfig}).DialContext
	}
	connection, err := dial(ctx, "tcp", address)
	if err != nil {
		return plain(err)
	}
	return connection.Close()
}

var _ attrs.Source = (*Source)(nil)
