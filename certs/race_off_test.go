//go:build !race

package certs_test

const raceDetector = false
