package authzen

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"sceau/audit"
	"sceau/policy/cedar"
)

// A Recorder keeps the audit trail; *audit.Journal is one. Record returns after the event is as durable as the
// operator asked.
type Recorder interface {
	Record(ctx context.Context, e *audit.Event) error
}

// Config is all that a Handler needs.
type Config struct {
	// Policies decide; nil ones deny everything, and are refused.
	Policies *cedar.Policies
	// URL is where clients find this service: https and a host, nothing behind it; http on loopback only.
	URL     string
	Clients []Client
	Journal Recorder
	// MetadataKey signs the metadata; nil leaves them unsigned.
	MetadataKey *MetadataKey
	// Log is told when metadata can no longer be signed; nil means slog.Default().
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Budget bounds what one request may take; zero means 10 s.
	Budget time.Duration
}

// A Handler answers the Authorization API. New makes it; it is safe for concurrent use.
type Handler struct {
	settings atomic.Pointer[settings]
	mux      *http.ServeMux
	pages    pageKey
}

type settings struct {
	Config
	pages    pageKey
	epoch    epoch
	metadata *metadata
}

// New returns a Handler, or an error that lists everything wrong with config.
func New(config Config) (*Handler, error) {
	pages, err := newPageKey()
	if err != nil {
		return nil, err
	}
	h := &Handler{mux: http.NewServeMux(), pages: pages}
	if err := h.Replace(config); err != nil {
		return nil, err
	}
	h.mux.HandleFunc("GET /.well-known/authzen-configuration", h.serveMetadata)
	h.mux.HandleFunc("GET /openapi.json", openAPI)
	h.mux.HandleFunc("POST /access/v1/evaluation", h.asked(evaluation))
	h.mux.HandleFunc("POST /access/v1/evaluations", h.asked(evaluations))
	for _, operation := range []string{searchSubject, searchResource, searchAction} {
		h.mux.HandleFunc("POST /access/v1/"+operation, h.asked(search(operation)))
	}
	return h, nil
}

// Check says why Replace would refuse a configuration, nil when it would not.
func (h *Handler) Check(config Config) error {
	_, err := newSettings(config)
	return err
}

func newSettings(config Config) (*settings, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Budget == 0 {
		config.Budget = 10 * time.Second
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	s := &settings{Config: config}
	var errs []error
	if config.Policies == nil {
		errs = append(errs, errors.New("authzen: no policies"))
	}
	if config.Journal == nil {
		errs = append(errs, errors.New("authzen: no audit journal"))
	}
	if u, err := url.Parse(config.URL); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Path != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		errs = append(errs, errors.New("authzen: the URL is https and a host, without path, query or fragment"))
	}
	errs = append(errs, checkClients(config.Clients))
	var err error
	if s.metadata, err = newMetadata(config); err != nil {
		errs = append(errs, fmt.Errorf("authzen: the metadata: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// Replace changes the configuration for the requests that begin from now on; pages of other policies are begun again. On error the old
// one stays.
func (h *Handler) Replace(config Config) error {
	s, err := newSettings(config)
	if err != nil {
		return err
	}
	s.pages = h.pages
	if old := h.settings.Load(); old != nil && old.Policies == config.Policies {
		s.epoch = old.epoch
	} else {
		rand.Read(s.epoch[:]) // never fails
	}
	h.settings.Store(s)
	return nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id := r.Header.Get("X-Request-ID"); id != "" {
		w.Header().Set("X-Request-ID", id)
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	h.mux.ServeHTTP(w, r)
}

//go:embed openapi.json
var openAPIDocument []byte

func openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openAPIDocument)
}

// A call is one request of a known client.
type call struct {
	*settings
	client *Client
	ctx    context.Context
	at     time.Time
	start  time.Time
	id     string // X-Request-ID
	remote audit.RemoteClass
}

// asked is what every request goes through before its question is looked at: who asks, and a body that is one JSON
// object.
func (h *Handler) asked(answer func(*call, tuple) (any, *failure)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := h.settings.Load()
		c := &call{settings: s, at: s.Now(), start: time.Now(), id: r.Header.Get("X-Request-ID")}
		if address, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			c.remote = audit.ClassifyRemote(address.Addr())
		}
		var result any
		f := c.admit(r)
		if f == nil {
			var cancel context.CancelFunc
			c.ctx, cancel = context.WithTimeout(r.Context(), s.Budget)
			defer cancel()
			var body tuple
			if body, f = c.body(w, r); f == nil {
				result, f = answer(c, body)
			}
		}
		if f == nil {
			writeJSON(w, http.StatusOK, result)
			return
		}
		if f.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(f.status)
		io.WriteString(w, f.text+"\n")
	}
}

func (c *call) admit(r *http.Request) *failure {
	if c.client = c.settings.client(r); c.client == nil {
		return &failure{status: http.StatusUnauthorized, text: "the client is not known"}
	}
	if len(c.id) > maxText {
		return bad("X-Request-ID is longer than %d bytes", maxText)
	}
	return nil
}

func (c *call) body(w http.ResponseWriter, r *http.Request) (tuple, *failure) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, bad("Content-Type is not application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &failure{status: http.StatusRequestEntityTooLarge, text: "the body is too large"}
	case err != nil:
		return nil, bad("the body could not be read")
	}
	object, err := parse(body)
	if err != nil {
		return nil, bad("the body: %v", err)
	}
	return object, nil
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil { // only texts, truths and times go in
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}
