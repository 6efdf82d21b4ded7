package sqlsource

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"sceau/attrs/database"
)

// maxMessage bounds one message of the server, and so one row, in octets.
const maxMessage = 1 << 20

// poolConfig reads the DSN and adds what holds for every connection, whatever the DSN says.
func poolConfig(c *Config) (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(c.Postgres.DSN)
	if err != nil {
		return nil, database.DSNError(err)
	}
	if _, err := database.ReadPassword(c.Postgres.PasswordFile); err != nil {
		return nil, err
	}
	conn := p.ConnConfig
	if !c.Postgres.UnverifiedServer {
		if err := database.Verified(conn); err != nil {
			return nil, err
		}
	}
	p.MaxConns, p.MinConns, p.MinIdleConns = int32(c.MaxConns), 0, 0
	p.MaxConnLifetime, p.MaxConnLifetimeJitter = c.Postgres.ConnLifetime, c.Postgres.ConnLifetime/10
	p.MaxConnIdleTime = c.Postgres.ConnIdle
	p.PingTimeout = c.Postgres.ConnectTimeout

	conn.ConnectTimeout = c.Postgres.ConnectTimeout
	conn.MaxProtocolMessageBodyLen = maxMessage
	// H6: no other mode, which a DSN could ask for, would write parameters into the text.
	conn.DefaultQueryExecMode, conn.StatementCacheCapacity = pgx.QueryExecModeCacheStatement, 8
	conn.RuntimeParams["client_encoding"] = "UTF8"
	for name, value := range map[string]string{"application_name": "sceau " + c.ID, "timezone": "UTC"} {
		if _, said := conn.RuntimeParams[name]; !said {
			conn.RuntimeParams[name] = value
		}
	}
	if c.Postgres.Channel != "" {
		// A standby cannot listen, and may lag behind the notice of a change: what it said would be kept as if it were new.
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	}
	p.BeforeConnect = func(_ context.Context, conn *pgx.ConnConfig) error {
		return database.SetPassword(conn, c.Postgres.PasswordFile)
	}
	return p, nil
}
