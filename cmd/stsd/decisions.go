package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/internal/network"
	"sceau/policy"
	"sceau/policy/authzen"
	"sceau/policy/cedar"
)

// decisionsConfig is the key decisions: policy decisions over HTTP, for whoever is named.
type decisionsConfig struct {
	Listener  listenerConfig   `yaml:",inline"`
	PublicURL value[string]    `yaml:"public-url"`
	Clients   []decisionClient `yaml:"clients"`
	// Metadata, read by readMetadataKey, is a node, so that a key with nothing after it is told from one that is not there: only the
	// latter leaves metadata unsigned.
	Metadata yaml.Node `yaml:"metadata"`
}

type decisionClient struct {
	Name        value[string]   `yaml:"name"`
	Certificate value[string]   `yaml:"certificate"` // subject of its TLS certificate
	TokenFile   value[string]   `yaml:"token-file"`
	Resources   []value[string] `yaml:"resources"`
}

func (c *decisionsConfig) configured() bool { return c.Listener.Address.Line > 0 }

// url is where clients find the service.
func (c *decisionsConfig) url() string {
	scheme := "http://"
	if c.Listener.Certificate.V != "" {
		scheme = "https://"
	}
	return c.PublicURL.or(scheme + c.Listener.Address.V)
}

// A decisions is the Authorization API on a listener of its own. It has no part in the road of a token request.
type decisions struct {
	handler  *authzen.Handler
	http     *http.Server
	listener net.Listener
	tls      atomic.Pointer[tlsSettings] // nil inside: plain, on loopback
	// withdrawn: a reload took the key out of the configuration. The listener ends with the process; until then nobody
	// is told what policies of before would say.
	withdrawn atomic.Bool
}

// checkDecisions reads the listener and the clients of the key decisions, both nil without it and after a problem, and its metadata key.
func (s *system) checkDecisions(p *problems) (settings *tlsSettings, clients []authzen.Client) {
	c := &s.config.Decisions
	if !c.configured() {
		if len(c.Clients) > 0 || c.PublicURL.Line > 0 || c.Listener.Certificate.Line > 0 || c.Listener.Key.Line > 0 || !c.Listener.ClientAuthorities.IsZero() || !c.Metadata.IsZero() {
			p.add(max(c.PublicURL.Line, c.Listener.Certificate.Line, c.Listener.Key.Line, c.Listener.ClientAuthorities.Line, c.Metadata.Line), "decisions: no address")
		}
		return nil, nil
	}
	line := c.Listener.Address.Line
	before := len(p.list)
	s.checkDecisionsAddress(p)
	if s.config.Policy.Engine.V != policyCedar {
		p.add(line, "decisions: policy has engine cedar for them")
	}
	settings = s.readTLS(&c.Listener, p)
	s.metadataKey = s.readMetadataKey(p)
	if len(c.Clients) == 0 {
		p.add(line, "decisions: no client: nobody could ask")
	}
	for i := range c.Clients {
		clients = append(clients, s.readClient(&c.Clients[i], p))
	}
	if policies, ok := s.rules.(*cedar.Policies); ok && policies != nil && len(p.list) == before {
		if err := new(authzen.Handler).Check(s.decisionsSettings(policies, clients)); err != nil {
			p.add(line, "decisions: %v", err)
		}
	}
	if len(p.list) > before {
		return nil, nil
	}
	return settings, clients
}

func (s *system) checkDecisionsAddress(p *problems) {
	c := &s.config.Decisions
	l := &c.Listener
	host, _, err := net.SplitHostPort(l.Address.V)
	if _, tcp := net.ResolveTCPAddr("tcp", l.Address.V); err != nil || tcp != nil {
		p.add(l.Address.Line, "decisions: %q is no host:port", l.Address.V)
		return
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case (l.Certificate.V == "") != (l.Key.V == ""):
		p.add(l.Address.Line, "decisions: certificate and key go together")
	case l.Certificate.V == "" && !loopback:
		p.add(l.Address.Line, "decisions: plain HTTP only on a loopback address; give certificate and key")
	case s.config.TestClock.Line > 0 && !loopback: // what has ended long ago would be permitted
		p.add(s.config.TestClock.Line, "test-clock: only with decisions on loopback")
	}
	taken := func(other value[string]) bool { return other.V == l.Address.V }
	if taken(s.config.Admin) || slices.ContainsFunc(s.config.Listen, func(o listenerConfig) bool { return taken(o.Address) }) {
		p.add(l.Address.Line, "decisions: the address of another listener")
	}
}

