package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sceau/attrs"
)

// Access says what may be done with the file. The zero Access is ReadOnly.
type Access uint8

const (
	// ReadOnly is for servers: the file must exist and is never changed.
	ReadOnly Access = iota

	// ReadWrite is for imports: the file is made if there is none, and brought to the present schema.
	ReadWrite
)

// Config says which registry to open and how.
type Config struct {
	Path      string
	Access    Access
	Catalogue *attrs.Catalogue // attributes that the registry may hold

	// ID names the source in answers, errors and the audit trail; "registry" if empty.
	ID string

	// BusyTimeout is how long to wait for a lock of another process. DefaultBusyTimeout if zero.
	BusyTimeout time.Duration

	// PollInterval is how often to look whether another process has imported, or replaced the file: the longest time
	// during which answers kept from before may still be used. DefaultPollInterval if zero.
	PollInterval time.Duration

	// Now gives the time of retrieval and of imports; time.Now if nil.
	Now func() time.Time
}

// Defaults of Config.
const (
	DefaultBusyTimeout  = time.Second
	DefaultPollInterval = 500 * time.Millisecond
)

// A Registry is an open registry. It is safe for concurrent use, by several processes too. Close it after use.
type Registry struct {
	config Config
	byName map[string]*attrs.Definition // certified attributes by canonical name

	// Read by every query without waiting, replaced as a whole.
	view atomic.Pointer[view]

	// Held by whoever replaces the view: a look at the file, an import, Close. One at a time.
	looking sync.Mutex

	version version // what Epoch says

	writing sync.Mutex // held during an import: one at a time in this process

	stop    context.CancelFunc
	stopped chan struct{}
}

// A view is what queries see of the file. It is immutable.
type view struct {
	reader *reader
	down   error // why reader cannot be trusted now, or nil
}

var errClosed = errors.New("the registry is closed")

// Open opens a registry. It fails if the file is missing (ReadOnly), is not a registry, is damaged, is of another version
// of the schema, or is locked.
func Open(c Config) (*Registry, error) {
	if c.ID == "" {
		c.ID = "registry"
	}
	if c.BusyTimeout == 0 {
		c.BusyTimeout = DefaultBusyTimeout
	}
	if c.PollInterval == 0 {
		c.PollInterval = DefaultPollInterval
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case c.Path == "":
		return nil, errors.New("registry: no path")
	case c.Catalogue == nil || c.Catalogue.Len() == 0:
		return nil, errors.New("registry: no catalogue of attributes")
	case c.Access > ReadWrite:
		return nil, errors.New("registry: invalid access")
	case c.BusyTimeout < 0 || c.PollInterval < 0:
		return nil, errors.New("registry: a negative time")
	}
	r := &Registry{config: c, byName: make(map[string]*attrs.Definition), stopped: make(chan struct{})}
	for d := range c.Catalogue.All() {
		if d.Certified() && !d.Computed {
			r.byName[d.Name] = d
		}
	}
	if c.Access == ReadWrite {
		if err := prepare(c); err != nil {
			return nil, fmt.Errorf("registry %s: %w", c.Path, err)
		}
	}
	reader, err := openReader(c)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", c.Path, err)
	}
	state, err := reader.state(context.Background())
	if err != nil {
		reader.close()
		return nil, fmt.Errorf("registry %s: %w", c.Path, err)
	}
	r.view.Store(&view{reader: reader})
	r.version.set(state)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go r.watch(ctx)
	return r, nil
}

// Close closes the registry. Queries that run end first. Closing twice is no error.
func (r *Registry) Close() error {
	r.stop()
	<-r.stopped
	r.writing.Lock() // an import ends first
	defer r.writing.Unlock()
	r.looking.Lock()
	defer r.looking.Unlock()
	v := r.view.Load()
	if v.down == errClosed {
		return nil
	}
	r.version.Lose()
	r.view.Store(&view{reader: v.reader, down: errClosed})
	return v.reader.close()
}

// ID implements attrs.Source.
func (r *Registry) ID() string { return r.config.ID }

// Idempotent implements attrs.Idempotent: a question reads, and does nothing else.
func (r *Registry) Idempotent() bool { return true }
