package wsp

// Settle waits until the memory of assertions shows all that was put into it.
func (g *Guard) Settle() { g.known.settle() }

// Remembers tells whether the Guard remembers any assertion.
func (g *Guard) Remembers() bool {
	g.known.settle()
	return g.known.cache.Metrics == nil && g.known.cache.RemainingCost() < g.known.cache.MaxCost()
}
