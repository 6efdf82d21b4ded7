package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// A Consent is what a person agreed to once: that a client gets these scopes, under these terms.
type Consent struct {
	// ID is random. A grant that stands on a consent has it, and ends with it.
	ID     string   `json:"id"`
	Client string   `json:"client"`
	Scopes []string `json:"scopes"`
	// Terms is the address of the terms that were accepted; empty where there were none.
	Terms string    `json:"terms,omitempty"`
	Given time.Time `json:"given"`
	Until time.Time `json:"until"`
	// What is the digest of all that was agreed to.
	What string `json:"what"`
}

// Consents are what the persons of an establishment have agreed to, in a Store: a value for each account. It is safe for concurrent
// use, and shared by all replicas that share the Store.
type Consents struct {
	Store  Store
	Tenant string
	Now    func() time.Time // nil: time.Now
}

const (
	// consentLifetime is how long a consent is remembered.
	consentLifetime = 365 * 24 * time.Hour
	// maxConsents bounds those of one account: the oldest is forgotten first, and asked for again.
	maxConsents = 256
	// withdrawnLife is for how long it is remembered that a consent was withdrawn: longer than any grant lives (maxAge).
	withdrawnLife = 31 * 24 * time.Hour
)

func (c Consents) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c Consents) state() *state { return &state{store: c.Store, prefix: c.Tenant, now: c.now} }

func (c Consents) key(account string) string { return c.state().key("consents", account) }

// Of gives the consents of an account that are in force, the oldest first.
func (c Consents) Of(ctx context.Context, account string) ([]Consent, error) {
	all, _, err := c.read(ctx, account)
	return all, err
}

// read gives them with what stands in the Store, which is nil where nothing does.
func (c Consents) read(ctx context.Context, account string) (all []Consent, stored []byte, err error) {
	stored, err = c.Store.Get(ctx, c.key(account))
	if errors.Is(err, ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(stored, &all); err != nil {
		return nil, nil, err
	}
	now := c.now()
	return slices.DeleteFunc(all, func(one Consent) bool { return !now.Before(one.Until) }), stored, nil
}

// change writes what change makes of the consents of an account. Another request may write them at the same time: nothing of either
// is lost.
func (c Consents) change(ctx context.Context, account string, change func([]Consent) []Consent) error {
	for range tries {
		all, stored, err := c.read(ctx, account)
		if err != nil {
			return err
		}
		all = change(all)
		text, err := json.Marshal(all)
		if err != nil {
			return err
		}
		until := c.now().Add(time.Minute)
		for _, one := range all {
			if one.Until.After(until) {
				until = one.Until
			}
		}
		var written bool
		if stored == nil {
			written, err = c.Store.Add(ctx, c.key(account), text, until)
		} else {
			written, err = c.Store.Swap(ctx, c.key(account), stored, text, until)
		}
		if written || err != nil {
			return err
		}
	}
	return errBusy
}

// give adds a consent. One to the same that is in force stays the same, and is remembered for longer.
func (c Consents) give(ctx context.Context, account string, given Consent) error {
	given.ID, given.Given = random(), c.now()
	given.Until = given.Given.Add(consentLifetime)
	if kept, err := c.find(ctx, account, given.What); err != nil {
		return err
	} else if kept != nil {
		given.ID = kept.ID
	}
	return c.change(ctx, account, func(all []Consent) []Consent {
		all = append(slices.DeleteFunc(all, func(one Consent) bool { return one.What == given.What }), given)
		return slices.Delete(all, 0, max(0, len(all)-maxConsents))
	})
}

// find gives the consent to what has this digest, or nil.
func (c Consents) find(ctx context.Context, account, what string) (*Consent, error) {
	all, _, err := c.read(ctx, account)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(one Consent) bool { return one.What == what })
	if i < 0 {
		return nil, nil
	}
	if over, err := c.state().marked(ctx, "withdrawn", all[i].ID); over || err != nil { // it is being withdrawn, or that was not finished
		return nil, err
	}
	return &all[i], nil
}

// Withdraw takes back what an account consented to, for a client or, where that is empty, for all. It gives what was withdrawn. Grants
// that stand on it are good no longer, in whatever session they were given, and neither is what a request that has begun
// is about to give; an access token that its receiver verifies by itself lives until its end.
func (c Consents) Withdraw(ctx context.Context, account, client string) ([]Consent, error) {
	all, _, err := c.read(ctx, account)
	if err != nil {
		return nil, err
	}
	gone := map[string]bool{}
	all = slices.DeleteFunc(all, func(one Consent) bool { return client != "" && one.Client != client })
	for _, one := range all {
		// First the grants: what is withdrawn by half can be withdrawn again.
		if err := c.Store.Put(ctx, c.state().key("withdrawn", one.ID), []byte{1}, c.now().Add(withdrawnLife)); err != nil {
			return nil, err
		}
		gone[one.ID] = true
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, c.change(ctx, account, func(now []Consent) []Consent {
		return slices.DeleteFunc(now, func(one Consent) bool { return gone[one.ID] })
	})
}

func (p *Provider) consentsOf() Consents { return Consents{p.state.store, p.config.Tenant, p.now} }

// asked is the consent that a request asks for. What it is about follows from person, client, scopes and terms: whoever changes one of
// them asks again.
func (v *visit) asked() Consent {
	scopes := strings.Fields(v.as.Scopes)
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	terms := v.client.TermsURL()
	what := digest(strings.Join([]string{v.subject(&v.session.Account), v.client.ID(), strings.Join(scopes, " "), terms}, "\x00"))
	return Consent{Client: v.client.ID(), Scopes: scopes, Terms: terms, What: what}
}
