package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sceau/bench/load/drive"
	"sceau/bench/load/message"
)

// A side is one of the targets, with what is sent to it and what judges its answers.
type side struct {
	target  drive.Target
	ring    *message.Ring
	maker   *message.Maker
	checker *message.Checker
	server  *server // nil unless the tool has started it
}

// ready makes a side ready: its server runs, and there is what to send to it.
func (r *session) ready(ctx context.Context, s *side, t *target, i int) (err error) {
	if t.Start != nil {
		err = r.start(ctx, s, t, i)
	} else {
		s.target.TLS, err = r.clientTLS(t)
	}
	if err != nil {
		return err
	}
	config := message.CheckerConfig{PKI: r.pki, Sample: r.Verify, Expect: t.Answers, Replay: s.ring}
	if r.Clock != nil {
		config.Clock = *r.Clock
	}
	if config.Signers, err = r.signers(t); err != nil {
		return err
	}
	if s.checker, err = message.NewChecker(config); err != nil {
		return err
	}
	if r.Try {
		if err := r.try(ctx, s, config); err != nil {
			return err
		}
	}
	made := r.makerConfig(r.pki, s.ring)
	if r.Sign == signLive {
		made.Cold = r.Cold
		made.Progress = func(done, total int) { r.console.progress("cold certificates", done, total) }
	}
	s.maker, err = message.NewMaker(ctx, made)
	if err != nil && ctx.Err() != nil {
		return cause(ctx)
	}
	return err
}

// signers are the certificates of the service, in DER; nil: those of the PKI.
func (r *session) signers(t *target) (ders [][]byte, err error) {
	for _, path := range t.Signers {
		text, err := os.ReadFile(r.path(path))
		if err != nil {
			return nil, usageError{err}
		}
		block, _ := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, usage("%s does not begin with a certificate in PEM", path)
		}
		ders = append(ders, block.Bytes)
	}
	return ders, nil
}

// start starts the server of a side, and ends the session when the server ends.
func (r *session) start(ctx context.Context, s *side, t *target, i int) error {
	binary, err := r.binary(ctx, t.Start)
	if err != nil {
		return err
	}
	ports, err := freeEndpoints(t.Start.TLS)
	if err != nil {
		return err
	}
	options := message.ServerOptions{Address: ports.listen, Admin: ports.adminAddress, TLS: message.TLSMode(t.Start.TLS), Durability: t.Start.Durability}
	if t.Start.Signing == "p256" {
		options.SigningKey = message.P256
	}
	if r.Clock != nil {
		options.TestClock = *r.Clock
	}
	if r.programs[t.Name], err = program(binary); err != nil {
		return err
	}
	dir := filepath.Join(r.out, fmt.Sprintf("server-%d", i+1))
	if err := setUpServer(ctx, binary, dir, r.pki, options, t.Start.Limits); err != nil {
		return err
	}
	if s.server, err = startServer(ctx, binary, dir, t.Start, ports); err != nil {
		return err
	}
	r.watch(s.server)
	s.target.URL, s.target.PID = ports.url, s.server.pid()
	if t.Start.TLS != tlsNone {
		s.target.TLS, err = r.pki.ClientTLS(t.Start.TLS == tlsMutual)
	}
	r.console.say("%s started at %s, its log is %s", t.Name, ports.url, filepath.Join(dir, "server.log"))
	return err
}

// watch ends the session when a server ends that nobody has stopped.
func (r *session) watch(s *server) {
	go func() {
		<-s.ended
		if !s.stopping.Load() {
			r.cancel(s.early())
		}
	}()
}

// binary gives the stsd to be started, which is built once.
func (r *session) binary(ctx context.Context, t *start) (string, error) {
	if t.Binary != "" {
		path, err := filepath.Abs(r.path(t.Binary))
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(path); err != nil {
			return "", usageError{err}
		}
		return path, nil
	}
	if r.built == "" {
		r.console.say("building stsd")
		path := filepath.Join(r.out, "stsd")
		if err := buildServer(ctx, path); err != nil {
			return "", err
		}
		r.built = path
	}
	return r.built, nil
}

// clientTLS says how a server that runs is reached.
func (r *session) clientTLS(t *target) (*tls.Config, error) {
	if !strings.HasPrefix(t.URL, "https:") {
		return nil, nil
	}
	config, err := r.pki.ClientTLS(false)
	if err != nil || t.TLS == nil {
		return config, err
	}
	config.ServerName = t.TLS.ServerName
	if t.TLS.CA != "" {
		text, err := os.ReadFile(r.path(t.TLS.CA))
		if err != nil {
			return nil, usageError{err}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, usage("%s holds no certificate in PEM", t.TLS.CA)
		}
	}
	if t.TLS.Certificate != "" {
		own, err := tls.LoadX509KeyPair(r.path(t.TLS.Certificate), r.path(t.TLS.Key))
		if err != nil {
			return nil, usageError{err}
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}
