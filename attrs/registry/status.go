package registry

import (
	"context"
	"fmt"
	"time"

	"sceau/attrs"
)

// Status is what a registry says about itself.
type Status struct {
	Facts    int64 // rows
	Subjects int64
	Last     Import // the zero Import if there was none
}

// Import is the trace of one import.
type Import struct {
	Epoch                           int64
	At                              time.Time
	Mode                            Mode
	Digest                          [32]byte // SHA-256 of the octets imported
	Rows, Added, Removed, Unchanged int64
	Facts                           int64 // in all, afterwards
}

// Health says why the registry cannot answer now, or nil: it looks at the file and reads it as a query would.
func (r *Registry) Health(ctx context.Context) error {
	if err := r.Refresh(ctx); err != nil {
		return attrs.Unavailable(ctx, r.config.ID, err)
	}
	if _, err := r.read(ctx, nil, r.config.Now()); err != nil {
		return attrs.Unavailable(ctx, r.config.ID, err)
	}
	return nil
}

// Status counts what the registry holds. It reads all of it: for people, not for each request.
func (r *Registry) Status(ctx context.Context) (Status, error) {
	v := r.view.Load()
	if v.down != nil {
		return Status{}, attrs.Unavailable(ctx, r.config.ID, v.down)
	}
	var s Status
	err := v.reader.db.QueryRowContext(ctx,
		`SELECT count(*), count(DISTINCT subject_type || ' ' || subject) FROM fact`).Scan(&s.Facts, &s.Subjects)
	if err != nil {
		return Status{}, attrs.Unavailable(ctx, r.config.ID, err)
	}
	if s.Last, err = v.reader.last(ctx); err != nil {
		return Status{}, attrs.Unavailable(ctx, r.config.ID, err)
	}
	return s, nil
}

// last reads the trace of the last import.
func (f *reader) last(ctx context.Context) (i Import, err error) {
	rows, err := f.db.QueryContext(ctx,
		`SELECT epoch, at, mode, digest, rows, added, removed, unchanged, facts FROM import ORDER BY epoch DESC LIMIT 1`)
	if err != nil {
		return Import{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		var mode string
		var digest []byte
		if err := rows.Scan(&i.Epoch, &at, &mode, &digest, &i.Rows, &i.Added, &i.Removed, &i.Unchanged, &i.Facts); err != nil {
			return Import{}, err
		}
		i.At = time.UnixMicro(at).UTC()
		if i.Mode, err = ParseMode(mode); err != nil || len(digest) != len(i.Digest) {
			return Import{}, fmt.Errorf("the trace of import %d is not one", i.Epoch)
		}
		copy(i.Digest[:], digest)
	}
	return i, rows.Err()
}
