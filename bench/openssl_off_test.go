//go:build !openssl || !cgo

package bench

// engineCells gives the cells of other engines than Go's for the key of the STS: this build has none.
func engineCells() []cell { return nil }
