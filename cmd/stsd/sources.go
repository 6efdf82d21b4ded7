package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
)

// A source is one entry of sources, made.
type source interface {
	attrs.Source
	Health(ctx context.Context) error
	Close() error
}

// A sourceKind is what an entry of sources can be.
type sourceKind struct {
	name string

	// read makes a source of the keys of its entry; everything wrong goes to p. The keys of every kind were read before
	// and do not stand in them, but for id, kind, attributes and those that sees names.
	read func(s *system, id string, keys *yaml.Node, p *problems) source
	sees []string

	derived bool // its attributes are those of its rules; it asks other sources
	renewed bool // it holds nothing but what the file says, and is made again at each reload
}

// sourceKinds are the kinds there are: one line each.
func sourceKinds() []sourceKind {
	return []sourceKind{
		{name: "registry", read: readRegistrySource},
		{name: "static", read: readStaticSource, renewed: true},
		{name: "derived", read: readDerivedSource, derived: true, renewed: true},
		{name: "sql", read: readSQLSource, sees: []string{"timeout"}},
		{name: "ldap", read: readLDAPSource},
		{name: "http", read: readHTTPSource},
	}
}

// sourceKeys are the keys of an entry of any kind.
type sourceKeys struct {
	ID          value[string]   `yaml:"id"`
	Kind        value[string]   `yaml:"kind"`
	Attributes  []value[string] `yaml:"attributes"`
	Timeout     value[duration] `yaml:"timeout"`
	Breaker     yaml.Node       `yaml:"breaker"`
	Retry       yaml.Node       `yaml:"retry"`
	Failover    []value[string] `yaml:"failover"`
	Stale       value[duration] `yaml:"stale"`
	CacheTTL    value[duration] `yaml:"cache-ttl"`
	NegativeTTL value[duration] `yaml:"negative-ttl"`
	Optional    yaml.Node       `yaml:"optional"`
}

// generalKeys are the names in sourceKeys; routeKeys those that say how the attributes of an entry are asked for, which
// an entry that others fail over to leaves to them.
var (
	routeKeys   = []string{"attributes", "timeout", "breaker", "retry", "failover", "stale", "cache-ttl", "negative-ttl", "optional"}
	generalKeys = append([]string{"id", "kind"}, routeKeys...)
)

// A sourceEntry is an entry of sources that was read, and the source that was made of it.
type sourceEntry struct {
	keys   sourceKeys
	line   int
	kind   *sourceKind
	own    *yaml.Node // the keys of its kind
	lines  map[string]int
	source source

	standby bool // another entry fails over to it
	needed  bool // a mandatory attribute depends on it
}

func (e *sourceEntry) id() string { return e.keys.ID.V }

var sourceID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// readEntries reads the entries of sources, without making a source.
func readEntries(n *yaml.Node, p *problems) []*sourceEntry {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.add(n.Line, "sources: want a list of sources")
		return nil
	}
	var all []*sourceEntry
	for _, item := range n.Content {
		e := readEntry(item, p)
		if e == nil {
			continue
		}
		if slices.ContainsFunc(all, func(other *sourceEntry) bool { return other.id() == e.id() }) {
			p.add(e.keys.ID.Line, "sources: %q is the id of another", e.id())
			continue
		}
		all = append(all, e)
	}
	checkFailover(all, p)
	return all
}

// readEntry reads the keys that every kind has and sets apart those of its own.
func readEntry(n *yaml.Node, p *problems) *sourceEntry {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		p.add(n.Line, "sources: want id and kind, and what the kind needs")
		return nil
	}
	before := len(p.list)
	e := &sourceEntry{line: n.Line, own: &yaml.Node{Kind: yaml.MappingNode, Tag: n.Tag, Line: n.Line, Column: n.Column}, lines: map[string]int{}}
	general := &yaml.Node{Kind: yaml.MappingNode, Tag: n.Tag, Line: n.Line, Column: n.Column}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if e.lines[key.Value] != 0 {
			p.add(key.Line, "sources: %s for the second time", key.Value)
		}
		e.lines[key.Value] = key.Line
		if slices.Contains(generalKeys, key.Value) {
			general.Content = append(general.Content, n.Content[i:i+2]...)
		}
	}
	decodeKeys(general, "sources", &e.keys, p, generalKeys...)
	if len(p.list) > before {
		return nil
	}
	if !sourceID.MatchString(e.id()) {
		p.add(max(e.keys.ID.Line, n.Line), "sources: an id of letters, digits, dots and hyphens is needed")
		return nil
	}
	var names []string
	for _, kind := range sourceKinds() {
		if names = append(names, kind.name); kind.name == e.keys.Kind.V {
			e.kind = &kind
		}
	}
	if e.kind == nil {
		p.add(max(e.keys.Kind.Line, n.Line), "source %s: kind is one of %v", e.id(), names)
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if !slices.Contains(generalKeys, key) || key == "id" || key == "kind" || key == "attributes" || slices.Contains(e.kind.sees, key) {
			e.own.Content = append(e.own.Content, n.Content[i:i+2]...)
		}
	}
	if e.kind.derived {
		for _, key := range routeKeys {
			if e.lines[key] != 0 && key != "optional" {
				p.add(e.lines[key], "source %s: %s is not for a derived source; say it of its inputs", e.id(), key)
			}
		}
	}
	return e
}

