//go:build race

package cedar

// raceSlack is how many allocations more than it costs a decision may be seen to cost under the race detector.
const raceSlack = 25
