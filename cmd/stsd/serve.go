package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"sceau/audit"
	"sceau/policy"
	"sceau/saml/saml2"
	"sceau/soap"
	"sceau/soap/soaphttp"
	"sceau/sts"
	"sceau/sts/wsdl"
)

// Paths of the platform's SAML 1.1 token service.
const (
	pathQuery    = "/IAM/Saml11TokenService/v1"
	pathLegacy   = "/IAM/Saml11TokenService/Legacy/v1"
	pathMetadata = "/metadata"

	certificates = "/certificates" // behind either path: what assertions verify with
)

func serveCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the service until it is told to stop",
		Long: `Run the service until SIGINT or SIGTERM; answers under way are then finished.
SIGHUP reads the configuration again: trust, CRLs, signing key, policy and message
rules change without a lost request. Signing keys change by their schedule (stsd
keys), by themselves. What is wrong in it leaves everything as it was.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			p := &problems{file: path}
			var s *system
			if config := readConfig(path, p); config != nil {
				s = build(config, p, log)
			}
			if err := p.err(); err != nil {
				return err
			}
			defer s.close()
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return s.serve(ctx, hangup, path, nil)
		},
	}
	c.Flags().StringVar(&path, "config", "", "configuration file (see: stsd config)")
	c.MarkFlagRequired("config")
	return c
}

func checkCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Say everything that is wrong with a configuration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := &problems{file: path}
			engine := ""
			var warnings []policy.Problem
			if config := readConfig(path, p); config != nil {
				// Problems of form and of content are told together.
				if s := prepare(config, p, slog.New(slog.DiscardHandler), true); s != nil {
					engine, warnings = s.engine, s.policyWarnings()
					s.close()
				}
			}
			if err := p.err(); err != nil {
				return err
			}
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "policy, hardly meant:", plain(w.String()))
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: in order\nsigning: %s\n", path, engine)
			return err
		},
	}
	c.Flags().StringVar(&path, "config", "", "configuration file")
	c.MarkFlagRequired("config")
	return c
}

func configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print a commented configuration file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(exampleConfig)
			return err
		},
	}
}

// base is where clients find us: scheme and host.
func (s *system) base() string {
	return s.config.PublicURL.or("http://" + s.config.Listen[0].Address.V)
}

// soapServer returns the HTTP face of the service.
func (s *system) soapServer() (*soaphttp.Server, error) {
	l := &s.config.Limits
	base := s.base()
	answer := func(ctx context.Context, r *soaphttp.Request, dst []byte) (int, []byte, string) {
		message := sts.Message{Body: r.Body, Action: r.Action, Remote: audit.ClassifyRemote(r.Remote)}
		a := s.service.AttributeQuery(ctx, &message, dst)
		return a.Status, a.Body, a.Audit.String()
	}
	description := wsdl.Document(base+pathQuery, base+pathLegacy)
	var clock func() time.Time // of Date: the system's, unless a test says otherwise
	if s.config.TestClock.Line > 0 {
		clock = s.now
	}
	return soaphttp.New(soaphttp.Config{
		Endpoints: []soaphttp.Endpoint{
			{Path: pathQuery, Service: answer, WSDL: description, Schemas: wsdl.Schemas(base + pathQuery)},
			{Path: pathLegacy, Service: answer, WSDL: description},
		},
		Documents: []soaphttp.Document{{Path: pathMetadata, ContentType: "application/samlmetadata+xml",
			Body: func() ([]byte, error) { return s.metadata(base) }},
			{Path: pathQuery + certificates, ContentType: "application/x-pem-file", MaxAge: certificatesLife, Body: s.certificates},
			{Path: pathLegacy + certificates, ContentType: "application/x-pem-file", MaxAge: certificatesLife, Body: s.certificates}},
		MaxBody:       s.config.Messages.MaxBytes.or(256 << 10),
		ReadTimeout:   time.Duration(l.ReadTimeout.or(duration(10 * time.Second))),
		WriteTimeout:  time.Duration(l.WriteTimeout.or(duration(10 * time.Second))),
		IdleTimeout:   time.Duration(l.IdleTimeout.or(duration(75 * time.Second))),
		MaxPerAddress: l.MaxPerAddress.V, MaxConnections: l.MaxConnections.or(1 << 16),
		MaxInFlight: l.MaxInFlight.V, MaxAtWork: l.MaxAtWork.V, MaxWait: time.Duration(l.MaxWait.V), MaxLargeBodies: l.MaxLargeBodies.V, Now: clock, Log: s.log,
		Environment: s.config.Environment.V, Refused: s.refused,
	})
}

// refused records a request that HTTP refused before the service saw it: every request
// has its record, whatever its end, and under overload shares it.
func (s *system) refused(status int, fault *soap.Fault, remote netip.Addr) string {
	now := s.now()
	event := audit.Event{ID: audit.NewID(now), Time: now, Service: "saml11", Outcome: audit.Fault, Code: fault.SOA.Code,
		Stage: "transport", Cause: fmt.Sprintf("HTTP status %d", status), Remote: audit.ClassifyRemote(remote)}
	if fault.SOA == soap.SOATemporarily {
		return s.overload.refuse(event).String()
	}
	s.record(&event)
	return event.ID.String()
}

func (s *system) record(event *audit.Event) {
	if err := s.journal.Record(context.Background(), event); err != nil {
		s.log.Error("a refusal could not be recorded", "error", err)
	}
}

// A metadataDocument is kept for a while: making one costs a private-key operation,
// and anybody may ask for it.
type metadataDocument struct {
	mu   sync.Mutex
	of   *publication
	made time.Time
	body []byte
}

// metadataLife is how long one document is given out; it says itself that it is good
// for a day.
const metadataLife = time.Hour

// certificatesLife is how long a copy of the certificates may be used before it is asked
// for again.
const certificatesLife = time.Hour

// metadata describes the service as a SAML attribute authority.
func (s *system) metadata(base string) ([]byte, error) {
	s.mu.RLock()
	published, entity := s.published, s.config.Issuer.or(sts.IssuerName)
	s.mu.RUnlock()
	now := s.now()
	d := &s.document
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == published && now.Sub(d.made) < metadataLife {
		return d.body, nil
	}
	body, err := saml2.Metadata(saml2.Config{
		EntityID: entity, Locations: []string{base + pathQuery},
		Signer: published.signer, Certificate: published.signer.Certificate().Raw(), MoreCertificates: published.others, Now: now,
	})
	if err != nil {
		return nil, err
	}
	d.of, d.made, d.body = published, now, body
	return body, nil
}

// serve listens and answers until ctx ends, then finishes what is under way. started,
// when not nil, is told the address of each listener once all accept.
func (s *system) serve(ctx context.Context, hangup <-chan os.Signal, path string, started func(addresses []string)) error {
	server, err := s.soapServer()
	if err != nil {
		return err
	}
	s.secure = map[string]*tlsListener{}
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	var addresses []string
	for _, l := range s.config.Listen {
		listener, err := s.listen(l.Address.V)
		if err != nil {
			return err
		}
		scheme := "http://"
		if settings := s.tls[l.Address.V]; settings != nil {
			secure := newTLSListener(listener, settings, s.handshake.record)
			s.secure[l.Address.V] = secure
			listener, scheme = secure, "https://"
		}
		listeners = append(listeners, listener)
		addresses = append(addresses, scheme+listener.Addr().String())
	}
	admin, err := s.adminServer(server)
	if err != nil {
		return err
	}
	if s.decisions != nil {
		if err := s.decisions.listen(s); err != nil {
			return err
		}
		defer s.decisions.listener.Close()
	}
	if s.face != nil {
		if err := s.face.Listen(s.bound); err != nil {
			return err
		}
	}
	failed := make(chan error, len(listeners)+3)
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	if admin != nil {
		go func() { failed <- admin.serve() }()
	}
	if s.decisions != nil {
		go func() { failed <- s.decisions.serve() }()
		s.log.Info("decisions", "address", s.config.Decisions.url())
	}
	if s.face != nil {
		go func() { failed <- s.face.Serve() }()
		s.log.Info("OpenID Connect", "addresses", s.face.Addresses(), "issuers", s.face.Issuers())
	}
	s.logSigner()
	watching, stopWatching := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { s.watchKeys(watching) })
	watchers.Go(func() { s.watchPolicies(watching) })
	watchers.Go(func() { s.keepTrail(watching) })
	defer watchers.Wait()
	defer stopWatching()
	s.log.Info("listening", "addresses", addresses)
	if started != nil {
		started(addresses)
	}
	for {
		select {
		case <-hangup:
			if err := s.reload(path); err != nil {
				s.log.Error("reload refused, everything stays as it was", "error", err)
			} else {
				s.log.Info("reloaded")
			}
			continue
		case err = <-failed:
		case <-ctx.Done():
		}
		break
	}
	limit := time.Duration(s.config.Limits.StopTimeout.or(duration(20 * time.Second)))
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	s.log.Info("stopping", "in flight", server.InFlight())
	stopped := server.Shutdown(stopping)
	if admin != nil {
		stopped = errors.Join(stopped, admin.http.Shutdown(stopping))
	}
	if s.decisions != nil {
		stopped = errors.Join(stopped, s.decisions.shutdown(stopping))
	}
	if s.face != nil {
		stopped = errors.Join(stopped, s.face.Shutdown(stopping))
	}
	return errors.Join(err, stopped)
}

// listen listens on an address, by the listener that was bound before, where there is one.
func (s *system) listen(address string) (net.Listener, error) {
	if listener := s.bound[address]; listener != nil {
		return listener, nil
	}
	return net.Listen("tcp", address)
}

// An adminServer answers operators: health and metrics. It has a port of its own and
// no part in the road of a request.
type adminServer struct {
	http     *http.Server
	listener net.Listener
}

func (a *adminServer) serve() error {
	if err := a.http.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *system) adminServer(server *soaphttp.Server) (*adminServer, error) {
	if s.config.Admin.V == "" {
		return nil, nil
	}
	listener, err := s.listen(s.config.Admin.V)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /healthz/ready", func(w http.ResponseWriter, r *http.Request) {
		notes, err := s.ready(r.Context())
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, "%v\n%s", err, said(notes))
			return
		}
		fmt.Fprintf(w, "ready\n%s", said(notes))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return &adminServer{listener: listener, http: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}}, nil
}