// checkFailover marks what others fail over to.
func checkFailover(all []*sourceEntry, p *problems) {
	for _, e := range all {
		for _, to := range e.keys.Failover {
			i := slices.IndexFunc(all, func(other *sourceEntry) bool { return other.id() == to.V })
			switch {
			case i < 0:
				p.add(to.Line, "source %s: failover: no source %q", e.id(), to.V)
			case all[i] == e || all[i].standby || all[i].kind.derived:
				p.add(to.Line, "source %s: failover: %q cannot stand by for it", e.id(), to.V)
			default:
				all[i].standby = true
				for _, key := range routeKeys {
					if line := all[i].lines[key]; line != 0 {
						p.add(line, "source %s: %s is said by %s, which fails over to it", to.V, key, e.id())
					}
				}
			}
		}
	}
}

// openSources opens the registry, or the sources that stand in its place, and makes the resolver.
func (s *system) openSources(p *problems) {
	c := s.config
	if c.Sources.IsZero() {
		if c.Resolver.Line > 0 {
			p.add(c.Resolver.Line, "resolver: only with sources")
		}
		s.openRegistry(p)
		return
	}
	before := len(p.list)
	if line := max(c.Registry.File.Line, c.Registry.Budget.Line, c.Registry.CacheEntries.Line, c.Registry.CacheTTL.Line); line > 0 {
		p.add(line, "registry: with sources it is one of them, of kind registry")
	}
	s.entries = readEntries(&c.Sources, p)
	s.inputs = &laterResolver{}
	for _, e := range s.entries {
		e.source = e.kind.read(s, e.id(), e.own, p)
	}
	if len(p.list) > before || s.catalogue == nil {
		return
	}
	config := s.resolverConfig(s.entries, p)
	if len(p.list) > before {
		return
	}
	var err error
	if s.resolver, err = attrs.NewResolver(config); err != nil {
		p.add(c.Sources.Line, "sources: %v", err)
		return
	}
	s.inputs.resolver.Store(s.resolver)
	s.cacheEntries = config.CacheEntries
}

// resolverConfig turns entries whose sources are made into the configuration of the resolver.
func (s *system) resolverConfig(entries []*sourceEntry, p *problems) attrs.Config {
	r := s.config.readResolver(p)
	for _, v := range []value[duration]{r.Budget, r.CacheTTL} {
		if v.Line > 0 && v.V == 0 {
			p.add(v.Line, "resolver: must be positive")
		}
	}
	if r.CacheEntries.Line > 0 && r.CacheEntries.V <= 0 {
		p.add(r.CacheEntries.Line, "resolver: must be positive")
	}
	config := attrs.Config{Catalogue: s.catalogue, Budget: time.Duration(r.Budget.or(duration(2 * time.Second))),
		CacheEntries: r.CacheEntries.or(defaultCacheEntries), CacheTTL: time.Duration(r.CacheTTL.or(duration(30 * time.Second)))}
	owners := s.owners(entries, p)
	s.routed = func(d *attrs.Definition) bool { return owners[d] != nil }
	for _, e := range entries {
		if !e.standby {
			config.Routes = append(config.Routes, s.route(e, entries, &config, owners, p))
		}
	}
	markNeeded(entries, owners, p)
	return config
}

// resolverKeys are the keys below resolver.
type resolverKeys struct {
	Budget       value[duration] `yaml:"budget"`
	CacheEntries value[int64]    `yaml:"cache-entries"`
	CacheTTL     value[duration] `yaml:"cache-ttl"`
}

const defaultCacheEntries = 100_000

// readResolver reads the key resolver.
func (c *fileConfig) readResolver(p *problems) (r resolverKeys) {
	if n := &c.Resolver; !n.IsZero() {
		decodeKeys(n, "resolver", &r, p, "budget", "cache-entries", "cache-ttl")
	}
	return r
}

