package wsc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// An exchange is one message and what came back.
type exchange struct {
	status      int
	contentType string
	answer      []byte
	correlation string
}

// post sends a SOAP message and reads the answer (SOAP 1.1 section 6; wire document
// 1.4). One attempt: a signed message that is sent twice would be refused as
// replayed.
func (c *Client) post(ctx context.Context, u *url.URL, action string, message []byte) (*exchange, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(message))
	if err != nil {
		return nil, refuseFor(BadEndpoint, err)
	}
	// net/http repeats a request on a fresh connection when an idle one broke before
	// anything was read, unless it cannot have the body again.
	request.GetBody = nil
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	request.Header.Set("Accept", "text/xml")
	request.Header["SOAPAction"] = []string{`"` + action + `"`}
	response, err := c.do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	x := &exchange{status: response.StatusCode, contentType: response.Header.Get("Content-Type"), correlation: Printable([]byte(response.Header.Get("X-CorrelationID")))}
	if x.status >= 300 && x.status < 400 {
		return nil, refuse(Redirected, fmt.Sprintf("HTTP status %d", x.status))
	}
	if x.answer, err = c.read(response); err != nil {
		return nil, err
	}
	if len(x.answer) == 0 {
		return x, nil
	}
	return x, checkType(response)
}

// do carries a request, with the headers that all of ours bear.
func (c *Client) do(request *http.Request) (*http.Response, error) {
	request.Header.Set("User-Agent", c.config.UserAgent)
	if c.config.From != "" {
		request.Header.Set("From", c.config.From)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, transportError(request.Context(), err)
	}
	return response, nil
}

// read reads an answer up to the limit. A larger one is cut off, not buffered.
func (c *Client) read(response *http.Response) ([]byte, error) {
	if response.ContentLength > int64(c.config.MaxAnswer) {
		return nil, refuse(TooLarge, fmt.Sprintf("more than %d bytes", c.config.MaxAnswer))
	}
	if coding := response.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, refuse(NotXML, "compressed, which was not asked for")
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, int64(c.config.MaxAnswer)+1))
	if err != nil {
		return nil, transportError(response.Request.Context(), err)
	}
	if len(answer) > c.config.MaxAnswer {
		return nil, refuse(TooLarge, fmt.Sprintf("more than %d bytes", c.config.MaxAnswer))
	}
	return answer, nil
}

// checkType refuses what does not even claim to be XML in UTF-8: the error page of a
// proxy, MIME packages with parts (attacks.md D7, D9).
func checkType(response *http.Response) error {
	kind, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "text/xml" && kind != "application/xml" {
		return refuse(NotXML, fmt.Sprintf("HTTP status %d, Content-Type %q", response.StatusCode, Printable([]byte(response.Header.Get("Content-Type")))))
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return refuse(NotXML, fmt.Sprintf("charset %q", Printable([]byte(charset))))
	}
	return nil
}

// transportError sorts what net/http reports.
func transportError(ctx context.Context, err error) error {
	// Its text names method and address; the address is the caller's own.
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return refuseFor(Canceled, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return refuseFor(TimedOut, err)
	}
	return refuseFor(Unreachable, err)
}
