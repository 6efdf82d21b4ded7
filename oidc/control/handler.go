package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"sceau/audit"
)

// Service is the audit.Event.Service of what is read here.
const Service = "control"

// Paths of the API.
const (
	PathPolicy  = "/control/v1/policy"
	PathCounts  = "/control/v1/counts"
	PathOpenAPI = "/control/v1/openapi.json"
)

const (
	// DefaultLeast is the least count that is told where the Config says nothing.
	DefaultLeast = 5
	// LeastTokenBytes is how long a token is at least: 32 characters of those that openssl rand -hex 32 writes have 128 bits.
	LeastTokenBytes = 32

	// maxToken bounds what is hashed of a stranger's token.
	maxToken = 512
)

// A Reader is who may read. It has a token, a certificate, or both: one is enough.
type Reader struct {
	// Name is by what the trail knows the reader. Required.
	Name string
	// Token is the SHA-256 of the bearer token (TokenDigest).
	Token [32]byte
	// Certificate is the SHA-256 of the DER of a certificate that is shown in TLS. The listener must ask for one and need not verify its chain: it is
	// this certificate or none, and TLS proves that its key is held.
	Certificate [32]byte
}

// TokenDigest gives what is configured for a token, or an error for one that could be guessed.
func TokenDigest(token string) ([32]byte, error) {
	if len(token) < LeastTokenBytes || len(token) > maxToken {
		return [32]byte{}, fmt.Errorf("control: a token has %d to %d characters", LeastTokenBytes, maxToken)
	}
	return sha256.Sum256([]byte(token)), nil
}

