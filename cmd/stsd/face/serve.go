package face

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sceau/internal/network"
)

// A server is one listener.
type server struct {
	http     *http.Server
	listener net.Listener
}

// Listen binds the addresses; bound are listeners that were bound before, by address.
func (f *Face) Listen(bound map[string]net.Listener) error {
	listen := func(address string) (net.Listener, error) {
		if l := bound[address]; l != nil {
			return l, nil
		}
		return net.Listen("tcp", address)
	}
	told := rate.Sometimes{Interval: time.Minute} // a stranger comes as often as he likes
	refused := func(err error) {
		told.Do(func() { f.shared.Log.Warn("connections to the OpenID Connect face are refused", "cause", err) })
	}
	start := func(address string, settings func(*establishments) *tls.Config, asks bool) (*server, error) {
		l, err := listen(address)
		if err != nil {
			return nil, err
		}
		s := &server{http: &http.Server{
			Handler:           http.HandlerFunc(f.serveHTTP),
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 40 * time.Second, IdleTimeout: 75 * time.Second,
			MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(f.shared.Log.Handler(), slog.LevelDebug),
			HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		}}
		first := settings(f.now.Load())
		s.http.TLSConfig = first.Clone()
		s.http.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return settings(f.now.Load()), nil }
		if asks {
			s.http.ConnContext = f.connections.Context
		}
		s.listener = &network.Listener{Listener: l, Connections: f.config.Limits.connections(f.proxies), Refused: refused}
		return s, nil
	}
	var err error
	if f.plain, err = start(f.config.Listen.Address, func(e *establishments) *tls.Config { return e.plain }, false); err != nil {
		return fmt.Errorf("oidc: %w", err)
	}
	if f.config.Secure.Address != "" {
		if f.secure, err = start(f.config.Secure.Address, func(e *establishments) *tls.Config { return e.secure }, true); err != nil {
			f.plain.listener.Close()
			f.plain = nil
			return fmt.Errorf("oidc: %w", err)
		}
	}
	return nil
}

func (f *Face) serveHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	e := f.now.Load()
	if e.control != nil && strings.HasPrefix(r.URL.Path, controlPath) {
		e.control.ServeHTTP(w, r)
		return
	}
	e.server.ServeHTTP(w, r)
}

// maxStreams bounds the requests of a connection of HTTP/2 that are under way: each may hold what a stranger has it hold before he
// authenticates. It is the least that RFC 9113 section 6.5.2 recommends; Go's own is 250.
const maxStreams = 100

// Addresses are those at which the face listens.
func (f *Face) Addresses() (all []string) {
	for _, s := range []*server{f.plain, f.secure} {
		if s != nil {
			all = append(all, "https://"+s.listener.Addr().String())
		}
	}
	return all
}

// Serve answers until Shutdown, or until a listener fails.
func (f *Face) Serve() error {
	ended := make(chan error, 2)
	running := 0
	for _, s := range []*server{f.plain, f.secure} {
		if s != nil {
			running++
			go func() { ended <- s.http.ServeTLS(s.listener, "", "") }()
		}
	}
	for range running {
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return err // the other goes on until Shutdown: half a face is none, and whoever runs it ends it
		}
	}
	return nil
}

// Shutdown finishes what is under way, at both listeners at once, and ends Serve. Close comes after it.
func (f *Face) Shutdown(ctx context.Context) error {
	var plain, secure error
	var both sync.WaitGroup
	if f.plain != nil {
		both.Go(func() { plain = f.plain.http.Shutdown(ctx) })
	}
	if f.secure != nil {
		both.Go(func() { secure = f.secure.http.Shutdown(ctx) })
	}
	both.Wait()
	return errors.Join(plain, secure)
}
