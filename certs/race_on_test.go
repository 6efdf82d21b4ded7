//go:build race

package certs_test

// raceDetector: with it sync.Pool drops what it is given at random, so that
// counts of allocations say nothing.
const raceDetector = true