// Config says what is shown, and to whom.
type Config struct {
	// Indicators are the policies in force. It is asked at each request, and must be quick.
	Indicators func() Indicators
	// Counts are what was counted.
	Counts *Counts
	// Readers are who may read. At least one.
	Readers []Reader
	// Journal records every answer before it leaves. Required.
	Journal audit.Sink
	// Least is the least count that is told. Zero: DefaultLeast; one tells all.
	Least uint64
	// PerMinute is how many requests a reader has in a minute. Zero: 60.
	PerMinute int
	// Log is told of what fails. Nil: slog.Default().
	Log *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// A Handler is the API. New makes it; it is safe for concurrent use.
type Handler struct {
	settings atomic.Pointer[settings]
}

// settings are a Config that was checked.
type settings struct {
	Config
	limits   []*rate.Limiter // of Readers
	refusals *rate.Limiter   // of strangers
}

//go:embed openapi.json
var openAPI []byte

// New makes the API of a configuration. The error says all that is wrong with it.
func New(config Config) (*Handler, error) {
	h := new(Handler)
	return h, h.Replace(config)
}

// Replace changes the configuration for the requests that begin from now on; on error the old one stays.
func (h *Handler) Replace(config Config) error {
	var wrong []error
	say := func(text string) { wrong = append(wrong, errors.New("control: "+text)) }
	if config.Indicators == nil {
		say("no indicators")
	}
	if config.Counts == nil {
		say("no counts")
	}
	if config.Journal == nil {
		say("no journal")
	}
	if len(config.Readers) == 0 {
		say("no reader")
	}
	if config.PerMinute < 0 {
		say("a negative rate")
	}
	for i, r := range config.Readers {
		if r.Name == "" || slices.ContainsFunc(config.Readers[:i], func(o Reader) bool { return o.Name == r.Name }) {
			say("a reader without a name of its own")
		}
		if r.Token == [32]byte{} && r.Certificate == [32]byte{} {
			say("reader " + r.Name + " has neither token nor certificate")
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if config.Least == 0 {
		config.Least = DefaultLeast
	}
	if config.PerMinute == 0 {
		config.PerMinute = 60
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &settings{Config: config, refusals: rate.NewLimiter(1, 10)}
	for range config.Readers {
		s.limits = append(s.limits, rate.NewLimiter(rate.Limit(config.PerMinute)/60, max(config.PerMinute/6, 5)))
	}
	h.settings.Store(s)
	return nil
}

// An answer is what is written, if it is recorded first.
type answer struct {
	status  int
	code    string // of an error
	text    string // what of an error the reader is told
	kind    string // Content-Type
	body    []byte
	headers [][2]string
}

func refuse(status int, code, text string) answer {
	return answer{status: status, code: code, text: text}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.settings.Load()
	if s == nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable) // a zero Handler answers nobody
		return
	}
	now := s.Now()
	reader := s.reader(r)
	var a answer
	switch {
	case reader < 0 && !s.refusals.AllowN(now, 1):
		// Not recorded: strangers shall not fill the trail.
		s.write(w, r, refuse(http.StatusTooManyRequests, "temporarily_unavailable", "too many requests").with("Retry-After", "5"))
		return
	case reader < 0:
		a = refuse(http.StatusUnauthorized, "invalid_token", "a token or a certificate of a reader is needed").with("WWW-Authenticate", challenge(r))
	case !s.limits[reader].AllowN(now, 1):
		s.write(w, r, refuse(http.StatusTooManyRequests, "temporarily_unavailable", "too many requests").with("Retry-After", "60"))
		return
	default:
		a = s.answer(r)
	}
	name := ""
	if reader >= 0 {
		name = s.Readers[reader].Name
	}
	if err := s.record(r, name, now, &a); err != nil {
		s.Log.Error("control: an answer could not be recorded, and did not leave", "error", err)
		a = refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "not now")
	}
	s.write(w, r, a)
}

// reader gives who asks, or -1. Every reader is compared, and each in the same time.
func (s *settings) reader(r *http.Request) int {
	found := -1
	token, ok := bearer(r)
	digest := sha256.Sum256([]byte(token))
	var certificate [32]byte
	shown := r.TLS != nil && len(r.TLS.PeerCertificates) > 0
	if shown {
		certificate = sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	}
	for i := range s.Readers {
		known := &s.Readers[i]
		byToken := subtle.ConstantTimeCompare(digest[:], known.Token[:]) == 1 && ok && known.Token != [32]byte{}
		byCertificate := shown && known.Certificate != [32]byte{} && subtle.ConstantTimeCompare(certificate[:], known.Certificate[:]) == 1
		if byToken || byCertificate {
			found = i
		}
	}
	return found
}

// bearer gives the token of the header: never of the address, which stands in logs (RFC 6750 section 2.3).
func bearer(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || len(token) < LeastTokenBytes || len(token) > maxToken {
		return "", false
	}
	return token, true
}

func challenge(r *http.Request) string {
	if r.Header.Get("Authorization") == "" {
		return `Bearer realm="control"` // RFC 6750 section 3.1: no error where nothing was shown
	}
	return `Bearer realm="control", error="invalid_token"`
}

func (a answer) with(key, value string) answer {
	a.headers = append(a.headers, [2]string{key, value})
	return a
}

func (s *settings) answer(r *http.Request) answer {
	var serve func(url.Values) answer
	switch r.URL.Path {
	case PathPolicy:
		serve = s.policy
	case PathCounts:
		serve = s.counts
	case PathOpenAPI:
		serve = func(url.Values) answer { return answer{status: http.StatusOK, kind: kindJSON, body: openAPI} }
	default:
		return refuse(http.StatusNotFound, "not_found", "there is nothing here")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse(http.StatusMethodNotAllowed, "invalid_request", "only GET: nothing is changed here").with("Allow", "GET, HEAD")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "invalid_request", "the query is malformed")
	}
	for key, values := range query {
		if len(values) > 1 {
			return refuse(http.StatusBadRequest, "invalid_request", "a parameter twice")
		}
		if !slices.Contains(parameters[r.URL.Path], key) {
			return refuse(http.StatusBadRequest, "invalid_request", "a parameter that is not known")
		}
	}
	return serve(query)
}

var parameters = map[string][]string{
	PathPolicy: {"format"},
	PathCounts: {"from", "to", "by", "operation", "client", "establishment", "format"},
}

const (
	kindJSON = "application/json"
	kindCSV  = "text/csv; charset=utf-8; header=present"
	kindText = "text/plain; charset=utf-8"
)

