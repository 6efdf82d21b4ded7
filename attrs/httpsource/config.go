package httpsource

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/attrs/remote"
)

// Config says which service to ask and how.
type Config struct {
	ID string // names the source in answers, errors and the audit trail

	// Method is GET or POST; GET if empty.
	Method string

	// URLs are the addresses of requests, for each type of subject by which a mapped attribute may be asked, with placeholders
	// for the number: {ssin}, {nihii}, {cbe}, {ehp}, each a whole segment of the path or the whole value of a query parameter.
	// https, or http to loopback.
	URLs map[attrs.SubjectType]string

	// Bodies are, for POST, JSON texts in which a string that is a placeholder stands for the number. Numbers of persons are better
	// there than in addresses, which servers and proxies write into their logs.
	Bodies map[attrs.SubjectType]string

	TLS remote.TLS

	// TokenFile holds a bearer token (RFC 6750); it is read again when the file changes. Empty: none is sent.
	TokenFile string

	// Success are the statuses of an answer with a body; 200 if empty. NotFound are those that say that the service does not know
	// the subject; none if empty. Any other is an error.
	Success, NotFound []int

	// NotFoundAt and NotFoundIs tell the service's own "not found" from that of a gateway whose service is gone: its body
	// must be JSON that has one of the texts at the path. Without them the status alone counts.
	NotFoundAt string
	NotFoundIs []string

	// ContentTypes are what an answer may be; application/json if empty.
	ContentTypes []string

	// Echo says where in an answer the number that was asked about must stand, by the name of its placeholder: "ssin" and a path
	// as in a Mapping. An answer about somebody else, which a cache or a proxy in disorder may give, is an error then, and so is
	// one without the number. Every number that is found must be the one, a string. Empty: the answer is taken to be about
	// whom the request was.
	Echo map[string]string

	Mappings []Mapping

	// TTL is how long an answer is good at most. It must be positive. With CacheControl it is not good for longer than its
	// max-age less its Age either (RFC 9111 section 4.2).
	TTL          time.Duration
	CacheControl bool

	// HealthURL, of a host of URLs, answers with one of Success while the service is well. Empty: Health only connects.
	HealthURL string

	// Timeout bounds one request. DefaultTimeout if zero.
	Timeout time.Duration

	// MaxConnections bounds the connections to one host; IdleTimeout is how long one is kept. Defaults if zero.
	MaxConnections int
	IdleTimeout    time.Duration

	// MaxBytes and MaxDepth bound the body of an answer. Defaults if zero.
	MaxBytes int64
	MaxDepth int

	// Now gives the time of retrieval and judges certificates; time.Now if nil.
	Now func() time.Time
}

// Defaults of Config.
const (
	DefaultTimeout        = time.Second
	DefaultMaxConnections = 16
	DefaultIdleTimeout    = time.Minute
	DefaultMaxBytes       = 256 << 10
	DefaultMaxDepth       = 32

	maxBodyDepth = 16 // of Bodies
)

func (c *Config) defaults() {
	if c.Method == "" {
		c.Method = http.MethodGet
	}
	if len(c.Success) == 0 {
		c.Success = []int{http.StatusOK}
	}
	if len(c.ContentTypes) == 0 {
		c.ContentTypes = []string{"application/json"}
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = DefaultIdleTimeout
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.MaxDepth == 0 {
		c.MaxDepth = DefaultMaxDepth
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// check says what of the configuration alone cannot be, all at once.
func (c *Config) check() error {
	var wrong []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	refuse(c.ID == "", "no ID")
	refuse(c.Method != http.MethodGet && c.Method != http.MethodPost, "method %q: want GET or POST", c.Method)
	refuse(len(c.URLs) == 0, "no URL")
	refuse(len(c.Bodies) > 0 && c.Method != http.MethodPost, "a body goes with POST")
	refuse(len(c.Mappings) == 0, "no attribute is mapped")
	refuse(c.TTL <= 0, "no time to live")
	refuse(min(c.Timeout, c.IdleTimeout) < 0, "a negative time")
	refuse(c.MaxConnections < 0 || c.MaxBytes < 0 || c.MaxDepth < 0, "a negative limit")
	for _, status := range c.Success {
		// Without a body, or with a part of one, nothing is answered.
		refuse(status < 200 || status > 299 || status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusPartialContent,
			"status %d is no success with an answer", status)
	}
	for _, status := range c.NotFound {
		refuse(status != http.StatusNotFound && status != http.StatusGone && status != http.StatusNoContent || slices.Contains(c.Success, status),
			"status %d does not say that a subject is not known: want 404, 410 or 204", status)
	}
	refuse((c.NotFoundAt == "") != (len(c.NotFoundIs) == 0), "a condition on not found is a path and what must stand there")
	refuse(c.NotFoundAt != "" && len(c.NotFound) == 0, "a condition on not found without a status")
	for t := range c.Bodies {
		refuse(c.URLs[t] == "", "a body for %s, and no URL", t)
	}
	return errors.Join(wrong...)
}
