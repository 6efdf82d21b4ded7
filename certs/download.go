package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// smallBody is what every distribution point may send at once. The body of a list that is
// longer, and what is made of it, takes memory that all points share.
const smallBody = 1 << 20

// largeBodies is how many lists of more than smallBody are in memory at once: a place for
// each. However many distribution points answer with as much as they may, at a start or by
// whoever stands between, what they take stays within a few times CRLConfig.MaxBytes.
type largeBodies chan struct{}

func newLargeBodies() largeBodies { return make(largeBodies, 2) }

// download is the fetching of one list, until it is loaded. Its deadline stands still while
// it waits for a place: that is none of its server's doing.
type download struct {
	*fetcher
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	placed bool
}

func (f *fetcher) begin(ctx context.Context) *download {
	d := &download{fetcher: f}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.timer = time.AfterFunc(f.load.config.CRL.Timeout, func() {
		d.cancel(fmt.Errorf("nothing, or not all, within %v", f.load.config.CRL.Timeout))
	})
	return d
}

// end gives the place back. It comes when what was read is needed no more.
func (d *download) end() {
	d.timer.Stop()
	d.cancel(nil)
	if d.placed {
		<-d.large
	}
}

// place waits for a place. The body after it has the whole time of a fetch.
func (d *download) place() error {
	if !d.timer.Stop() {
		return context.Cause(d.ctx)
	}
	select {
	case d.large <- struct{}{}:
		d.placed = true
		d.timer.Reset(d.load.config.CRL.Timeout)
		return nil
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
}

// get gives the CRL in DER, or nothing when the server says that it has not changed.
func (d *download) get(p *point) (der []byte, said validators, err error) {
	request, err := http.NewRequestWithContext(d.ctx, http.MethodGet, p.address, nil)
	if err != nil {
		return nil, said, refuse(Malformed, err)
	}
	request.Header.Set("Accept", "application/pkix-crl")
	request.Header.Set("User-Agent", "sceau")
	if p.ETag != "" {
		request.Header.Set("If-None-Match", p.ETag)
	}
	if p.LastModified != "" {
		request.Header.Set("If-Modified-Since", p.LastModified)
	}
	response, err := d.client.Do(request)
	if err != nil {
		return nil, said, d.unavailable(err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && p.validators != (validators{}):
		return nil, said, nil
	case response.StatusCode != http.StatusOK:
		return nil, said, refuse(Unavailable, fmt.Errorf("HTTP status %d", response.StatusCode))
	}
	body, err := d.body(response)
	if err != nil {
		return nil, said, err
	}
	said = validators{ETag: response.Header.Get("ETag"), LastModified: response.Header.Get("Last-Modified")}
	return splitLists(body)[0], said, nil
}

// body reads a body of at most MaxBytes, what is beyond smallBody when there is a place for it.
func (d *download) body(response *http.Response) ([]byte, error) {
	limit := d.load.config.CRL.MaxBytes
	if response.ContentLength > limit {
		return nil, refuse(TooLarge, fmt.Errorf("CRL of %d octets", response.ContentLength))
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(response.Body, min(smallBody, limit)+1)); err != nil {
		return nil, d.unavailable(err)
	}
	if int64(body.Len()) > min(smallBody, limit) && limit > smallBody {
		if err := d.place(); err != nil {
			return nil, d.unavailable(err)
		}
		body.Grow(int(max(response.ContentLength-int64(body.Len()), 0)) + bytes.MinRead)
		if _, err := body.ReadFrom(io.LimitReader(response.Body, limit+1-int64(body.Len()))); err != nil {
			return nil, d.unavailable(err)
		}
	}
	if int64(body.Len()) > limit {
		return nil, refuse(TooLarge, errors.New("CRL"))
	}
	return body.Bytes(), nil
}

// unavailable says why a server gave nothing, without its address, which is told beside it.
func (d *download) unavailable(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if d.ctx.Err() != nil {
		err = context.Cause(d.ctx)
	}
	return refuse(Unavailable, err)
}
