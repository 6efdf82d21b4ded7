package certs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// fetcher fetches the CRLs of a trust. Each distribution point has a goroutine of
// its own: a server that hangs delays nobody, least of all a request, which never
// waits for any of this.
type fetcher struct {
	load   crlLoader
	client *http.Client
	cache  *crlCache // nil: what is fetched is not kept
	large  largeBodies
}

// point is one distribution point of one authority, with what its server said last.
type point struct {
	authority *authority
	address   string
	validators
	next     time.Time // nextUpdate of the list that it gave last
	failures int
}

// validators tell a server which list we have (RFC 9110 section 8.8).
type validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// run starts the background of a trust.
func (v *Verifier) run(ctx context.Context, t *trust, points []*point) {
	config := v.config
	load := crlLoader{trust: t, config: &config, epoch: &v.epoch}
	if !config.CRL.Offline {
		f := &fetcher{load: load, client: newClient(&config.CRL), cache: v.cache, large: v.large}
		for _, p := range points {
			v.done.Go(func() { f.keep(ctx, p) })
		}
		v.done.Go(func() {
			<-ctx.Done()
			f.client.CloseIdleConnections()
		})
	}
	if len(config.CRL.Files) > 0 {
		files := v.files
		v.done.Go(func() { files.watch(ctx.Done(), &load) })
	}
	v.done.Go(func() { t.warn(ctx, &config) })
	v.runOCSP(ctx, t, &config)
}

// newClient makes the client of the fetcher. It follows no redirect: only an
// address that the configuration lists is ever contacted (K3, T3).
func newClient(c *CRLConfig) *http.Client {
	transport := c.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  c.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConnsPerHost:    1,
			DisableCompression:     true, // no bomb to inflate (Z6)
		}
	}
	return &http.Client{
		Transport:     transport, // a fetch has its own deadline: see download
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// points gives the distribution points of a trust.
func (t *trust) points() []*point {
	var points []*point
	for _, a := range t.order {
		for _, address := range a.points {
			points = append(points, &point{authority: a, address: address})
		}
	}
	return points
}

// keep fetches one distribution point again and again until the context ends.
func (f *fetcher) keep(ctx context.Context, p *point) {
	for {
		if err := f.fetch(ctx, p); err != nil && ctx.Err() == nil {
			f.load.config.Log.Warn("CRL not fetched", slog.String("address", p.address), slog.Any("error", err), slog.Int("failures", p.failures))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(f.wait(p)):
		}
	}
}

// The shortest waits between two fetches.
const (
	minRefresh = time.Minute
	minBackOff = 5 * time.Second
)

// wait says how long to wait before the next fetch: half of the time that the
// list still has, at most Refresh; after a failure a back-off that doubles. All
// with jitter, so that many servers do not come at once.
func (f *fetcher) wait(p *point) time.Duration {
	wait := f.load.config.CRL.Refresh
	switch {
	case p.failures > 0:
		wait = min(wait, minBackOff<<min(p.failures-1, 16))
	case !p.next.IsZero():
		wait = min(wait, max(p.next.Sub(f.load.config.Now())/2, minRefresh))
	}
	return wait/2 + rand.N(wait/2+1)
}

// fetch fetches one distribution point once.
func (f *fetcher) fetch(ctx context.Context, p *point) error {
	d := f.begin(ctx)
	defer d.end()
	der, said, err := d.get(p)
	var list taken
	if err == nil && der != nil {
		list, err = f.load.load(der, p.address)
	}
	switch {
	case ctx.Err() != nil: // it was we who broke off
	case err != nil || der == nil:
		f.load.record([]*authority{p.authority}, p.address, err)
	case !slices.Contains(list.owners, p.authority):
		f.load.record([]*authority{p.authority}, p.address, refuse(WrongSigner, errors.New("CRL: it is the list of another authority")))
	}
	if err == nil && der != nil {
		f.load.record(list.owners, p.address, nil)
		p.next, p.validators = list.next, said
		f.cache.put(p.address, der, said, list.owners, f.load.config.Log)
	}
	if err != nil {
		p.failures++
		p.validators = validators{} // what was refused must not be taken for unchanged
		return err
	}
	p.failures = 0
	return nil
}

// Fetch fetches every distribution point now, at once, and waits for all. The
// error joins those of the points that failed.
func (v *Verifier) Fetch(ctx context.Context) error {
	v.mu.Lock()
	config, cache := v.config, v.cache
	t := v.trust.Load()
	v.mu.Unlock()
	if config.CRL.Offline {
		return refuse(Unavailable, errors.New("CRLs are not fetched: the configuration says offline"))
	}
	f := &fetcher{load: crlLoader{trust: t, config: &config, epoch: &v.epoch}, client: newClient(&config.CRL), cache: cache, large: v.large}
	defer f.client.CloseIdleConnections()
	points := t.points()
	errs := make([]error, len(points))
	var group sync.WaitGroup
	for i, p := range points {
		group.Go(func() {
			if err := f.fetch(ctx, p); err != nil {
				errs[i] = fmt.Errorf("%s: %w", p.address, err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// FetchCRLs fetches every distribution point of a configuration once, keeps what came
// in its CacheDir, and tells how the authorities stand then. It is for a command that
// runs and ends; a Verifier fetches by itself. The error joins those of the points that failed.
func FetchCRLs(ctx context.Context, c Config) (Status, error) {
	v, err := newVerifier(c, false)
	if err != nil {
		return Status{}, err
	}
	defer v.Close()
	err = v.Fetch(ctx)
	return v.Status(v.config.Now()), err
}
