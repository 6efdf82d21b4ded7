package database

import "testing"

// Where a password seems to stand in the open, in whatever way it may be written.
func TestHoldsPassword(t *testing.T) {
	for dsn, want := range map[string]bool{
		"host=db user=u sslmode=verify-full":    false,
		"postgres://u@db/x?sslmode=verify-full": false,
		"postgresql://db1,db2/x":                false,
		"host=db user=u password=p":             true,
		"host=db user=u PASSWORD = 'p'":         true,
		"postgres://u:p@db/x":                   true,
		"postgres://u:@db/x":                    true,
		"postgres://u@db/x?password=p":          true,
		"host=db sslkey=k sslpassword=p":        true,
		"postgres://u:p%zz@db/x":                true, // which cannot be read
	} {
		if got := HoldsPassword(dsn); got != want {
			t.Errorf("%s: %v", dsn, got)
		}
	}
}
