// Package redisstore keeps what an identity provider keeps between requests (oidc.Store) in Redis, for replicas that share it.
//
// It is one server, asked where it writes: not a cluster, and not a replica, which may be behind. Add is SET NX, and Swap a script, each of
// which Redis does alone. When something expires, the clock of Redis says.
//
// Redis may be told to give up what is still valid when its memory is full, and then a code is good twice: Open refuses one that
// would. It writes to disk after it has answered, unless appendfsync is always: after a crash it may know less than it said, and sessions
// are lost, or a code is good again as long as it lives. Where that is not to be had, package sqlstore on PostgreSQL is.
package redisstore
