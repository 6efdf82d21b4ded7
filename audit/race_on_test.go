//go:build race

package audit

// The race detector makes sync.Pool drop slots at random, so that counts mean nothing.
const raceDetector = true
