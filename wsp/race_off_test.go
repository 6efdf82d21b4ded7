//go:build !race

package wsp_test

const raceDetector = false
