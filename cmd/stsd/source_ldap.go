package main

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/attrs/ldapsource"
)

// ldapKeys are the keys of a source of kind ldap. Those of every kind may stand among them.
type ldapKeys struct {
	ID         value[string]   `yaml:"id"`
	Kind       value[string]   `yaml:"kind"`
	Attributes []value[string] `yaml:"attributes"`

	Servers      []value[string] `yaml:"servers"`
	StartTLS     value[bool]     `yaml:"starttls"`
	clientKeys   `yaml:",inline"`
	BindDN       value[string]            `yaml:"bind-dn"`
	PasswordFile value[string]            `yaml:"password-file"`
	External     value[bool]              `yaml:"sasl-external"`
	Base         value[string]            `yaml:"base"`
	Scope        value[string]            `yaml:"scope"`
	Filters      map[string]value[string] `yaml:"filters"`
	Map          []yaml.Node              `yaml:"map"`
	TTL          value[duration]          `yaml:"ttl"`

	AttemptTimeout value[duration] `yaml:"attempt-timeout"`
	Connections    value[int]      `yaml:"connections"`
	CheckAfter     value[duration] `yaml:"check-after"`
	Idle           value[duration] `yaml:"idle"`
	Lifetime       value[duration] `yaml:"lifetime"`
	RetryAfter     value[duration] `yaml:"retry-after"`
	MaxBytes       value[int64]    `yaml:"max-bytes"`
}

// readLDAPSource reads an entry of sources that is a directory. Everything that is wrong goes to p; the result is nil then.
func readLDAPSource(s *system, id string, keys *yaml.Node, p *problems) source {
	r, before := newSourceReader(s, id, keys, p), len(p.list)
	var k ldapKeys
	if !r.decode(r.keys, &k, "id", "kind", "attributes", "servers", "starttls", "ca", "server-name", "certificate", "key", "bind-dn", "password-file",
		"sasl-external", "base", "scope", "filters", "map", "ttl", "attempt-timeout", "connections", "check-after", "idle", "lifetime", "retry-after", "max-bytes") {
		return nil
	}
	c := ldapsource.Config{
		ID: id, Servers: texts(k.Servers), StartTLS: k.StartTLS.V, TLS: k.tls(s.config),
		BindDN: k.BindDN.V, PasswordFile: s.config.path(k.PasswordFile), External: k.External.V,
		BaseDN: k.Base.V, Filters: r.bySubject(k.Filters, "filter"), TTL: positiveTime(r, k.TTL, "ttl"),
		Timeout: positiveTime(r, k.AttemptTimeout, "attempt-timeout"), MaxConnections: positive(r, k.Connections, "connections"),
		CheckAfter: positiveTime(r, k.CheckAfter, "check-after"), IdleTimeout: positiveTime(r, k.Idle, "idle"),
		MaxLifetime: positiveTime(r, k.Lifetime, "lifetime"), RetryAfter: positiveTime(r, k.RetryAfter, "retry-after"),
		MaxBytes: positive(r, k.MaxBytes, "max-bytes"), Now: s.now,
	}
	var err error
	if c.Scope, err = ldapsource.ParseScope(k.Scope.or("sub")); err != nil {
		r.add(k.Scope.Line, "%v", err)
	}
	for _, v := range k.Servers {
		r.lines["server "+strconv.Quote(v.V)] = v.Line
	}
	r.lines["the base "], r.lines["the bind DN "] = k.Base.Line, k.BindDN.Line
	mapped := map[*attrs.Definition]bool{}
	for i := range k.Map {
		m := r.readLDAPMapping(&k.Map[i])
		c.Mappings = append(c.Mappings, m)
		mapped[m.Definition] = true
	}
	if len(p.list) == before {
		r.covers(k.Attributes, func(d *attrs.Definition) bool { return mapped[d] })
	}
	if len(p.list) > before {
		return nil
	}
	made, err := ldapsource.Open(c)
	if err != nil {
		r.refused(err)
		return nil
	}
	return made
}

// readLDAPMapping reads one entry of map. Which of from, present, list and group stands there is its rule.
func (r *sourceReader) readLDAPMapping(n *yaml.Node) (m ldapsource.Mapping) {
	var k struct {
		Attribute    value[string]   `yaml:"attribute"`
		From         value[string]   `yaml:"from"`
		Present      value[string]   `yaml:"present"`
		List         value[string]   `yaml:"list"`
		True         []value[string] `yaml:"true-values"`
		False        []value[string] `yaml:"false-values"`
		Group        value[string]   `yaml:"group"`
		MemberOf     value[string]   `yaml:"member-of"`
		Member       value[string]   `yaml:"member"`
		NotBefore    value[string]   `yaml:"not-before"`
		NotOnOrAfter value[string]   `yaml:"not-on-or-after"`
	}
	if !r.decode(n, &k, "attribute", "from", "present", "list", "true-values", "false-values", "group", "member-of", "member", "not-before", "not-on-or-after") {
		return m
	}
	m = ldapsource.Mapping{Definition: r.definition(k.Attribute, n.Line), True: texts(k.True), False: texts(k.False), Group: k.Group.V,
		Member: k.Member.V, NotBefore: k.NotBefore.V, NotOnOrAfter: k.NotOnOrAfter.V}
	rules := 0
	for _, one := range []struct {
		v    value[string]
		rule ldapsource.Rule
	}{{k.From, ldapsource.ByValue}, {k.Present, ldapsource.ByPresence}, {k.List, ldapsource.ByList}, {k.Group, ldapsource.ByGroup}} {
		if one.v.Line > 0 {
			rules++
			m.Rule, m.Attribute = one.rule, one.v.V
		}
	}
	if rules != 1 {
		r.add(n.Line, "map: want one of from, present, list and group")
	}
	if m.Rule == ldapsource.ByGroup {
		m.Attribute = k.MemberOf.V
	} else if k.MemberOf.Line > 0 {
		r.add(k.MemberOf.Line, "map: member-of goes with group")
	}
	return m
}
