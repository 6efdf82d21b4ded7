package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"sceau/audit"
	"sceau/soap"
)

// restoreReplay remembers the messages that the journal holds and whose Timestamps may still be fresh: without it a message
// could be sent again after a restart (attacks.md R2).
func (c *config) restoreReplay(p *program) error {
	life := time.Duration(c.Timestamp.MaxLifetime) + 2*time.Duration(c.Timestamp.Skew)
	now := time.Now()
	for entry, err := range audit.List(c.path(c.Audit.Dir), audit.Query{Since: now.Add(-life)}) {
		if err != nil {
			return fmt.Errorf("audit: reading back what was admitted: %w", err)
		}
		var digest [32]byte
		if n, err := hex.Decode(digest[:], []byte(entry.Message)); err != nil || n != len(digest) {
			continue // a record of a message that nobody was proven to have sent
		}
		if err := p.replay.Remember(digest, now.Add(life), now); err != nil && !errors.Is(err, soap.ErrReplayed) {
			return fmt.Errorf("replay-capacity: restoring what the audit trail says was admitted: %w", err)
		}
	}
	return nil
}
