package face

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"sceau/attrs"
	"sceau/certs"
	"sceau/oidc"
	"sceau/oidc/bridge"
	"sceau/oidc/client"
	"sceau/oidc/control"
	"sceau/oidc/means/certificate"
	"sceau/policy"
)

// Shared is what the face has in common with the token service.
type Shared struct {
	Verifier *certs.Verifier
	Recorder oidc.Recorder
	Now      func() time.Time
	Log      *slog.Logger

	// Policy decides about exchanges, by the policies of the moment; nil: those in force decide nothing about them. Release,
	// Attributes and Signing are those of the token service too, for assertions. Catalogue is the one at the start: Prepare and Define
	// give another.
	Policy     policy.ExchangePDP
	Release    policy.PDP
	Attributes interface {
		Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error)
	}
	Catalogue *attrs.Catalogue
	Signing   func(at time.Time) (bridge.Signing, error)

	// Indicators are what an authority reads of the program, to which the face adds its establishments; Counts is what it counted.
	Indicators func() control.Indicators
	Counts     *control.Counts
}

// A Face is the OpenID Connect face, made and checked.
type Face struct {
	shared Shared
	config *Config
	store  oidc.Store
	// connections mark those of the listener that asks for certificates.
	connections *certificate.Connections

	now     atomic.Pointer[establishments]
	plain   *server
	secure  *server
	ending  chan struct{} // closed by Close
	once    sync.Once
	closing sync.WaitGroup
	closed  []func() error // of the store
}

// establishments are those of one configuration.
type establishments struct {
	server    *oidc.Server
	control   *control.Handler // nil: nobody reads
	providers []*oidc.Provider
	close     []func() error
	plain     *tls.Config
	secure    *tls.Config
	catalogue atomic.Pointer[attrs.Catalogue]
	certified []attrs.Designator // what assertions are to say
}

