package message

import (
	"errors"
	"fmt"
	"slices"

	"sceau/bench/load/measure"
)

// A Mix says how often each kind of message is made, by weight. Kinds that it does not
// name are not made.
type Mix map[measure.Kind]int

// Queries is the Mix of good queries alone.
func Queries() Mix { return Mix{measure.Query: 1} }

// A draw is a table of weights: an index is drawn as often as its weight says.
type draw struct {
	until []uint64 // running sums of the weights
}

func newDraw(weights []int) (draw, error) {
	var d draw
	var sum uint64
	for _, w := range weights {
		if w < 0 || w > 1_000_000_000 {
			return draw{}, fmt.Errorf("weight %d is not from 0 to 1000000000", w)
		}
		sum += uint64(w)
		d.until = append(d.until, sum)
	}
	if sum == 0 {
		return draw{}, errors.New("no weight is above zero")
	}
	return d, nil
}

// at returns the index for a random number.
func (d *draw) at(random uint64) int {
	n, i := random%d.until[len(d.until)-1], 0
	for n >= d.until[i] {
		i++
	}
	return i
}

// drawKinds reads a Mix as a draw over measure.Kinds.
func drawKinds(mix Mix) (draw, error) {
	kinds := measure.Kinds()
	weights := make([]int, len(kinds))
	for kind, weight := range mix {
		i := slices.Index(kinds, kind)
		if i < 0 {
			return draw{}, fmt.Errorf("message: mix: no kind %q", kind)
		}
		weights[i] = weight
	}
	d, err := newDraw(weights)
	if err != nil {
		return draw{}, fmt.Errorf("message: mix: %w", err)
	}
	return d, nil
}

// scatter returns the n-th number of the random sequence of a seed (SplitMix64). It is a
// pure function: what message n is does not hang on who asks for it.
func scatter(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
