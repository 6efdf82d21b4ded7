package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sceau/audit"
	"sceau/cmd/stsd/face"
)

// shared is what the OpenID Connect face has in common with the token service.
func (s *system) shared() face.Shared {
	return face.Shared{Verifier: s.verifier, Recorder: s.journal, Now: s.now, Log: s.log}
}

// readFace reads the configuration of the face; nil where there is none.
func (s *system) readFace() (*face.Config, error) {
	if s.config.OIDC.V == "" {
		return nil, nil
	}
	return face.Read(s.config.path(s.config.OIDC))
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

// nextFace reads and checks the configuration that a reload puts in force; nil where there is none, or none yet.
func (s *system) nextFace(old *system) (*face.Config, error) {
	c, err := s.readFace()
	if err != nil || c == nil || old.face == nil {
		return nil, err
	}
	retain, err := old.face.Check(c)
	if err == nil {
		err = s.retains(retain)
	}
	return c, err
}

// federatedRetention is how long the trail is kept at least where persons are identified to Pro Santé Connect: three months (EXI FI 36).
const federatedRetention = 92 * 24 * time.Hour

// retains refuses a trail that is removed too soon for the clients of the face.
func (s *system) retains(federated bool) error {
	if r := s.config.retention(); federated && r > 0 && r < federatedRetention {
		return fmt.Errorf("a client has the profile of Pro Santé Connect, and audit.retention is below %d days (EXI FI 36)", federatedRetention/(24*time.Hour))
	}
	return nil
}
