package wsc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Clock is how the clock of a server stands beside ours.
type Clock struct {
	// Server is what its Date said, in whole seconds.
	Server time.Time
	// Offset is how far the server's clock is ahead of ours; negative, behind.
	Offset time.Duration
	// Uncertainty bounds the error of Offset: half the time of the exchange, and half
	// a second for the fraction that Date does not have.
	Uncertainty time.Duration
}

// Within reports whether the two clocks may be no further apart than a limit, given
// the uncertainty.
func (c Clock) Within(limit time.Duration) bool { return c.Offset.Abs()-c.Uncertainty <= limit }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// CheckClock asks a server what time it is, by OPTIONS and the Date header, as the
// platform's connector does (wire document 1.4). Any HTTP status will do. A message
// with a Timestamp of a wrong clock is refused without a word about clocks, so it is
// worth asking before. TLS alone vouches for the answer.
func (c *Client) CheckClock(ctx context.Context, endpoint string) (Clock, error) {
	u, err := c.endpoint(endpoint)
	if err != nil {
		return Clock{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodOptions, u.String(), nil)
	if err != nil {
		return Clock{}, refuseFor(BadEndpoint, err)
	}
	before := c.config.Now()
	response, err := c.do(request)
	if err != nil {
		return Clock{}, err
	}
	after := c.config.Now()
	// The connection is used again when little is left to read on it.
	_, _ = io.CopyN(io.Discard, response.Body, 4096)
	response.Body.Close()
	server, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return Clock{}, refuse(NoDate, fmt.Sprintf("HTTP status %d", response.StatusCode))
	}
	half := after.Sub(before) / 2
	return Clock{
		Server:      server,
		Offset:      server.Add(time.Second / 2).Sub(before.Add(half)).Round(time.Millisecond),
		Uncertainty: half + time.Second/2,
	}, nil
}
