// Package openssl signs with OpenSSL's libcrypto where that costs less than Go's own
// arithmetic. It is an engine for the signing key of a service and nothing else: it
// replaces no other cryptography of the process, and it neither asks for nor changes
// FIPS mode.
//
// # The build
//
// libcrypto is loaded when the program runs, so that a build needs no header or library
// of OpenSSL, but a C compiler:
//
//	CGO_ENABLED=1 go build -tags openssl ./cmd/stsd
//
// In any other build Load answers ErrNotBuilt. Nothing here falls back to Go by itself:
// a library that is missing, of another version, or already another one is an error.
//
// # Which keys
//
// Measured beside Go 1.26 with OpenSSL 3.0 on amd64, CPU time of one signature (go test
// -tags openssl -bench . ./certs/openssl):
//
//	             Go        OpenSSL
//	RSA-2048     742 µs    232 µs
//	P-256         28 µs     22 µs
//	P-384        168 µs    579 µs
//	P-521        442 µs    188 µs
//
// So RSA, P-256 and P-521 go to OpenSSL, and Library.Key refuses P-384 with
// ErrGoIsFaster: whoever calls it decides to keep the key with Go, and says so.
//
// # What is to be known
//
//   - One process loads one library, once: a second name is refused until a restart.
//   - The file openssl.cnf of the system counts, as for every program with OpenSSL. Where
//     it puts the FIPS provider in force, these signatures come from it.
//   - OpenSSL's copy of a private key is overwritten and freed after the last reference to
//     the Key is gone, when the garbage collector runs; it cannot be hastened. The Go key
//     that it was made from, and what OpenSSL's parameter builder held for a moment, are
//     not overwritten.
//   - A signature occupies a thread while it is made. Go starts more threads when many are
//     made at once: 46 for 512 goroutines on two cores. A bound at the number of cores was
//     measured and cost throughput; bound the requests instead.
//   - OpenSSL keeps the reason of a failure by thread, and goroutines move between
//     threads: the text of an error may be short of it. That there is an error never is.
package openssl
