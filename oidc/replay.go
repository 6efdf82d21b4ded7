package oidc

import (
	"context"
	"encoding/hex"
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
