package sts

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"sceau/audit"
	"sceau/soap"
)

// A Message is a request as the transport received it.
type Message struct {
	Body []byte // read only, and only until AttributeQuery returns
	// Action is the SOAPAction header, without its quotes; HasAction tells an empty
	// one from none.
	Action []byte
	Remote audit.RemoteClass
}

// An Answer is what the transport sends back.
type Answer struct {
	Status int    // of HTTP: 200, or 500 for a fault
	Body   []byte // dst, extended
	Audit  audit.ID
}

// A Service is the token service. New makes it; it is safe for concurrent use.
type Service struct {
	settings atomic.Pointer[settings]
	roads    sync.Pool
}

// settings are a Config that was checked. Immutable.
type settings struct {
	Config
	clientNames   map[string]bool
	acceptClaimed map[string]bool
}

// New returns a Service, or an error that lists everything wrong with config.
func New(config Config) (*Service, error) {
	s := &Service{}
	s.roads.New = func() any { return new(road) }
	if err := s.Replace(config); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace changes the configuration for the requests that begin from now on. On
// error the old one stays.
func (s *Service) Replace(config Config) error {
	if err := s.Check(config); err != nil {
		return err
	}
	config.Security.Tokens = []soap.TokenKind{soap.X509}
	if config.Issuer == "" {
		config.Issuer = IssuerName
	}
	if config.MaxDesignators == 0 {
		config.MaxDesignators = 64
	}
	if config.BackDate == 0 {
		config.BackDate = 5 * time.Minute
	}
	config.BackDate = max(config.BackDate, 0)
	if config.Now == nil {
		config.Now = time.Now
	}
	next := &settings{Config: config, clientNames: set(config.ClientNames), acceptClaimed: set(config.AcceptClaimed)}
	s.settings.Store(next)
	return nil
}

// Check says why Replace would refuse a configuration, nil when it would not. The skew
// of clocks cannot grow: messages are remembered as long as the skew of their time lets
// them be fresh, and would be fresh again when it grows (attacks.md R2).
func (s *Service) Check(config Config) error {
	err := config.check()
	if now := s.settings.Load(); now != nil && config.Security.Timestamp.Skew > now.Security.Timestamp.Skew {
		err = errors.Join(err, errors.New("sts: the clock skew cannot grow without a restart"))
	}
	return err
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// AttributeQuery answers one message and appends the answer to dst.
func (s *Service) AttributeQuery(ctx context.Context, message *Message, dst []byte) Answer {
	r := s.roads.Get().(*road)
	r.begin(s.settings.Load(), message)
	ended := false
	defer func() {
		if !ended { // a panic goes on to the transport; the request is on record all the same
			r.abandoned(ctx)
		}
	}()
	out, err := r.walk(ctx, message, dst)
	answer := r.finish(ctx, out, len(dst), err)
	r.end()
	s.roads.Put(r)
	ended = true
	return answer
}

// walk is the road of a request. Every step takes what the one before it proved.
func (r *road) walk(ctx context.Context, message *Message, dst []byte) ([]byte, error) {
	var err error
	if r.envelope, err = soap.Parse(message.Body, &r.SOAP); err != nil {
		return dst, err
	}
	r.stage = "verify"
	if r.signed, err = r.envelope.Verify(&r.Security, r, r.now); err != nil { // r.Key identifies the signer
		return dst, err
	}
	r.event.Identity = party(r.identity)
	query, err := r.query(&r.signed, message)
	if err != nil {
		return dst, err
	}
	if r.confirmed, err = r.confirm(query); err != nil {
		return dst, err
	}
	if r.bound, err = r.bind(&r.confirmed); err != nil {
		return dst, err
	}
	if r.permitted, err = r.permit(ctx, &r.bound); err != nil {
		return dst, err
	}
	if r.certified, err = r.certify(ctx, &r.permitted); err != nil {
		return dst, err
	}
	return r.issue(ctx, &r.certified, dst)
}

// SignerNotAfter returns when the certificate of the present signer ends.
func (s *Service) SignerNotAfter() time.Time { return s.settings.Load().SignerNotAfter }
