package certs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// fetcher fetches the CRLs of a trust. Each distribution point has a goroutine of
// its own: a server that hangs delays nobody, least of all a request, which never
// waits for any of this.
type fetcher struct {
	trust  *trust
	config *Config
	epoch  *atomic.Uint64
	client *http.Client
}

// point is one distribution point of one authority, with what its server said last.
type point struct {
	authority *authority
	address   string
	etag      string
	modified  string
	failures  int
}

// run starts the background of a trust.
func (v *Verifier) run(ctx context.Context, t *trust) {
	config := v.config
	f := &fetcher{trust: t, config: &config, epoch: &v.epoch, client: newClient(&config.CRL)}
	for _, p := range f.points() {
		v.done.Go(func() { f.keep(ctx, p) })
	}
	if len(config.CRL.Files) > 0 {
		files := v.files
		v.done.Go(func() {
			files.watch(ctx.Done(), &config, func(path string, der []byte) error { return t.load(der, path, &config, &v.epoch) })
		})
	}
	v.runOCSP(ctx, t, &config)
	v.done.Go(func() {
		<-ctx.Done()
		f.client.CloseIdleConnections()
	})
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
		Transport:     transport,
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (f *fetcher) points() []*point {
	var points []*point
	for _, a := range f.trust.order {
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
			f.config.Log.Warn("CRL not fetched", slog.String("address", p.address), slog.Any("error", err), slog.Int("failures", p.failures))
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
	wait := f.config.CRL.Refresh
	if p.failures > 0 {
		wait = min(wait, minBackOff<<min(p.failures-1, 16))
	} else if lists := p.authority.slot.current(); len(lists) > 0 {
		left := lists[0].nextUpdate.Sub(f.config.Now())
		wait = min(wait, max(left/2, minRefresh))
	}
	return wait/2 + rand.N(wait/2+1)
}

// fetch fetches one distribution point once.
func (f *fetcher) fetch(ctx context.Context, p *point) error {
	der, err := f.get(ctx, p)
	if err == nil && der != nil {
		err = f.trust.load(der, p.address, f.config, f.epoch)
	}
	if err != nil {
		p.failures++
		p.etag, p.modified = "", "" // what was refused must not be taken for unchanged
	} else {
		p.failures = 0
	}
	if ctx.Err() == nil {
		p.authority.slot.tried(f.config.Now(), err)
	}
	return err
}

// get gives the CRL in DER, or nothing when the server says that it has not changed.
func (f *fetcher) get(ctx context.Context, p *point) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address, nil)
	if err != nil {
		return nil, refuse(Malformed, err)
	}
	request.Header.Set("Accept", "application/pkix-crl")
	request.Header.Set("User-Agent", "sceau")
	if p.etag != "" {
		request.Header.Set("If-None-Match", p.etag)
	}
	if p.modified != "" {
		request.Header.Set("If-Modified-Since", p.modified)
	}
	response, err := f.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, refuse(Unavailable, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && (p.etag != "" || p.modified != ""):
		return nil, nil
	case response.StatusCode != http.StatusOK:
		return nil, refuse(Unavailable, fmt.Errorf("HTTP status %d", response.StatusCode))
	case response.ContentLength > f.config.CRL.MaxBytes:
		return nil, refuse(TooLarge, fmt.Errorf("CRL of %d octets", response.ContentLength))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, f.config.CRL.MaxBytes+1))
	if err != nil {
		return nil, refuse(Unavailable, err)
	}
	if int64(len(body)) > f.config.CRL.MaxBytes {
		return nil, refuse(TooLarge, errors.New("CRL"))
	}
	p.etag, p.modified = response.Header.Get("ETag"), response.Header.Get("Last-Modified")
	return splitLists(body)[0], nil
}

// Fetch fetches every distribution point now, at once, and waits for all. The
// error joins those of the points that failed.
func (v *Verifier) Fetch(ctx context.Context) error {
	v.mu.Lock()
	config := v.config
	t := v.trust.Load()
	v.mu.Unlock()
	f := &fetcher{trust: t, config: &config, epoch: &v.epoch, client: newClient(&config.CRL)}
	defer f.client.CloseIdleConnections()
	points := f.points()
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
