package registry

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"sceau/attrs"
)

// ExportCSV writes all facts as ImportCSV reads them, ordered by subject, attribute and time, from one state of the
// registry. It gives the number of rows. Importing the text in mode replace gives the same registry.
func (r *Registry) ExportCSV(ctx context.Context, out io.Writer) (int, error) {
	v := r.view.Load()
	if v.down != nil {
		return 0, attrs.Unavailable(ctx, r.config.ID, v.down)
	}
	rows, err := v.reader.db.QueryContext(ctx, `SELECT subject_type, subject, attribute, value, not_before, not_on_or_after
		FROM fact ORDER BY subject_type, subject, attribute, not_before, value`)
	if err != nil {
		return 0, attrs.Unavailable(ctx, r.config.ID, err)
	}
	defer rows.Close()
	text := csv.NewWriter(out)
	if err := text.Write(columns[:]); err != nil {
		return 0, fmt.Errorf("registry: export: %w", err)
	}
	n := 0
	for rows.Next() {
		var c cells
		var from, to int64
		if err := rows.Scan(&c[0], &c[1], &c[2], &c[4], &from, &to); err != nil {
			return n, attrs.Unavailable(ctx, r.config.ID, err)
		}
		notBefore, notOnOrAfter, err := bounds(from, to)
		if err != nil {
			return n, attrs.Unavailable(ctx, r.config.ID, err)
		}
		c[3], c[5], c[6] = attrs.NamespaceCertified, timeText(notBefore), timeText(notOnOrAfter)
		if err := text.Write(c[:]); err != nil {
			return n, fmt.Errorf("registry: export: %w", err)
		}
		n++
	}
	if err := rows.Err(); err != nil {
		return n, attrs.Unavailable(ctx, r.config.ID, err)
	}
	text.Flush()
	if err := text.Error(); err != nil {
		return n, fmt.Errorf("registry: export: %w", err)
	}
	return n, nil
}

// timeText writes a time as parseTime reads it.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}
