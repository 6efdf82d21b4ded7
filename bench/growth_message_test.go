package bench

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sceau/attrs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/sts"
	"sceau/sts/ststest"
)

// A shape is a way in which a real message can be larger than it must be. What grows is the claimed name of a service in
// the self-issued assertion: an attribute may have any number of equal values.
type shape struct {
	name, title string
	value       string // of one AttributeValue
	attributes  string // written on each AttributeValue
	session     bool   // two certificates: everything is signed twice
}

func shapes() []shape {
	return []shape{
		{name: "text", title: "Message size: long values of plain text", value: strings.TrimSpace(strings.Repeat("of a service with a long name ", 33))},
		{name: "elements", title: "Message size: thousands of small elements", value: "x"},
		{name: "elements_twice", title: "Message size: thousands of small elements, signed twice", value: "x", session: true},
		// As OpenSAML and Java's binding write a value; xsi is rendered on each by canonicalization, xs on none.
		{name: "namespaces", title: "Message size: small elements that declare two namespaces each", value: "x",
			attributes: ` xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"`},
	}
}

const serviceName = "urn:be:fgov:ehealth:1.0:service-name"

// message writes a message with that many values, and a number that tells it from others.
func (s shape) message(tb testing.TB, values, number int) []byte {
	tb.Helper()
	pki := testpki.Load()
	q := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEIDP256, Asked: []string{ststest.DoctorBoolean}}
	if s.session {
		q.Holder = &pki.AliceEHealthP256
	}
	q.Change = func(q *saml.Query) {
		q.RequestID, q.AssertionID = fmt.Sprintf("_request-%028d", number), fmt.Sprintf("_assertion-%026d", number)
		if values > 0 {
			q.Identification = append(q.Identification, saml.Statement{Name: serviceName, Namespace: attrs.NamespaceIdentification,
				Values: slices.Repeat([]string{s.value}, values)})
		}
	}
	writer := &ststest.Fixture{}
	body := writer.Request(tb, q)
	if s.attributes != "" {
		body = bytes.ReplaceAll(body, []byte("<saml:AttributeValue>"), []byte("<saml:AttributeValue"+s.attributes+">"))
	}
	return writer.Seal(tb, q, body)
}

// messages writes some messages of about the size, or the smallest there are.
func (s shape) messages(tb testing.TB, size, n int) [][]byte {
	tb.Helper()
	one, more := len(s.message(tb, 1, 0)), len(s.message(tb, 101, 0))
	values := max(0, (size-one)*100/(more-one))
	var all [][]byte
	for i := range n {
		all = append(all, s.message(tb, values, i))
	}
	return all
}

// roomy raises the limits for messages of more than a megabyte.
func roomy(c *sts.Config) {
	c.SOAP.Limits.Bytes, c.SOAP.Limits.Nodes = 4<<20, 1<<20
}

// BenchmarkGrowthMessage is the request against its size.
func BenchmarkGrowthMessage(b *testing.B) {
	f := service{signer: &testpki.Load().STSP256, change: roomy}.start(b)
	for _, s := range shapes() {
		b.Run(s.name, func(b *testing.B) {
			g := &growth{title: s.title, first: "bytes", roads: []road{{}}}
			for _, size := range choose([]int{5_000, 20_000, 64_000, 256_000, 1_000_000}, []int{5_000, 20_000, 64_000}) {
				messages := s.messages(b, size, growthPool)
				g.add(len(messages[0]), nil, newLane(b, f, messages, 1))
			}
			g.run(b)
		})
	}
}

// BenchmarkGrowthDesignators is the request against the number of attributes that are asked for and answered.
func BenchmarkGrowthDesignators(b *testing.B) {
	numbers := choose([]int{1, 10, 50, 100, 500}, []int{1, 10, 50})
	asking := newAsking(b, slices.Max(numbers))
	f := asking.service(&testpki.Load().STSP256).start(b)
	g := &growth{title: "Designators: attributes asked for, each with a value from the registry", first: "designators",
		extra: []string{"bytes of the message"}, roads: []road{{}}}
	for _, n := range numbers {
		messages := asking.messages(b, n, growthPool)
		g.add(n, []string{thousands(len(messages[0]))}, newLane(b, f, messages, 1))
	}
	g.run(b)
}

// An asking is a catalogue with many certified attributes, a policy that releases them, and a registry that holds a
// value for each.
type asking struct {
	catalogue *attrs.Catalogue
	names     []string
	rules     []byte
	facts     []byte
	tb        testing.TB
}

func newAsking(tb testing.TB, n int) *asking {
	tb.Helper()
	a := &asking{tb: tb}
	rules := "version: 1\nprofiles:\n  MANY:\n    maximum-validity: 12h\n    attributes:\n"
	facts := "subject_type,subject,attribute,value,not_before,not_on_or_after\n"
	var more []attrs.Definition
	for i := range n {
		name := fmt.Sprintf("urn:be:fgov:person:ssin:ehealth:1.0:growth:%03d:text", i)
		a.names = append(a.names, name)
		more = append(more, attrs.Definition{Designator: attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified},
			Title: "one of many", Kind: attrs.Text, KeyedBy: []attrs.Key{{attrs.PersonSSIN}}})
		rules += fmt.Sprintf("      - {name: %q, namespace: certified}\n", name)
		facts += fmt.Sprintf("ssin,%s,%s,value %d,,\n", testpki.AliceSSIN, name, i)
	}
	rules += "rules:\n  - {id: many, effect: permit, identity: {kinds: [eid]}, profiles: [MANY]}\n"
	var err error
	a.catalogue, err = attrs.EHealth().With(more...)
	fatal(tb, err)
	a.rules, a.facts = []byte(rules), []byte(facts)
	return a
}

func (a *asking) service(signer *testpki.Leaf) service {
	return service{signer: signer, catalogue: a.catalogue, rules: a.rules, registry: newRegistry(a.tb, a.catalogue, a.facts),
		change: func(c *sts.Config) {
			roomy(c)
			c.MaxDesignators = len(a.names)
		}}
}

// messages writes some messages that ask for n attributes and for nothing else.
func (a *asking) messages(tb testing.TB, n, count int) [][]byte {
	tb.Helper()
	pki := testpki.Load()
	var all [][]byte
	for i := range count {
		q := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEIDP256, Asked: a.names[:n]}
		q.Change = func(q *saml.Query) {
			q.RequestID, q.AssertionID = fmt.Sprintf("_request-%028d", i), fmt.Sprintf("_assertion-%026d", i)
			q.Designators = q.Designators[len(q.Identification):]
		}
		all = append(all, new(ststest.Fixture).Message(tb, q))
	}
	return all
}