func (e *establishments) end() error {
	var errs []error
	for _, f := range e.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// New makes the face of a configuration. The error joins all that is wrong.
func New(c *Config, s Shared) (*Face, error) {
	f := &Face{shared: s, config: c, connections: &certificate.Connections{Now: s.Now}, ending: make(chan struct{})}
	if err := f.openStore(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	e, err := f.establish(c, s.Catalogue)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.now.Store(e)
	f.known()
	return f, nil
}

// known tells what counts which names there are.
func (f *Face) known() {
	if f.shared.Counts != nil {
		f.shared.Counts.Know(f.Indicators())
	}
}

// establish makes what a configuration says, with the store that is open.
func (f *Face) establish(c *Config, catalogue *attrs.Catalogue) (e *establishments, err error) {
	e = &establishments{}
	if catalogue == nil {
		catalogue = attrs.EHealth()
	}
	e.catalogue.Store(catalogue)
	defer func() {
		if err != nil {
			err = errors.Join(err, e.end())
			e = nil
		}
	}()
	if e.plain, err = c.listener("listen", &c.Listen, false); err != nil {
		return e, err
	}
	if c.Secure.Address != "" {
		if e.secure, err = c.listener("secure", &c.Secure, true); err != nil {
			return e, err
		}
	} else if err = only(&c.Secure, "a listener without an address"); err != nil {
		return e, fmt.Errorf("secure: %w", err)
	}
	outside, err := c.outside()
	if err != nil {
		return e, err
	}
	var errs []error
	if len(c.Establishments) == 0 {
		errs = append(errs, errors.New("establishments: none"))
	}
	for i := range c.Establishments {
		p, err := f.establishment(c, &c.Establishments[i], outside, e)
		if err != nil {
			errs = append(errs, fmt.Errorf("establishments[%d] (%s): %w", i, c.Establishments[i].Tenant, err))
			continue
		}
		e.providers = append(e.providers, p)
	}
	if err := errors.Join(errs...); err != nil {
		return e, err
	}
	if e.server, err = oidc.NewServer(e.providers...); err != nil {
		return e, err
	}
	e.control, err = f.control(c, e)
	return e, err
}

// controlPath is where the interface for an authority stands, and no issuer does.
const controlPath = "/control/"

// control makes the interface for an authority; nil where there is no reader.
func (f *Face) control(c *Config, e *establishments) (*control.Handler, error) {
	if len(c.Control.Readers) == 0 {
		if c.Control.Least != 0 || c.Control.PerMinute != 0 {
			return nil, errors.New("control: no readers")
		}
		return nil, nil
	}
	k := control.Config{
		Indicators: func() control.Indicators { return f.indicators(e) }, Counts: f.shared.Counts, Journal: f.shared.Recorder,
		Least: c.Control.Least, PerMinute: c.Control.PerMinute, Log: f.shared.Log, Now: f.shared.Now,
	}
	for i, r := range c.Control.Readers {
		reader := control.Reader{Name: r.Name}
		if r.TokenHash != "" {
			sum, err := hex.DecodeString(strings.TrimPrefix(r.TokenHash, "sha256:"))
			if err != nil || len(sum) != len(reader.Token) {
				return nil, fmt.Errorf("control: readers[%d]: token-hash: not sha256: and 64 hexadecimal digits", i)
			}
			copy(reader.Token[:], sum)
		}
		if r.Certificate != "" {
			ders, err := certs.ReadCertificates(c.path(r.Certificate))
			if err != nil {
				return nil, fmt.Errorf("control: readers[%d]: %w", i, err)
			}
			if len(ders) != 1 {
				return nil, fmt.Errorf("control: readers[%d]: %s: not one certificate", i, r.Certificate)
			}
			reader.Certificate = sha256.Sum256(ders[0])
		}
		k.Readers = append(k.Readers, reader)
	}
	for _, p := range e.providers {
		if u, err := url.Parse(p.Issuer()); err == nil && strings.HasPrefix(u.Path+"/", controlPath) {
			return nil, fmt.Errorf("control: the issuer %s stands where the interface for an authority does", p.Issuer())
		}
	}
	h, err := control.New(k)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return h, nil
}

// Indicators are the policies in force (EXI FI 28).
func (f *Face) Indicators() control.Indicators { return f.indicators(f.now.Load()) }

func (f *Face) indicators(e *establishments) (i control.Indicators) {
	if f.shared.Indicators != nil {
		i = f.shared.Indicators()
	}
	for _, p := range e.providers {
		i.Establishments = append(i.Establishments, p.Indicators())
	}
	return i
}

// listener reads the certificate of a listener.
func (c *Config) listener(what string, l *Listener, asks bool) (*tls.Config, error) {
	if _, _, err := net.SplitHostPort(l.Address); err != nil {
		return nil, fmt.Errorf("%s: %q is no host:port", what, l.Address)
	}
	certificateFile, keyFile := l.Certificate, l.Key
	if asks && certificateFile == "" && keyFile == "" {
		certificateFile, keyFile = c.Listen.Certificate, c.Listen.Key
	}
	pair, err := tls.LoadX509KeyPair(c.path(certificateFile), c.path(keyFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	base := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if !asks {
		if len(l.Authorities) > 0 {
			return nil, fmt.Errorf("%s: authorities are of the listener that asks for certificates", what)
		}
		return base, nil
	}
	var authorities [][]byte
	for _, file := range l.Authorities {
		ders, err := certs.ReadCertificates(c.path(file))
		if err != nil {
			return nil, fmt.Errorf("%s: authorities: %w", what, err)
		}
		authorities = append(authorities, ders...)
	}
	return certificate.TLS(base, authorities...)
}

// outside is the client that contacts addresses of relying parties.
func (c *Config) outside() (*http.Client, error) {
	g := client.Guard{}
	for _, text := range c.BackChannel.Allow {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("back-channel: allow: %w", err)
		}
		g.Allow = append(g.Allow, prefix)
	}
	if len(c.BackChannel.CA) > 0 {
		roots, err := c.authorities(c.BackChannel.CA)
		if err != nil {
			return nil, fmt.Errorf("back-channel: ca: %w", err)
		}
		g.TLS = &tls.Config{RootCAs: roots}
	}
	return client.NewHTTPClient(g), nil
}

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
	start := func(address string, settings func(*establishments) *tls.Config, asks bool) (*server, error) {
		l, err := listen(address)
		if err != nil {
			return nil, err
		}
		s := &server{http: &http.Server{
			Handler:           http.HandlerFunc(f.serveHTTP),
			ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 40 * time.Second, IdleTimeout: 75 * time.Second,
			MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(f.shared.Log.Handler(), slog.LevelDebug),
		}}
		first := settings(f.now.Load())
		s.http.TLSConfig = first.Clone()
		s.http.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return settings(f.now.Load()), nil }
		if asks {
			s.http.ConnContext = f.connections.Context
		}
		s.listener = netutil.LimitListener(l, maxConnections)
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

// maxConnections bounds those of each listener.
const maxConnections = 1 << 14

// Addresses are those at which the face listens.
func (f *Face) Addresses() (all []string) {
	for _, s := range []*server{f.plain, f.secure} {
		if s != nil {
			all = append(all, "https://"+s.listener.Addr().String())
		}
	}
	return all
}

// Issuers are the issuer identifiers.
func (f *Face) Issuers() (all []string) {
	for _, p := range f.now.Load().providers {
		all = append(all, p.Issuer())
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

// Close ends what is still under way, and gives everything back. A second Close does nothing.
func (f *Face) Close() (err error) {
	f.once.Do(func() {
		var errs []error
		for _, s := range []*server{f.plain, f.secure} {
			if s != nil { // of a face that never served, or whose Shutdown took too long
				errs = append(errs, s.http.Close())
				if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
					errs = append(errs, err)
				}
			}
		}
		close(f.ending)
		f.closing.Wait()
		err = errors.Join(append(errs, f.now.Load().end(), f.close())...)
	})
	return err
}

func (f *Face) close() error {
	var errs []error
	for _, c := range f.closed {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// grace is for how long what was replaced is still there, for requests under way.
const grace = 45 * time.Second

// A Next is another configuration, made and checked, that is not in force yet. It is put in force by Commit, or given up by
// Discard: one of the two.
type Next struct {
	config         *Config
	establishments *establishments
}

// Prepare makes everything of another configuration: establishments, clients, keys, means, certificates of the listeners. The catalogue is
// the one that will be in force with it.
func (f *Face) Prepare(c *Config, catalogue *attrs.Catalogue) (*Next, error) {
	e, err := f.establish(c, catalogue)
	if err != nil {
		return nil, err
	}
	if (e.secure == nil) != (f.now.Load().secure == nil) {
		return nil, errors.Join(errors.New("secure: the listener comes and goes with a restart alone"), e.end())
	}
	return &Next{c, e}, nil
}

// RetainsAudit says whether a client of it wants the trail kept.
func (n *Next) RetainsAudit() bool { return n.establishments.retains() }

// Discard gives it up.
func (n *Next) Discard() error { return n.establishments.end() }

// RetainsAudit says whether a client wants the trail kept three months at least (EXI FI 36).
func (f *Face) RetainsAudit() bool { return f.now.Load().retains() }

func (e *establishments) retains() bool {
	for _, p := range e.providers {
		for _, c := range p.Clients() {
			if c.RetainAudit() {
				return true
			}
		}
	}
	return false
}

// Commit puts another configuration in force; it cannot fail. Sessions and grants stay. It names the keys that differ and count
// only after a restart.
func (f *Face) Commit(n *Next) (restart []string) {
	c := n.config
	old := f.now.Swap(n.establishments)
	f.known()
	if c.Listen.Address != f.config.Listen.Address || c.Secure.Address != f.config.Secure.Address {
		restart = append(restart, "the addresses of the OpenID Connect face")
	}
	if c.Store != f.config.Store {
		restart = append(restart, "the store of the OpenID Connect face")
	}
	f.closing.Go(func() {
		select {
		case <-time.After(grace):
		case <-f.ending:
		}
		if err := old.end(); err != nil {
			f.shared.Log.Warn("what was replaced was not closed", "cause", err)
		}
	})
	return restart
}

// Lacks says which certified attributes the face is to answer that a catalogue does not have; nil where there is none.
func (f *Face) Lacks(catalogue *attrs.Catalogue) error {
	for _, d := range f.now.Load().certified {
		if definition, ok := catalogue.Find(d); !ok || !definition.Certified() || definition.Computed {
			return fmt.Errorf("the OpenID Connect face writes the attribute %q, which would be defined no longer", d.Name)
		}
	}
	return nil
}

// Define puts another catalogue in force, which lacks nothing.
func (f *Face) Define(catalogue *attrs.Catalogue) { f.now.Load().catalogue.Store(catalogue) }

// Replace prepares another configuration, by the catalogue in force, and puts it in force.
func (f *Face) Replace(c *Config) (restart []string, err error) {
	n, err := f.Prepare(c, f.now.Load().catalogue.Load())
	if err != nil {
		return nil, err
	}
	return f.Commit(n), nil
}
