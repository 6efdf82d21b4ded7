// Package remote holds what sources of attributes over a network have in common: TLS as a client by files, secrets in
// files, and when a connection may do without TLS.
//
// Certificates of the client and secrets are read again when they are used, so that they can be renewed without a
// restart; the authorities of the server are read once. Nothing of this package reads the environment, and no authority
// of the system is trusted: a source names its own.
package remote
