package face

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"sceau/oidc"
	"sceau/oidc/redisstore"
	"sceau/oidc/sqlstore"
)

// storeWait bounds how long a store is waited for when it is opened.
const storeWait = 10 * time.Second

// SQLStore is what the store of the configuration is in a database, for who makes its tables; not, where it is no database.
func (c *Config) SQLStore() (sqlstore.Config, bool) {
	k := &c.Store
	switch k.Kind {
	case "sqlite":
		return sqlstore.Config{File: c.path(k.File)}, true
	case "postgresql":
		return sqlstore.Config{DSN: k.DSN, PasswordFile: c.path(k.PasswordFile), UnverifiedServer: k.UnverifiedServer, Connections: k.Connections}, true
	}
	return sqlstore.Config{}, false
}

// openStore opens what outlives a request.
func (f *Face) openStore() error {
	ctx, stop := context.WithTimeout(context.Background(), storeWait)
	defer stop()
	k := &f.config.Store
	if counts, ok := map[string][]string{
		"": {"max-bytes"}, "memory": {"max-bytes"}, "sqlite": {"file"},
		"postgresql": {"dsn", "password-file", "connections", "unverified-server"},
		"redis":      {"address", "username", "database", "prefix", "ca", "server-name", "password-file", "connections", "unverified-server"},
	}[k.Kind]; ok {
		if err := only(k, "the kind "+cmp.Or(k.Kind, "memory"), append(counts, "kind")...); err != nil {
			return err
		}
	}
	if s, ok := f.config.SQLStore(); ok {
		if s.File == "" && s.DSN == "" {
			return fmt.Errorf("kind %s has a %s", k.Kind, map[string]string{"sqlite": "file", "postgresql": "dsn"}[k.Kind])
		}
		s.Log, s.Now = f.shared.Log, f.shared.Now
		opened, err := sqlstore.Open(ctx, s)
		if err != nil {
			return err
		}
		f.store, f.closed = opened, append(f.closed, opened.Close)
		return nil
	}
	switch k.Kind {
	case "", "memory":
		limit := k.MaxBytes
		if limit == 0 {
			limit = 256 << 20
		}
		if limit < 1<<20 {
			return fmt.Errorf("max-bytes: %d is less than a megabyte", limit)
		}
		f.store = oidc.NewMemoryStore(limit, nil)
		return nil
	case "redis":
		r := redisstore.Config{Address: k.Address, Username: k.Username, PasswordFile: f.config.path(k.PasswordFile), UnverifiedServer: k.UnverifiedServer,
			Database: k.Database, Prefix: k.Prefix, Connections: k.Connections}
		if k.CA != "" {
			roots, err := f.config.pool([]string{k.CA})
			if err != nil {
				return fmt.Errorf("ca: %w", err)
			}
			r.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: k.ServerName}
		} else if k.ServerName != "" {
			return errors.New("server-name does not count without ca")
		}
		opened, err := redisstore.Open(ctx, r)
		if err != nil {
			return err
		}
		f.store, f.closed = opened, append(f.closed, opened.Close)
		return nil
	}
	return fmt.Errorf("kind %q is none of memory, sqlite, postgresql, redis", k.Kind)
}
