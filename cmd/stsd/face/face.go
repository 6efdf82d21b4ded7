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
	// strangers bound what is kept in it of those who have not authenticated.
	strangers *oidc.Strangers
	// proxies are where connections come from that are of many.
	proxies []netip.Prefix
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
	var err error
	if f.proxies, err = c.Limits.check(); err != nil {
		return nil, err
	}
	if err := f.openStore(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if f.strangers, err = oidc.NewStrangers(f.store, oidc.StrangersConfig{Octets: c.Limits.MaxStrangers, Proxies: f.proxies, Log: s.Log}); err != nil {
		return nil, errors.Join(fmt.Errorf("limits: max-strangers: %w", err), f.close())
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

// Issuers are the issuer identifiers.
func (f *Face) Issuers() (all []string) {
	for _, p := range f.now.Load().providers {
		all = append(all, p.Issuer())
	}
	return all
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