// minToken is how long a token is at least, in bytes: what fits in 128 bits can be guessed by nobody.
const minToken = 22

// readClient reads what proves a client, and what it may ask about.
func (s *system) readClient(c *decisionClient, p *problems) authzen.Client {
	client := authzen.Client{Name: c.Name.V, Certificate: c.Certificate.V}
	line := max(c.Name.Line, c.Certificate.Line, c.TokenFile.Line)
	if c.Certificate.V != "" && s.config.Decisions.Listener.ClientAuthorities.IsZero() {
		p.add(c.Certificate.Line, "decisions: client %q: a certificate is asked for where there are client-authorities", c.Name.V)
	}
	if c.TokenFile.V != "" {
		text, err := os.ReadFile(s.config.path(c.TokenFile))
		token := strings.TrimSpace(string(text))
		switch {
		case err != nil:
			p.add(c.TokenFile.Line, "decisions: client %q: %v", c.Name.V, err)
		case strings.ContainsAny(token, " \t\r\n"):
			p.add(c.TokenFile.Line, "decisions: client %q: the file holds one token, on one line", c.Name.V)
		case len(token) < minToken:
			p.add(c.TokenFile.Line, "decisions: client %q: a token is of at least %d characters", c.Name.V, minToken)
		default:
			client.Token = sha256.Sum256([]byte(token))
		}
	}
	for _, text := range c.Resources {
		r, err := authzen.ParseResource(text.V)
		if err != nil {
			p.add(text.Line, "decisions: client %q: %v", c.Name.V, err)
		}
		if policies, ok := s.rules.(*cedar.Policies); ok && err == nil && !policies.Knows(r.Type) {
			p.add(text.Line, "decisions: client %q: the schema has no type %q", c.Name.V, r.Type)
		}
		client.Resources = append(client.Resources, r)
	}
	if c.Name.V == "" {
		p.add(line, "decisions: a client without name")
	}
	return client
}

// decisionsSettings are those of the handler.
func (s *system) decisionsSettings(rules policy.PDP, clients []authzen.Client) authzen.Config {
	policies, _ := rules.(*cedar.Policies)
	return authzen.Config{Policies: policies, URL: s.config.Decisions.url(), Clients: clients, Journal: s.journal,
		MetadataKey: s.metadataKey, Log: s.log, Now: s.now}
}

// openDecisions makes the handler; the listener comes with serve.
func (s *system) openDecisions(p *problems) {
	if !s.config.Decisions.configured() {
		return
	}
	handler, err := authzen.New(s.decisionsSettings(s.rules, s.decisionClients))
	if err != nil {
		p.add(s.config.Decisions.Listener.Address.Line, "decisions: %v", err)
		return
	}
	d := &decisions{handler: handler}
	d.tls.Store(s.decisionTLS)
	d.http = &http.Server{
		Handler: http.HandlerFunc(d.serveHTTP), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.decisions = d
}

// serveHTTP ends connections of clients that were admitted under other settings and would not be under those of now.
func (d *decisions) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if d.withdrawn.Load() {
		http.Error(w, "no decisions are made here any more", http.StatusServiceUnavailable)
		return
	}
	if settings := d.tls.Load(); settings != nil && r.TLS != nil && !settings.admits(r.TLS) {
		w.Header().Set("Connection", "close")
		http.Error(w, "the client is not known", http.StatusUnauthorized)
		return
	}
	d.handler.ServeHTTP(w, r)
}

// maxDecisionConnections bounds the open connections for decisions. Clients are few and named; strangers, who are found out
// after a handshake or a header alone, must not take the files that the token service needs for its own connections.
const maxDecisionConnections = 1024

// listen binds the address. What a reload changes counts from the next connection on.
func (d *decisions) listen(s *system) error {
	listener, err := s.listen(s.config.Decisions.Listener.Address.V)
	if err != nil {
		return err
	}
	listener = &network.Listener{Listener: listener, Connections: &network.Connections{Most: maxDecisionConnections}}
	if settings := d.tls.Load(); settings != nil {
		listener = tls.NewListener(listener, &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: settings.config.Certificates,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return d.tls.Load().config, nil },
		})
	}
	d.listener = listener
	return nil
}

func (d *decisions) serve() error {
	if err := d.http.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (d *decisions) shutdown(ctx context.Context) error { return d.http.Shutdown(ctx) }
