package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"sceau/attrs/database"
	"sceau/oidc"
)

// Config says where a store is.
type Config struct {
	// Address is host:port, or the path of a Unix socket. Required.
	Address string
	// Username is the user of Redis's access lists; empty: the default one.
	Username string
	// PasswordFile is the file with its password, one line; read for each connection; empty: none.
	PasswordFile string
	// TLS is how the server is proven to be itself; required where it is not this machine.
	TLS *tls.Config
	// UnverifiedServer admits a server that is neither on this machine nor proven by its certificate.
	UnverifiedServer bool
	// Database is its number.
	Database int
	// Prefix stands before every key, where others have theirs in the same database.
	Prefix string
	// Timeout bounds one operation. Zero: five seconds.
	Timeout time.Duration
	// Connections bounds those to the server. Zero: 16.
	Connections int
}

// A Store is an open store. Open makes it; it is safe for concurrent use.
type Store struct {
	config Config
	client *redis.Client
}

var _ oidc.Store = (*Store)(nil)

// Open opens a store.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Timeout < 0 || c.Connections < 0 || c.Database < 0 {
		return nil, errors.New("redisstore: a negative bound")
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Connections == 0 {
		c.Connections = 16
	}
	network := "tcp"
	if strings.HasPrefix(c.Address, "/") {
		network = "unix"
	}
	if err := verified(&c, network); err != nil {
		return nil, failed(err)
	}
	if _, err := database.ReadPassword(c.PasswordFile); err != nil {
		return nil, failed(err)
	}
	s := &Store{c, redis.NewClient(&redis.Options{
		Network: network, Addr: c.Address, DB: c.Database, TLSConfig: c.TLS, PoolSize: c.Connections,
		CredentialsProviderContext: func(context.Context) (string, string, error) {
			password, err := database.ReadPassword(c.PasswordFile)
			return c.Username, password, err
		},
		DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, ContextTimeoutEnabled: true,
		// What was done and not answered is not asked again: the second Add would say that somebody else was first.
		MaxRetries: -1, DialerRetries: 1,
		// No address out of an answer is ever contacted.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DisableIdentity:          true,
	})}
	if err := s.keeps(ctx); err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}

// verified refuses a server elsewhere that would not be proven to be itself: who answers in its place says who is logged in.
func verified(c *Config, network string) error {
	if network == "unix" || c.UnverifiedServer {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return errors.New("the address is host:port, or the path of a socket")
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() || c.TLS != nil && !c.TLS.InsecureSkipVerify {
		return nil
	}
	return fmt.Errorf("the server %s is not verified: it wants TLS", host)
}

// keeps refuses a server that would give up what is still valid, one that is another's replica, and one that is older than what is
// asked of it.
func (s *Store) keeps(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	about, err := s.client.Info(ctx).Result()
	if err != nil {
		return failed(err)
	}
	said := map[string]string{}
	for line := range strings.Lines(about) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			said[name] = value
		}
	}
	var major, minor int
	fmt.Sscanf(said["redis_version"], "%d.%d", &major, &minor)
	switch {
	case major < 6 || major == 6 && minor < 2:
		return fmt.Errorf("redisstore: Redis %q is older than 6.2", said["redis_version"])
	case said["maxmemory_policy"] != "noeviction":
		return fmt.Errorf("redisstore: maxmemory-policy is %q, and has to be noeviction: what is given up is good a second time", said["maxmemory_policy"])
	case said["role"] != "master":
		return fmt.Errorf("redisstore: the server is a %s of another", said["role"])
	}
	return nil
}

// Close gives the connections back.
func (s *Store) Close() error { return s.client.Close() }

func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.config.Timeout)
}

// put, add and swap are what Redis does alone. Of a time that has passed SET makes no error, and nothing that is found.
var (
	put  = redis.NewScript(`redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) return 1`)
	add  = redis.NewScript(`if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PXAT', ARGV[2]) then return 1 end return 0`)
	swap = redis.NewScript(`if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) return 1`)
)

func (s *Store) run(ctx context.Context, script *redis.Script, key string, value []byte, until time.Time, more ...any) (bool, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	at := max(until.UnixMilli(), 1) // before 1970 is an error to Redis
	n, err := script.Run(ctx, s.client, []string{s.config.Prefix + key}, append([]any{octets(value), at}, more...)...).Int()
	return n == 1, failed(err)
}

// octets are never nil, which is no argument.
func octets(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

func (s *Store) Put(ctx context.Context, key string, value []byte, until time.Time) error {
	_, err := s.run(ctx, put, key, value, until)
	return err
}

func (s *Store) Add(ctx context.Context, key string, value []byte, until time.Time) (bool, error) {
	return s.run(ctx, add, key, value, until)
}

func (s *Store) Swap(ctx context.Context, key string, old, value []byte, until time.Time) (bool, error) {
	return s.run(ctx, swap, key, value, until, octets(old))
}

func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	value, err := s.client.Get(ctx, s.config.Prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, oidc.ErrNotFound
	}
	if err != nil {
		return nil, failed(err)
	}
	return octets(value), nil
}

func (s *Store) Delete(ctx context.Context, key string) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return failed(s.client.Del(ctx, s.config.Prefix+key).Err())
}

func failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redisstore: %w", err)
}