// owners says which entry is asked for each attribute, and refuses two.
func (s *system) owners(entries []*sourceEntry, p *problems) map[*attrs.Definition]*sourceEntry {
	owners := map[*attrs.Definition]*sourceEntry{}
	var rest *sourceEntry
	own := func(e *sourceEntry, d *attrs.Definition, line int) {
		if other := owners[d]; other != nil {
			p.add(line, "source %s: %q is of source %s already", e.id(), d.Name, other.id())
			return
		}
		owners[d] = e
	}
	for _, e := range entries {
		made, derived := e.source.(interface{ Attributes() []*attrs.Definition })
		switch {
		case e.standby:
		case e.kind.derived && derived:
			for _, d := range made.Attributes() {
				own(e, d, e.line)
			}
		case e.lines["attributes"] == 0 && rest != nil:
			p.add(e.line, "source %s: without attributes it is asked for the rest, and so is %s", e.id(), rest.id())
		case e.lines["attributes"] == 0:
			rest = e
		default:
			for _, name := range e.keys.Attributes {
				d, ok := s.catalogue.Find(attrs.Designator{Name: name.V, Namespace: attrs.NamespaceCertified})
				if !ok || d.Computed {
					p.add(name.Line, "source %s: %q is no attribute that a source is asked for", e.id(), name.V)
					continue
				}
				own(e, d, name.Line)
				e.mustAnswer(entries, d, name, p)
			}
		}
	}
	for d := range s.catalogue.All() {
		if rest != nil && d.Certified() && !d.Computed && owners[d] == nil {
			owners[d] = rest
		}
	}
	return owners
}

// mustAnswer refuses an attribute that the source of the entry, or one that stands by for it, is not configured to answer. Reading
// an entry found the first already, but not of a source that a reload keeps and is to ask for more.
func (e *sourceEntry) mustAnswer(entries []*sourceEntry, d *attrs.Definition, name value[string], p *problems) {
	for _, asked := range entries {
		stands := slices.ContainsFunc(e.keys.Failover, func(to value[string]) bool { return to.V == asked.id() })
		made, ok := asked.source.(interface{ Answers(*attrs.Definition) bool })
		if (asked == e || stands) && ok && !made.Answers(d) {
			p.add(name.Line, "source %s: %q is none that %s answers", e.id(), name.V, asked.id())
		}
	}
}

// markNeeded marks the entries on which a mandatory attribute depends. Sources that derive must stand below their inputs', so
// that no two can wait for each other.
func markNeeded(entries []*sourceEntry, owners map[*attrs.Definition]*sourceEntry, p *problems) {
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		for d, owner := range owners {
			e.needed = e.needed || owner == e && !d.Hidden && !e.optional(d)
		}
		made, ok := e.source.(interface{ Inputs() []*attrs.Definition })
		if !ok || !e.kind.derived {
			continue
		}
		for _, d := range made.Inputs() {
			owner := owners[d]
			switch {
			case owner == nil:
				p.add(e.line, "source %s: no source is asked for its input %q", e.id(), d.Name)
			case slices.Index(entries, owner) >= i:
				p.add(e.line, "source %s: source %s, of which its input %q is, must stand above it", e.id(), owner.id(), d.Name)
			case e.needed:
				owner.needed = true
			}
		}
	}
}

// optional says whether the entry's keys call an attribute of its own optional.
func (e *sourceEntry) optional(d *attrs.Definition) bool {
	names, all := e.readOptional(&problems{})
	return all || slices.ContainsFunc(names, func(name value[string]) bool {
		return name.V == d.Name || slices.Contains(d.Aliases, name.V)
	})
}

// readOptional reads the key optional: true, false, or a list of names.
func (e *sourceEntry) readOptional(p *problems) (names []value[string], all bool) {
	n := &e.keys.Optional
	if n.IsZero() || n.Kind == yaml.ScalarNode && n.Decode(&all) == nil {
		return nil, all
	}
	if n.Kind != yaml.SequenceNode || n.Decode(&names) != nil {
		p.add(n.Line, "source %s: optional is true, false or a list of names", e.id())
	}
	return names, false
}

// laterResolver is the resolver for sources that ask it and are made before it.
type laterResolver struct{ resolver atomicResolver }

var errNotYet = errors.New("the resolver is not made yet")

// Resolve implements derived.Resolver.
func (l *laterResolver) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	r := l.resolver.Load()
	if r == nil {
		return dst, attrs.Unavailable(ctx, "", errNotYet)
	}
	return r.Resolve(ctx, q, dst)
}

// decodeKeys decodes a mapping. Unknown keys are found by hand: a node's own decoder lets them pass.
func decodeKeys(n *yaml.Node, what string, into any, p *problems, known ...string) bool {
	before := len(p.list)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		p.add(n.Line, "%s: want keys and values", what)
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(known, key.Value) {
			p.add(key.Line, "unknown key %q", key.Value)
		}
	}
	var wrong *yaml.TypeError
	if err := n.Decode(into); errors.As(err, &wrong) {
		p.addTypes(wrong)
	} else if err != nil {
		p.add(n.Line, "%s: %v", what, err)
	}
	return len(p.list) == before
}

// must says what is wrong with a duration that has to be positive.
func must(v value[duration], id, key string, p *problems) {
	if v.Line > 0 && v.V == 0 {
		p.add(v.Line, "source %s: %s: must be positive", id, key)
	}
}

// unavailable wraps what is wrong with a source for people.
func unavailable(id string, err error) error { return fmt.Errorf("source %s: %w", id, err) }
