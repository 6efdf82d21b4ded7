package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"sceau/oidc/means/passkey"
)

func text(octets []byte) string { return base64.RawURLEncoding.EncodeToString(octets) }

func octets(text string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(text) }

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

const passkeyColumns = `id, account, handle, label, made_by, created, used, revoked, record`

// errBroken says that a row is not what this package writes.
var errBroken = errors.New("store of means: a row that cannot be read")

func scanPasskey(scan func(...any) error) (*passkey.Passkey, error) {
	var p passkey.Passkey
	var id, handle, record string
	var created, used int64
	var revoked int
	if err := scan(&id, &p.Account, &handle, &p.Label, &p.By, &created, &used, &revoked, &record); err != nil {
		return nil, err
	}
	p.Created, p.Used, p.Revoked = moment(created), moment(used), revoked != 0
	var errs [3]error
	p.ID, errs[0] = octets(id)
	p.Handle, errs[1] = octets(handle)
	errs[2] = json.Unmarshal([]byte(record), &p.Record)
	if errors.Join(errs[:]...) != nil || string(p.Record.ID) != string(p.ID) {
		return nil, errBroken
	}
	return &p, nil
}

// Passkey implements passkey.Store.
func (s *Store) Passkey(ctx context.Context, id []byte) (*passkey.Passkey, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	p, err := scanPasskey(s.db.QueryRowContext(ctx, `SELECT `+passkeyColumns+` FROM passkey WHERE establishment = $1 AND id = $2`, s.of, text(id)).Scan)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, passkey.ErrUnknown
	case err != nil:
		return nil, outage(err)
	}
	return p, nil
}

// Of implements passkey.Store.
func (s *Store) Of(ctx context.Context, account string) (all []passkey.Passkey, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := s.db.QueryContext(ctx, `SELECT `+passkeyColumns+` FROM passkey WHERE establishment = $1 AND account = $2 ORDER BY created, id`, s.of, account)
	if err != nil {
		return nil, outage(err)
	}
	defer rows.Close()
	for rows.Next() {
		p, err := scanPasskey(rows.Scan)
		if err != nil {
			return nil, outage(err)
		}
		all = append(all, *p)
	}
	if err := rows.Err(); err != nil {
		return nil, outage(err)
	}
	return all, nil
}

// Add implements passkey.Store.
func (s *Store) Add(ctx context.Context, p *passkey.Passkey) error {
	record, err := json.Marshal(p.Record)
	if err != nil {
		return err
	}
	n, err := s.exec(ctx, `INSERT INTO passkey (establishment, `+passkeyColumns+`, counter) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10) ON CONFLICT DO NOTHING`,
		s.of, text(p.ID), p.Account, text(p.Handle), p.Label, p.By, seconds(p.Created), seconds(p.Used), string(record), int64(p.Record.Authenticator.SignCount))
	if err == nil && n == 0 {
		err = passkey.ErrTaken
	}
	return err
}

// Use implements passkey.Store.
func (s *Store) Use(ctx context.Context, p *passkey.Passkey, before uint32) (bool, error) {
	record, err := json.Marshal(p.Record)
	if err != nil {
		return false, err
	}
	n, err := s.exec(ctx, `UPDATE passkey SET record = $1, counter = $2, used = $3 WHERE establishment = $4 AND id = $5 AND counter = $6 AND revoked = 0`,
		string(record), int64(p.Record.Authenticator.SignCount), seconds(p.Used), s.of, text(p.ID), int64(before))
	return n == 1, err
}

// Revoke implements passkey.Store.
func (s *Store) Revoke(ctx context.Context, id []byte) error {
	n, err := s.exec(ctx, `UPDATE passkey SET revoked = 1 WHERE establishment = $1 AND id = $2`, s.of, text(id))
	if err == nil && n == 0 {
		err = passkey.ErrUnknown
	}
	return err
}

// AddTicket implements passkey.Store.
func (s *Store) AddTicket(ctx context.Context, t *passkey.Ticket, now time.Time) error {
	if _, err := s.exec(ctx, `DELETE FROM passkey_ticket WHERE establishment = $1 AND expires < $2`, s.of, now.Unix()); err != nil {
		return err
	}
	_, err := s.exec(ctx, `INSERT INTO passkey_ticket (establishment, digest, account, label, made_by, expires, state) VALUES ($1, $2, $3, $4, $5, $6, '')`,
		s.of, text(t.Digest[:]), t.Account, t.Label, t.By, t.Expires.Unix())
	return err
}

// Ticket implements passkey.Store.
func (s *Store) Ticket(ctx context.Context, digest [32]byte) (*passkey.Ticket, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	t := passkey.Ticket{Digest: digest}
	var expires int64
	var state string
	err := s.db.QueryRowContext(ctx, `SELECT account, label, made_by, expires, state FROM passkey_ticket WHERE establishment = $1 AND digest = $2`, s.of, text(digest[:])).
		Scan(&t.Account, &t.Label, &t.By, &expires, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, passkey.ErrUnknown
	case err != nil:
		return nil, outage(err)
	}
	t.Expires = moment(expires)
	if state != "" {
		t.State = []byte(state)
	}
	return &t, nil
}

// Begin implements passkey.Store.
func (s *Store) Begin(ctx context.Context, digest [32]byte, state []byte) error {
	n, err := s.exec(ctx, `UPDATE passkey_ticket SET state = $1 WHERE establishment = $2 AND digest = $3`, string(state), s.of, text(digest[:]))
	if err == nil && n == 0 {
		err = passkey.ErrUnknown
	}
	return err
}

// Take implements passkey.Store.
func (s *Store) Take(ctx context.Context, digest [32]byte) error {
	n, err := s.exec(ctx, `DELETE FROM passkey_ticket WHERE establishment = $1 AND digest = $2`, s.of, text(digest[:]))
	if err == nil && n == 0 {
		err = passkey.ErrUnknown
	}
	return err
}

var _ passkey.Store = (*Store)(nil)
