package certs

import (
	"context"
	"log/slog"
	"time"
)

// warnInterval is how often the lists are looked at for what an operator must know.
const warnInterval = time.Minute

// crlHealth is what is said of the lists of an authority: once when it changes, not
// again and again.
type crlHealth struct {
	state  CRLState
	soon   bool
	usable bool
}

// warn tells the log when the lists of an authority grow late, before they are, and when
// they are well again, until the context ends.
func (t *trust) warn(ctx context.Context, config *Config) {
	known := make([]crlHealth, len(t.order))
	for i := range known {
		known[i] = crlHealth{CRLFresh, false, true} // what is well from the start is not news
	}
	ticker := time.NewTicker(warnInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for i, a := range t.order {
			known[i] = a.tell(known[i], config)
		}
	}
}

// tell says what has changed since the last look.
func (a *authority) tell(before crlHealth, config *Config) crlHealth {
	s := a.status(config.Now(), config.CRL.Skew)
	now := crlHealth{s.State, s.Soon && s.State == CRLFresh, s.Usable()}
	if now == before || a.policy.Mode == Off && s.Lists == 0 {
		return now
	}
	attributes := []any{slog.String("authority", s.Subject), slog.String("state", s.State.String()), slog.String("revocation", s.Revocation.String())}
	if !s.NextUpdate.IsZero() {
		attributes = append(attributes, slog.Time("next_update", s.NextUpdate))
	}
	if err := s.LastError(); err != nil {
		attributes = append(attributes, slog.Any("error", err))
	}
	switch {
	case !now.usable:
		config.Log.Error("no usable CRL: certificates of this authority are refused", attributes...)
	case now.state != CRLFresh:
		config.Log.Warn("CRL is not fresh", attributes...)
	case now.soon:
		config.Log.Warn("CRL ends soon and the next has not come", attributes...)
	default:
		config.Log.Info("CRL is fresh again", attributes...)
	}
	return now
}
