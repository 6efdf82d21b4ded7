// Package sqlstore keeps what an identity provider keeps between requests (oidc.Store) in SQLite or in PostgreSQL: for a server that
// is started anew without logging everybody out, and for replicas, which share a PostgreSQL.
//
// Each operation is one statement, and of those who write the same at the same time the database lets one through. Who is first with a
// code is as sure as the database: a replica of it that is behind is not to be asked. What has expired is found no more, by the clock of
// whoever asks, and is deleted in batches.
package sqlstore
