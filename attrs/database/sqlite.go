package database

import (
	"net/url"
	"path/filepath"
	"strconv"
	"time"
)

// SQLite writes the data source of the file at path for modernc.org/sqlite: mode is ro, rw or rwc, busy how long to wait for a
// lock of another process, pragmas what further holds for every connection. The path is escaped by net/url, so that no
// character of it is taken for a parameter (H6).
func SQLite(path, mode string, busy time.Duration, pragmas ...string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	query := url.Values{"mode": {mode}, "_txlock": {"immediate"}}
	query.Add("_pragma", "busy_timeout("+strconv.FormatInt(busy.Milliseconds(), 10)+")")
	query.Add("_pragma", "trusted_schema(0)")  // a schema made by another calls no function on us
	query.Add("_pragma", "cell_size_check(1)") // damage is found where it is, not where it leads
	for _, p := range pragmas {
		query.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}).String(), nil
}
