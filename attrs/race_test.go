//go:build race

package attrs

// poolSlack is how many allocations more than it costs a cached answer may be seen to cost: under the race detector
// sync.Pool, in which ristretto keeps its buffers, throws things away at random.
const poolSlack = 2