func (s *settings) policy(query url.Values) answer {
	indicators := s.Indicators()
	return render(query.Get("format"), indicators.Filled(),
		func(to *bytes.Buffer) error { return WriteText(to, indicators) },
		func(to *bytes.Buffer) error { return WriteCSV(to, indicators) })
}

func (s *settings) counts(query url.Values) answer {
	today := s.Now()
	q := Question{From: DayOf(today.AddDate(0, 0, -29)), To: DayOf(today), By: []Dimension{ByDay, ByOutcome}, Operation: query.Get("operation"),
		Client: query.Get("client"), Establishment: query.Get("establishment"), Least: s.Least}
	if query.Has("from") {
		q.From = Day(query.Get("from"))
	}
	if query.Has("to") {
		q.To = Day(query.Get("to"))
	}
	if query.Has("by") {
		q.By = nil
		for name := range strings.SplitSeq(query.Get("by"), ",") {
			q.By = append(q.By, Dimension(name))
		}
	}
	if !query.Has("operation") {
		q.Operation = audit.OperationAuthentication
	} else if q.Operation == "" {
		return refuse(http.StatusBadRequest, "invalid_request", "an empty operation")
	}
	a, err := s.Counts.Ask(q)
	if err != nil {
		return refuse(http.StatusBadRequest, "invalid_request", err.Error())
	}
	return render(query.Get("format"), a,
		func(to *bytes.Buffer) error { return WriteCountsText(to, a) },
		func(to *bytes.Buffer) error { return WriteCountsCSV(to, a) })
}

func render(format string, value any, text, csv func(*bytes.Buffer) error) answer {
	var body bytes.Buffer
	a := answer{status: http.StatusOK}
	var err error
	switch format {
	case "", "json":
		a.kind = kindJSON
		encoder := json.NewEncoder(&body)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(value)
	case "text":
		a.kind = kindText
		err = text(&body)
	case "csv":
		a.kind = kindCSV
		err = csv(&body)
	default:
		return refuse(http.StatusBadRequest, "invalid_request", "format is none of json, text and csv")
	}
	if err != nil {
		return refuse(http.StatusInternalServerError, "server_error", "the answer could not be written")
	}
	a.body = body.Bytes()
	return a
}

func (s *settings) record(r *http.Request, name string, now time.Time, a *answer) error {
	e := audit.Event{ID: audit.NewID(now), Time: now, Service: Service, Operation: "read", Outcome: audit.Success, Client: name,
		Action: r.Method, Duration: s.Now().Sub(now), Remote: remote(r)}
	switch {
	case a.status >= 500:
		e.Outcome = audit.Fault
	case a.status >= 400:
		e.Outcome = audit.Refused
	}
	if e.Outcome != audit.Success {
		e.Code, e.Cause = a.code, a.text
	}
	if parameters[r.URL.Path] != nil || r.URL.Path == PathOpenAPI {
		e.Resource = audit.Resource{Type: "control", Name: r.URL.Path}
	}
	return s.Journal.Record(context.WithoutCancel(r.Context()), &e)
}

func remote(r *http.Request) audit.RemoteClass {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return audit.RemoteUnknown
	}
	return audit.ClassifyRemote(address.Addr())
}

func (s *settings) write(w http.ResponseWriter, r *http.Request, a answer) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Vary", "Authorization")
	for _, header := range a.headers {
		h.Set(header[0], header[1])
	}
	if a.status >= 400 {
		a.kind = kindJSON
		a.body, _ = json.Marshal(struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}{a.code, a.text}) // two strings
	} else {
		sum := sha256.Sum256(append([]byte(a.kind+"\n"), a.body...))
		tag := `"` + hex.EncodeToString(sum[:16]) + `"`
		h.Set("ETag", tag)
		if slices.Contains(strings.FieldsFunc(r.Header.Get("If-None-Match"), func(c rune) bool { return c == ',' || c == ' ' }), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		if _, err := w.Write(a.body); err != nil {
			s.Log.Debug("control: the reader went away", "error", err)
		}
	}
}
