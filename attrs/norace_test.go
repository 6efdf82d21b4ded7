//go:build !race

package attrs

const poolSlack = 0
