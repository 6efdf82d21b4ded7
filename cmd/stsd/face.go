package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/cmd/stsd/face"
	"sceau/oidc/bridge"
	"sceau/oidc/control"
	"sceau/policy"
	"sceau/sts"
)

// shared is what the OpenID Connect face has in common with the token service.
func (s *system) shared() face.Shared {
	l, counts := latest{s}, s.counts
	if counts == nil {
		counts = new(control.Counts) // of a check, which opens no trail
	}
	return face.Shared{Verifier: s.verifier, Recorder: s.journal, Now: s.now, Log: s.log, Policy: l, Release: l, Attributes: l, Catalogue: s.catalogue, Signing: l.signing,
		Indicators: s.indicators, Counts: counts}
}

// indicators are what an authority reads of the program itself.
func (s *system) indicators() control.Indicators {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.config.indicators(s.faceTexts...)
}

// loadCounts counts what the trail holds, before it is written on.
func (s *system) loadCounts() error {
	s.counts = &control.Counts{}
	dir := s.config.path(s.config.Audit.Dir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := s.counts.Load(audit.List(dir, audit.Query{Service: audit.ServiceOIDC, Since: s.now().AddDate(0, 0, -control.MaxDays)}))
	return err
}

// oidcCodes are the errors that clients are told, for metrics.
var oidcCodes = []string{"access_denied", "consent_required", "interaction_required", "invalid_client", "invalid_grant", "invalid_request",
	"invalid_request_object", "invalid_scope", "invalid_target", "invalid_token", "login_required", "request_not_supported", "request_uri_not_supported",
	"server_error", "temporarily_unavailable", "unauthorized_client", "unmet_authentication_requirements", "unsupported_grant_type",
	"unsupported_response_type", "internal_error", "expired_token"}

// A latest asks the policies, sources and signing key that are in force at the moment.
type latest struct{ s *system }

func (l latest) rules() policy.PDP {
	l.s.mu.RLock()
	defer l.s.mu.RUnlock()
	return l.s.rules
}

// Exchange implements policy.ExchangePDP.
func (l latest) Exchange(ctx context.Context, r *policy.ExchangeRequest) (policy.Exchange, error) {
	if decides, ok := l.rules().(policy.ExchangePDP); ok {
		return decides.Exchange(ctx, r)
	}
	return policy.Exchange{}, nil // denied
}

// Release implements policy.PDP.
func (l latest) Release(ctx context.Context, r *policy.ReleaseRequest, d *policy.Release) error {
	return l.rules().Release(ctx, r, d)
}

// Resolve asks the sources.
func (l latest) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	l.s.mu.RLock()
	resolver := l.s.resolver
	l.s.mu.RUnlock()
	return resolver.Resolve(ctx, q, dst)
}

// signing is the key that signs assertions.
func (l latest) signing(time.Time) (bridge.Signing, error) {
	l.s.mu.RLock()
	signer := l.s.signer
	l.s.mu.RUnlock()
	made, err := sts.NewTokenSigner(signer, 0)
	if err != nil {
		return bridge.Signing{}, err
	}
	return bridge.Signing{Signer: made, NotBefore: signer.Certificate().NotBefore(), NotAfter: signer.Certificate().NotAfter()}, nil
}

// readFace reads the configuration of the face; nil where there is none.
func (s *system) readFace() (*face.Config, error) {
	if s.config.OIDC.V == "" {
		return nil, nil
	}
	c, err := face.Read(s.config.path(s.config.OIDC))
	if err == nil {
		s.mu.Lock()
		s.faceTexts = c.Texts()
		s.mu.Unlock()
	}
	return c, err
}

type unrecorded struct{}

func (unrecorded) Record(context.Context, *audit.Event) error {
	return errors.New("a check records nothing")
}

// checkFace makes the face and closes it.
func (s *system) checkFace(p *problems) {
	c, err := s.readFace()
	if err != nil || c == nil {
		if err != nil {
			p.add(s.config.OIDC.Line, "oidc: %v", err)
		}
		return
	}
	if s.verifier == nil {
		return // which was told
	}
	shared := s.shared()
	shared.Recorder = unrecorded{}
	f, err := face.New(c, shared)
	if err == nil {
		err = errors.Join(s.retains(f.RetainsAudit()), f.Close())
	}
	if err != nil {
		p.add(s.config.OIDC.Line, "oidc: %v", err)
	}
}

// openFace makes the face; it listens with serve.
func (s *system) openFace(p *problems) {
	c, err := s.readFace()
	if err == nil && c != nil {
		if s.face, err = face.New(c, s.shared()); err == nil {
			err = s.retains(s.face.RetainsAudit())
		}
	}
	if err != nil {
		p.add(s.config.OIDC.Line, "oidc: %v", err)
	}
}

// nextFace makes what a reload puts in force; nil where there is none, or none yet. Who does not put it in force discards it.
func (s *system) nextFace(old *system) (*face.Next, error) {
	c, err := s.readFace()
	if err != nil || old.face == nil {
		return nil, err
	}
	if c == nil { // it comes and goes with a restart alone: until then it is there, with what it asks of the trail and of the catalogue
		return nil, errors.Join(s.retains(old.face.RetainsAudit()), old.face.Lacks(s.catalogue))
	}
	next, err := old.face.Prepare(c, s.catalogue)
	if err != nil {
		return nil, err
	}
	if err := s.retains(next.RetainsAudit()); err != nil {
		return nil, errors.Join(err, next.Discard())
	}
	return next, nil
}

// retains refuses a trail that is removed too soon for the clients of the face.
func (s *system) retains(federated bool) error {
	if r := s.config.retention(); federated && r > 0 && r < control.LeastRetention {
		return fmt.Errorf("a client has the profile of Pro Santé Connect, and audit.retention is below %d days (EXI FI 36)", control.LeastRetention/(24*time.Hour))
	}
	return nil
}
