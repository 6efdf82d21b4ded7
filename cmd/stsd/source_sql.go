package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/attrs/database"
	"sceau/attrs/sqlsource"
)

// sqlKeys are the keys of a source of kind sql. Those of every kind, id, kind and
// attributes, may stand among them.
type sqlKeys struct {
	Driver             value[string]   `yaml:"driver"`
	DSN                value[string]   `yaml:"dsn"`
	DSNFile            value[string]   `yaml:"dsn-file"`
	PasswordFile       value[string]   `yaml:"password-file"`
	UnverifiedServer   value[bool]     `yaml:"unverified-server"`
	Channel            value[string]   `yaml:"channel"`
	Heartbeat          value[duration] `yaml:"heartbeat"`
	ConnectTimeout     value[duration] `yaml:"connect-timeout"`
	ConnectionLifetime value[duration] `yaml:"connection-lifetime"`
	ConnectionIdle     value[duration] `yaml:"connection-idle"`
	File               value[string]   `yaml:"file"`
	PollInterval       value[duration] `yaml:"poll-interval"`
	MaxConnections     value[int]      `yaml:"max-connections"`
	MaxRows            value[int]      `yaml:"max-rows"`
	Timeout            value[duration] `yaml:"timeout"`
	TTL                value[duration] `yaml:"ttl"`
	Queries            []yaml.Node     `yaml:"queries"`
}

// sqlQueryKeys are the keys of one query.
type sqlQueryKeys struct {
	Subject    value[string] `yaml:"subject"`
	Attributes yaml.Node     `yaml:"attributes"` // a list of names, or a map of names in the database to names
	Query      value[string] `yaml:"query"`
}

// readSQLSource makes a source of kind sql of the keys of its entry. Everything that is wrong goes to p; the result is nil then.
func readSQLSource(s *system, id string, keys *yaml.Node, p *problems) source {
	before := len(p.list)
	var k sqlKeys
	decodeKeys(keys, "source "+id, &k, p, "id", "kind", "attributes", "driver", "dsn", "dsn-file", "password-file", "unverified-server", "channel",
		"heartbeat", "connect-timeout", "connection-lifetime", "connection-idle", "file", "poll-interval", "max-connections", "max-rows",
		"timeout", "ttl", "queries")
	if len(p.list) > before {
		return nil
	}
	c := sqlsource.Config{
		ID: id, Catalogue: s.catalogue, Now: s.now,
		TTL: time.Duration(k.TTL.V), Timeout: time.Duration(k.Timeout.V), MaxRows: k.MaxRows.V, MaxConns: k.MaxConnections.V,
		File: s.config.path(k.File), PollInterval: time.Duration(k.PollInterval.V),
		Postgres: sqlsource.Postgres{
			DSN: s.readDSN(k.DSN, k.DSNFile, p), PasswordFile: s.config.path(k.PasswordFile), UnverifiedServer: k.UnverifiedServer.V,
			Channel: k.Channel.V, Heartbeat: time.Duration(k.Heartbeat.V), ConnectTimeout: time.Duration(k.ConnectTimeout.V),
			ConnLifetime: time.Duration(k.ConnectionLifetime.V), ConnIdle: time.Duration(k.ConnectionIdle.V),
		},
	}
	var err error
	if c.Driver, err = sqlsource.ParseDriver(k.Driver.V); err != nil {
		p.add(max(k.Driver.Line, keys.Line), "source %s: %v", id, err)
	}
	for _, v := range []value[duration]{k.Heartbeat, k.ConnectTimeout, k.ConnectionLifetime, k.ConnectionIdle, k.PollInterval, k.Timeout, k.TTL} {
		if v.Line > 0 && v.V == 0 {
			p.add(v.Line, "source %s: must be positive", id)
		}
	}
	for _, v := range []value[int]{k.MaxConnections, k.MaxRows} {
		if v.Line > 0 && v.V <= 0 {
			p.add(v.Line, "source %s: must be positive", id)
		}
	}
	for i := range k.Queries {
		c.Queries = append(c.Queries, readSQLQuery(&k.Queries[i], p))
	}
	if len(p.list) > before {
		return nil
	}
	made, err := sqlsource.Open(c)
	if err != nil {
		line := keys.Line
		if q := (*sqlsource.QueryError)(nil); errors.As(err, &q) {
			line = k.Queries[q.Query-1].Line
		}
		p.add(line, "%v", err)
		return nil
	}
	if !s.sqlAnswers(made, id, keys, p) {
		made.Close()
		return nil
	}
	return made
}

// readDSN gives the connection string of dsn or dsn-file. One that stands in the
// configuration must hold no password.
func (s *system) readDSN(dsn, file value[string], p *problems) string {
	switch {
	case dsn.Line > 0 && file.Line > 0:
		p.add(file.Line, "dsn-file: there is a dsn already")
	case dsn.Line > 0 && database.HoldsPassword(dsn.V):
		p.add(dsn.Line, "dsn: a password belongs into password-file, or the whole into dsn-file")
	case file.Line > 0:
		text, err := os.ReadFile(s.config.path(file))
		if err != nil {
			p.add(file.Line, "dsn-file: %v", err)
		}
		return strings.TrimSpace(string(text))
	}
	return dsn.V
}

// readSQLQuery reads one query.
func readSQLQuery(n *yaml.Node, p *problems) (q sqlsource.Query) {
	var k sqlQueryKeys
	decodeKeys(n, "query", &k, p, "subject", "attributes", "query")
	q.Subject, q.Text, q.Attributes = attrs.SubjectType(k.Subject.V), k.Query.V, map[string]string{}
	add := func(inDatabase, name *yaml.Node) {
		switch {
		case inDatabase.Kind != yaml.ScalarNode || name.Kind != yaml.ScalarNode:
			p.add(name.Line, "attributes: want names, or names in the database with names of attributes")
		case q.Attributes[inDatabase.Value] != "":
			p.add(inDatabase.Line, "attributes: %q twice", inDatabase.Value)
		default:
			q.Attributes[inDatabase.Value] = name.Value
		}
	}
	list := &k.Attributes
	if list.Kind == yaml.AliasNode {
		list = list.Alias
	}
	switch list.Kind {
	case yaml.SequenceNode:
		for _, name := range list.Content {
			add(name, name)
		}
	case yaml.MappingNode:
		for i := 0; i < len(list.Content); i += 2 {
			add(list.Content[i], list.Content[i+1])
		}
	default:
		p.add(n.Line, "attributes: want a list of names, or names in the database with names of attributes")
	}
	return q
}

// sqlAnswers refuses attributes of the entry that none of its queries answers: asking for them would fail.
func (s *system) sqlAnswers(made *sqlsource.Source, id string, keys *yaml.Node, p *problems) bool {
	var k struct {
		Attributes []value[string] `yaml:"attributes"`
	}
	before := len(p.list)
	if err := keys.Decode(&k); err != nil {
		p.add(keys.Line, "source %s: attributes: want a list of names", id)
	}
	for _, name := range k.Attributes {
		d, ok := s.catalogue.Find(attrs.Designator{Name: name.V, Namespace: attrs.NamespaceCertified})
		if !ok || !made.Answers(d) {
			p.add(name.Line, "source %s: no query answers %q", id, name.V)
		}
	}
	return len(p.list) == before
}
