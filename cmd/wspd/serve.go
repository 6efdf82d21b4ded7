package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sceau/soap"
)

// serve runs until ctx ends, and reads the configuration again at each hangup.
func serve(ctx context.Context, hangup <-chan os.Signal, path string, out, errs io.Writer) error {
	c, err := readConfig(path)
	if err != nil {
		return err
	}
	options := &slog.HandlerOptions{Level: c.Log.Level}
	log := slog.New(slog.NewTextHandler(errs, options))
	if c.Log.Format == "json" {
		log = slog.New(slog.NewJSONHandler(errs, options))
	}
	for _, w := range c.warnings() {
		log.Warn(w)
	}
	p, err := c.build(log, true)
	if err != nil {
		return err
	}
	defer p.close()

	var stopping atomic.Bool
	faces := []face{{"service", c.Listen.Address, c.Listen.Path, &p.serviceTLS, p.handler(func(g *generation) http.Handler { return g.service })}}
	if c.Authorizer != nil {
		faces = append(faces, face{"authorizer", c.Authorizer.Address, "", &p.authorizerTLS, p.handler(func(g *generation) http.Handler { return g.authorizer })})
	}
	if c.Admin != nil {
		faces = append(faces, face{"admin", c.Admin.Address, "", nil, p.admin(&stopping)})
	}
	var servers []*http.Server
	var listeners []net.Listener
	for _, f := range faces {
		l, scheme, err := listen(f.address, f.tls)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return err
		}
		h := f.handler
		if f.name != "admin" {
			h = heard(bounded(h, c.Limits.Concurrent, c.Environment))
		}
		servers, listeners = append(servers, c.server(h, log)), append(listeners, l)
		fmt.Fprintf(out, "%s %s://%s%s\n", f.name, scheme, l.Addr(), f.path)
	}

	ended := make(chan error, len(servers))
	for i := range servers {
		go func() { ended <- servers[i].Serve(listeners[i]) }()
	}
	running := len(servers)
wait:
	for {
		select {
		case <-hangup:
			if err := p.reload(path); err != nil {
				log.Error("reload refused, everything stays as it was", "error", err)
			} else {
				log.Info("reloaded")
			}
		case <-ctx.Done():
			log.Info("stopping")
			break wait
		case err = <-ended:
			running--
			err = fmt.Errorf("listener: %w", err)
			break wait
		}
	}
	stopping.Store(true)
	err = errors.Join(err, stop(servers, time.Duration(c.Limits.Stop)))
	for range running {
		<-ended
	}
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// A face is one listener.
type face struct {
	name, address, path string
	tls                 *atomic.Pointer[tls.Config] // nil, or of nil: plain
	handler             http.Handler
}

// stop lets what runs end, the service first and the health of it last, and then cuts off the
// rest.
func stop(servers []*http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop: %w", err), s.Close())
		}
	}
	return errors.Join(errs...)
}

// listen speaks TLS by the configuration that is current at each handshake, where there is one.
func listen(address string, config *atomic.Pointer[tls.Config]) (net.Listener, string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil || config == nil || config.Load() == nil {
		return l, "http", err
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return config.Load(), nil },
	}), "https", nil
}

// server bounds a connection in every way that net/http can (attacks.md Z7). Clients of
// the wire speak HTTP/1.1.
func (c *config) server(h http.Handler, log *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Duration(c.Limits.HeaderTimeout),
		ReadTimeout:       time.Duration(c.Limits.ReadTimeout),
		WriteTimeout:      time.Duration(c.Limits.WriteTimeout),
		IdleTimeout:       time.Duration(c.Limits.IdleTimeout),
		MaxHeaderBytes:    c.Limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	return s
}

// bounded admits so many requests at once and answers the others that they may come
// back.
func bounded(next http.Handler, limit int, environment string) http.Handler {
	places := make(chan struct{}, limit)
	busy := soap.AppendFault(nil, soap.Fault{Code: soap.FaultServer, SOA: soap.SOATemporarily, Environment: environment})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Content-Type", "text/xml; charset=utf-8")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write(busy) // a client that went away is its own affair
		}
	})
}

// heard has requests of clients that close the connection afterwards read to their end. net/http
// does not: it closes, and when that happens before all that was sent is read, the connection is reset and the
// client may learn of the reset instead of the answer.
func heard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if !r.Close || r.Header.Get("Expect") != "" { // with Expect the client may be waiting to be told to send
			return
		}
		if http.NewResponseController(w).SetReadDeadline(time.Now().Add(heardTime)) == nil {
			io.CopyN(io.Discard, r.Body, heardBytes) // an error ends the reading, and that is all
		}
	})
}

const (
	heardBytes = 256 << 10       // what net/http reads after an answer when the connection is kept
	heardTime  = 2 * time.Second // the answer waits no longer for a client that takes its time
)

// admin answers on the admin listener: health, metrics, and the keys that tokens of callers verify with.
func (p *program) admin(stopping *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "live") })
	mux.HandleFunc("GET /healthz/ready", func(w http.ResponseWriter, _ *http.Request) {
		status := p.verifier.Status(time.Now())
		if !stopping.Load() && status.Ready() {
			fmt.Fprintln(w, "ready")
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		if stopping.Load() {
			fmt.Fprintln(w, "stopping")
		}
		for i := range status.Authorities {
			if a := &status.Authorities[i]; !a.Usable() {
				fmt.Fprintf(w, "%s: CRL is %s\n", a.Subject, a.State)
			}
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /jwks.json", p.handler(func(g *generation) http.Handler {
		if g.minter == nil {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwk-set+json")
			w.Write(g.minter.keySet()) // a client that went away is its own affair
		})
	}))
	return mux
}
