package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Steps keeps in a Store which steps of the one-time codes of an establishment were taken (totp.Steps): of all replicas that share
// it, one takes a code.
type Steps struct {
	Store  Store
	Tenant string
}

// stepLife is for how long a step is remembered: longer than any verifier takes its code.
const stepLife = time.Hour

// Use implements totp.Steps.
func (s Steps) Use(ctx context.Context, account string, step int64) (bool, error) {
	key := s.Tenant + "/totp/" + digest(account)
	value, err := json.Marshal(step)
	if err != nil {
		return false, err
	}
	for range 10 {
		old, err := s.Store.Get(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			if added, err := s.Store.Add(ctx, key, value, time.Now().Add(stepLife)); err != nil || added {
				return added, err
			}
			continue // another was first: see which
		case err != nil:
			return false, err
		}
		var last int64
		if err := json.Unmarshal(old, &last); err != nil {
			return false, err
		}
		if step <= last {
			return false, nil
		}
		if swapped, err := s.Store.Swap(ctx, key, old, value, time.Now().Add(stepLife)); err != nil || swapped {
			return swapped, err
		}
	}
	return false, errors.New("oidc: an account whose codes are tried by too many at once")
}
