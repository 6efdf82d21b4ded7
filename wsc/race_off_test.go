//go:build !race

package wsc_test

const raceEnabled = false
