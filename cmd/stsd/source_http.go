package main

import (
	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/attrs/httpsource"
)

// httpKeys are the keys of a source of kind http. Those of every kind may stand among them.
type httpKeys struct {
	ID         value[string]   `yaml:"id"`
	Kind       value[string]   `yaml:"kind"`
	Attributes []value[string] `yaml:"attributes"`

	Method       value[string]            `yaml:"method"`
	URLs         map[string]value[string] `yaml:"urls"`
	Bodies       map[string]value[string] `yaml:"bodies"`
	clientKeys   `yaml:",inline"`
	TokenFile    value[string]            `yaml:"token-file"`
	Success      []value[int]             `yaml:"success"`
	NotFound     []value[int]             `yaml:"not-found"`
	NotFoundAt   value[string]            `yaml:"not-found-at"`
	NotFoundIs   []value[string]          `yaml:"not-found-is"`
	ContentTypes []value[string]          `yaml:"content-types"`
	Echo         map[string]value[string] `yaml:"echo"`
	Map          []yaml.Node              `yaml:"map"`
	TTL          value[duration]          `yaml:"ttl"`
	CacheControl value[bool]              `yaml:"cache-control"`
	HealthURL    value[string]            `yaml:"health-url"`

	RequestTimeout value[duration] `yaml:"request-timeout"`
	Connections    value[int]      `yaml:"connections"`
	Idle           value[duration] `yaml:"idle"`
	MaxBytes       value[int64]    `yaml:"max-bytes"`
	MaxDepth       value[int]      `yaml:"max-depth"`
}

// readHTTPSource reads an entry of sources that is a service over HTTP. Everything that is wrong goes to p; the result is nil
// then.
func readHTTPSource(s *system, id string, keys *yaml.Node, p *problems) source {
	r, before := newSourceReader(s, id, keys, p), len(p.list)
	var k httpKeys
	if !r.decode(r.keys, &k, "id", "kind", "attributes", "method", "urls", "bodies", "ca", "server-name", "certificate", "key", "token-file", "success",
		"not-found", "not-found-at", "not-found-is", "content-types", "echo", "map", "ttl", "cache-control", "health-url", "request-timeout", "connections",
		"idle", "max-bytes", "max-depth") {
		return nil
	}
	statuses := func(list []value[int]) (all []int) {
		for _, v := range list {
			all = append(all, v.V)
		}
		return all
	}
	c := httpsource.Config{
		ID: id, Method: k.Method.V, URLs: r.bySubject(k.URLs, "URL", "request"), Bodies: r.bySubject(k.Bodies, "body"), TLS: k.tls(s.config),
		TokenFile: s.config.path(k.TokenFile), Success: statuses(k.Success), NotFound: statuses(k.NotFound),
		NotFoundAt: k.NotFoundAt.V, NotFoundIs: texts(k.NotFoundIs), ContentTypes: texts(k.ContentTypes),
		TTL: positiveTime(r, k.TTL, "ttl"), CacheControl: k.CacheControl.V, HealthURL: k.HealthURL.V,
		Timeout: positiveTime(r, k.RequestTimeout, "request-timeout"), MaxConnections: positive(r, k.Connections, "connections"),
		IdleTimeout: positiveTime(r, k.Idle, "idle"), MaxBytes: positive(r, k.MaxBytes, "max-bytes"), MaxDepth: positive(r, k.MaxDepth, "max-depth"),
		Now: s.now,
	}
	r.lines["method "], r.lines["URL of health"] = k.Method.Line, k.HealthURL.Line
	if len(k.Echo) > 0 {
		c.Echo = make(map[string]string, len(k.Echo))
		for part, path := range k.Echo {
			c.Echo[part], r.lines["echo of "+part+":"] = path.V, path.Line
		}
	}
	mapped := map[*attrs.Definition]bool{}
	for i := range k.Map {
		m := r.readHTTPMapping(&k.Map[i])
		c.Mappings = append(c.Mappings, m)
		mapped[m.Definition] = true
	}
	if len(p.list) == before {
		r.covers(k.Attributes, func(d *attrs.Definition) bool { return mapped[d] })
	}
	if len(p.list) > before {
		return nil
	}
	made, err := httpsource.Open(c)
	if err != nil {
		r.refused(err)
		return nil
	}
	return made
}

// readHTTPMapping reads one entry of map. Which of value, present and list stands there is its rule.
func (r *sourceReader) readHTTPMapping(n *yaml.Node) (m httpsource.Mapping) {
	var k struct {
		Attribute    value[string]   `yaml:"attribute"`
		Items        value[string]   `yaml:"items"`
		Where        value[string]   `yaml:"where"`
		Is           []value[string] `yaml:"is"`
		Value        value[string]   `yaml:"value"`
		Present      value[string]   `yaml:"present"`
		List         value[string]   `yaml:"list"`
		True         []value[string] `yaml:"true-values"`
		False        []value[string] `yaml:"false-values"`
		NotBefore    value[string]   `yaml:"not-before"`
		NotOnOrAfter value[string]   `yaml:"not-on-or-after"`
		Optional     value[bool]     `yaml:"optional"`
	}
	if !r.decode(n, &k, "attribute", "items", "where", "is", "value", "present", "list", "true-values", "false-values", "not-before", "not-on-or-after", "optional") {
		return m
	}
	m = httpsource.Mapping{Definition: r.definition(k.Attribute, n.Line), Items: k.Items.V, Where: k.Where.V, Is: texts(k.Is),
		True: texts(k.True), False: texts(k.False), NotBefore: k.NotBefore.V, NotOnOrAfter: k.NotOnOrAfter.V, Optional: k.Optional.V}
	rules := 0
	for _, one := range []struct {
		v    value[string]
		rule httpsource.Rule
	}{{k.Value, httpsource.ByValue}, {k.Present, httpsource.ByPresence}, {k.List, httpsource.ByList}} {
		if one.v.Line > 0 {
			rules++
			m.Rule, m.Value = one.rule, one.v.V
		}
	}
	if rules != 1 {
		r.add(n.Line, "map: want one of value, present and list")
	}
	return m
}
