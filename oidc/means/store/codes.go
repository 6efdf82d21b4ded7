package store

import (
	"context"
	"database/sql"
	"errors"

	"sceau/oidc/authn"
	"sceau/oidc/means/totp"
)

// Codes are the secrets and steps of one-time codes. It is a totp.Secrets and a totp.Steps.
type Codes struct {
	store *Store
	seal  *totp.Seal
}

// Codes gives them, with the key that opens them.
func (s *Store) Codes(seal *totp.Seal) *Codes { return &Codes{s, seal} }

// Secret implements totp.Secrets.
func (c *Codes) Secret(ctx context.Context, a *authn.Account) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.store.timeout)
	defer cancel()
	var sealed string
	err := c.store.db.QueryRowContext(ctx, `SELECT sealed FROM code_secret WHERE establishment = $1 AND account = $2`, c.store.of, a.ID).Scan(&sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, totp.ErrNotEnrolled
	case err != nil:
		return nil, outage(err)
	}
	return totp.OpenText(c.seal, a.ID, sealed)
}

// Use implements totp.Steps.
func (c *Codes) Use(ctx context.Context, account string, step int64) (bool, error) {
	n, err := c.store.exec(ctx, `INSERT INTO code_step (establishment, account, step) VALUES ($1, $2, $3)
		ON CONFLICT (establishment, account) DO UPDATE SET step = excluded.step WHERE code_step.step < excluded.step`, c.store.of, account, step)
	return n == 1, err
}

// Enrol gives an account a secret, in place of another: an administrator does it, and the person learns it by another way.
func (c *Codes) Enrol(ctx context.Context, account string, secret []byte) error {
	sealed, err := totp.SealText(c.seal, account, secret)
	if err != nil {
		return err
	}
	_, err = c.store.exec(ctx, `INSERT INTO code_secret (establishment, account, sealed) VALUES ($1, $2, $3)
		ON CONFLICT (establishment, account) DO UPDATE SET sealed = excluded.sealed`, c.store.of, account, sealed)
	return err
}

// Remove takes the secret of an account away; that there is none is no error. What was used stays known.
func (c *Codes) Remove(ctx context.Context, account string) error {
	_, err := c.store.exec(ctx, `DELETE FROM code_secret WHERE establishment = $1 AND account = $2`, c.store.of, account)
	return err
}

var (
	_ totp.Secrets = (*Codes)(nil)
	_ totp.Steps   = (*Codes)(nil)
)
