package oidc

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"sceau/oidc/client"
)

// Replay is a client.ReplayState in a Store: of all replicas that share it, one takes an assertion. Tenant is the establishment's.
func Replay(s Store, tenant string) client.ReplayState { return replay{s, tenant} }

type replay struct {
	store  Store
	tenant string
}

// replayWait bounds how long the store is waited for.
const replayWait = 5 * time.Second

func (r replay) Remember(digest [32]byte, until, _ time.Time) error {
	ctx, stop := context.WithTimeout(context.Background(), replayWait)
	defer stop()
	first, err := r.store.Add(ctx, r.tenant+"/assertion/"+hex.EncodeToString(digest[:]), []byte{1}, until)
	if err != nil {
		return err
	}
	if !first {
		return client.ErrReplayed
	}
	return nil
}

// Authenticators remembers in a Store those of Kerberos (kerberos.Seen). It belongs to no establishment: several of one host have one
// service and one keytab, and what one took none takes again. It outlives what is replaced when a configuration is read anew.
type Authenticators struct{ Store Store }

// Transactions keeps in a Store the questions to wallets (wallet.Store): the replica that a wallet answers need not be the one that asked it.
type Transactions struct {
	Store  Store
	Tenant string
}

func (t Transactions) key(key string) string { return t.Tenant + "/wallet/" + key }

// Put implements wallet.Store. What strangers keep so is counted with their attempts: see attemptRoom.
func (t Transactions) Put(ctx context.Context, key string, value []byte, until time.Time) error {
	return t.Store.Put(ctx, t.key(key), value, until)
}

// Get implements wallet.Store.
func (t Transactions) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := t.Store.Get(ctx, t.key(key))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return value, err
}

// Swap implements wallet.Store.
func (t Transactions) Swap(ctx context.Context, key string, old, value []byte, until time.Time) (bool, error) {
	return t.Store.Swap(ctx, t.key(key), old, value, until)
}

// Add implements kerberos.Seen.
func (a Authenticators) Add(authenticator [32]byte, _ time.Time, keep time.Duration) (fresh bool, err error) {
	ctx, stop := context.WithTimeout(context.Background(), replayWait)
	defer stop()
	return a.Store.Add(ctx, "/authenticator/"+hex.EncodeToString(authenticator[:]), []byte{1}, time.Now().Add(keep)) // no tenant is empty
}

// consume refuses what bears an identifier that was used before.
func (p *Provider) consume(ctx context.Context, jti string) error {
	first, err := p.state.once(ctx, "jti", jti, p.now().Add(time.Hour))
	if err != nil {
		return err
	}
	if !first {
		return errors.New("oidc: an identifier that was used before")
	}
	return nil
}
