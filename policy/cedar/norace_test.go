//go:build !race

package cedar

const raceSlack = 0
