package face

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"sceau/attrs"
)

// grace is for how long what was replaced is still there, for requests under way.
const grace = 45 * time.Second

// A Next is another configuration, made and checked, that is not in force yet. It is put in force by Commit, or given up by
// Discard: one of the two.
type Next struct {
	config         *Config
	establishments *establishments
}

// Prepare makes everything of another configuration: establishments, clients, keys, means, certificates of the listeners. The catalogue is
// the one that will be in force with it.
func (f *Face) Prepare(c *Config, catalogue *attrs.Catalogue) (*Next, error) {
	if _, err := c.Limits.check(); err != nil { // they count after a restart, which shall not be the first to say it
		return nil, err
	}
	e, err := f.establish(c, catalogue)
	if err != nil {
		return nil, err
	}
	if (e.secure == nil) != (f.now.Load().secure == nil) {
		return nil, errors.Join(errors.New("secure: the listener comes and goes with a restart alone"), e.end())
	}
	return &Next{c, e}, nil
}

// RetainsAudit says whether a client of it wants the trail kept.
func (n *Next) RetainsAudit() bool { return n.establishments.retains() }

// Discard gives it up.
func (n *Next) Discard() error { return n.establishments.end() }

// Commit puts another configuration in force; it cannot fail. Sessions and grants stay. It names the keys that differ and count
// only after a restart.
func (f *Face) Commit(n *Next) (restart []string) {
	c := n.config
	old := f.now.Swap(n.establishments)
	f.known()
	if c.Listen.Address != f.config.Listen.Address || c.Secure.Address != f.config.Secure.Address {
		restart = append(restart, "the addresses of the OpenID Connect face")
	}
	if !reflect.DeepEqual(c.Limits, f.config.Limits) {
		restart = append(restart, "the limits of the OpenID Connect face")
	}
	if c.Store != f.config.Store {
		restart = append(restart, "the store of the OpenID Connect face")
	}
	f.closing.Go(func() {
		select {
		case <-time.After(grace):
		case <-f.ending:
		}
		if err := old.end(); err != nil {
			f.shared.Log.Warn("what was replaced was not closed", "cause", err)
		}
	})
	return restart
}

// Lacks says which certified attributes the face is to answer that a catalogue does not have; nil where there is none.
func (f *Face) Lacks(catalogue *attrs.Catalogue) error {
	for _, d := range f.now.Load().certified {
		if definition, ok := catalogue.Find(d); !ok || !definition.Certified() || definition.Computed {
			return fmt.Errorf("the OpenID Connect face writes the attribute %q, which would be defined no longer", d.Name)
		}
	}
	return nil
}

// Define puts another catalogue in force, which lacks nothing.
func (f *Face) Define(catalogue *attrs.Catalogue) { f.now.Load().catalogue.Store(catalogue) }

// Replace prepares another configuration, by the catalogue in force, and puts it in force.
func (f *Face) Replace(c *Config) (restart []string, err error) {
	n, err := f.Prepare(c, f.now.Load().catalogue.Load())
	if err != nil {
		return nil, err
	}
	return f.Commit(n), nil
}
