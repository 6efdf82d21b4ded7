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
	"sync/atomic"
	"time"

	"sceau/certs"
	"sceau/soap"
)

// serve runs until ctx ends.
func serve(ctx context.Context, path string, out, errs io.Writer) error {
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
	p, err := c.build(log)
	if err != nil {
		return err
	}
	defer p.close()

	var stopping atomic.Bool
	service, scheme, err := listen(c.Listen.Address, p.tls)
	if err != nil {
		return err
	}
	servers := []*http.Server{c.server(p.handler, log)}
	listeners := []net.Listener{service}
	fmt.Fprintf(out, "service %s://%s%s\n", scheme, service.Addr(), c.Listen.Path)
	if c.Admin != nil {
		admin, _, err := listen(c.Admin.Address, nil)
		if err != nil {
			service.Close()
			return err
		}
		servers, listeners = append(servers, c.server(health(p.verifier, &stopping), log)), append(listeners, admin)
		fmt.Fprintf(out, "admin http://%s\n", admin.Addr())
	}

	ended := make(chan error, len(servers))
	for i := range servers {
		go func() { ended <- servers[i].Serve(listeners[i]) }()
	}
	running := len(servers)
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case err = <-ended:
		running--
		err = fmt.Errorf("listener: %w", err)
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

func listen(address string, config *tls.Config) (net.Listener, string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil || config == nil {
		return l, "http", err
	}
	return tls.NewListener(l, config), "https", nil
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

// health answers on the admin listener.
func health(v *certs.Verifier, stopping *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "live") })
	mux.HandleFunc("GET /healthz/ready", func(w http.ResponseWriter, _ *http.Request) {
		status := v.Status(time.Now())
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
	return mux
}
