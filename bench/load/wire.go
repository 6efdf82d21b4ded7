package main

import (
	"time"

	"sceau/bench/load/message"
)

// wire says what a service calls things, where it is not as eHealth does; what it leaves out is as there.
type wire struct {
	Action         string      `yaml:"action"` // SOAPAction, without quotes
	Issuer         string      `yaml:"issuer"` // of assertions
	Identification []attribute `yaml:"identification"`
	Asked          []attribute `yaml:"asked"`
	Unknown        attribute   `yaml:"unknown"`
	Validity       duration    `yaml:"validity"` // that is asked for
}

// attribute is one that is claimed or asked for.
type attribute struct {
	Name      string `yaml:"name"`
	Namespace string `yaml:"namespace"`
	Value     string `yaml:"value,omitempty"` // of asked: what the answer must be; {nihii11}: the consumer's own; none: any one value
}

func (w *wire) fillIn(at place) {
	standard := message.DefaultWire()
	has := func(key string) bool { return at.has("wire", key) }
	unless(has("action"), &w.Action, standard.Action)
	unless(has("issuer"), &w.Issuer, standard.Issuer)
	unless(has("validity"), &w.Validity, duration(standard.Validity))
	unless(has("unknown"), &w.Unknown, attribute{Name: standard.Unknown.Name, Namespace: standard.Unknown.Namespace})
	if !has("identification") {
		for _, d := range standard.Identification {
			w.Identification = append(w.Identification, attribute{Name: d.Name, Namespace: d.Namespace})
		}
	}
	if !has("asked") {
		for _, a := range standard.Asked {
			w.Asked = append(w.Asked, attribute{a.Name, a.Namespace, a.Value})
		}
	}
}

// message is the wire as a PKI is made for it; nil: the standard one.
func (w *wire) message() *message.Wire {
	if w == nil {
		return nil
	}
	out := &message.Wire{Action: w.Action, Issuer: w.Issuer, Unknown: w.Unknown.message().Designator, Validity: time.Duration(w.Validity)}
	for _, a := range w.Identification {
		out.Identification = append(out.Identification, a.message().Designator)
	}
	for _, a := range w.Asked {
		out.Asked = append(out.Asked, a.message())
	}
	return out
}

func (a attribute) message() (out message.Asked) {
	out.Name, out.Namespace, out.Value = a.Name, a.Namespace, a.Value
	return out
}

func (c checker) wire(s *scenario) {
	w := s.Wire
	if w == nil {
		return
	}
	c.require(s.PKI == "", at("wire"), "wire is of a new PKI; that in %s has its own", s.PKI)
	c.require(w.Issuer != "" && w.Validity > 0, at("wire"), "wire: issuer and validity must not be empty")
	c.require(len(w.Identification) > 0, at("wire", "identification"), "wire.identification: there is none")
	seen := map[attribute]bool{}
	look := func(a attribute, path []any) {
		c.require(a.Name != "" && a.Namespace != "", path, "%s: name and namespace are needed", name(path))
		key := attribute{Name: a.Name, Namespace: a.Namespace}
		c.require(!seen[key], path, "%s: %q is there twice", name(path), a.Name)
		seen[key] = true
	}
	for i, a := range w.Identification {
		look(a, at("wire", "identification", i))
		c.require(a.Value == "", at("wire", "identification", i), "wire.identification.%d: its value is the consumer's own", i)
	}
	for i, a := range w.Asked {
		look(a, at("wire", "asked", i))
	}
	look(w.Unknown, at("wire", "unknown"))
	c.require(w.Unknown.Value == "", at("wire", "unknown"), "wire.unknown: it has no value")
}
