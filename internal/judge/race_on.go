//go:build race

package judge

// RaceEnabled: the race detector makes pools forget and code allocate; allocation
// counts mean nothing under it.
const RaceEnabled = true
