package attrs_test

import (
	"context"
	"fmt"
	"time"

	"sceau/attrs"
)

// A query names whose attributes are wanted and which, and gets an answer for each.
func Example() {
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	catalogue := attrs.EHealth()
	ssin, _ := catalogue.Find(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification})
	asked := []string{"urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean", "urn:be:fgov:person:ssin:nurse:boolean"}
	q := attrs.Query{Subjects: []attrs.Keyed{{By: ssin, Value: "00000000097"}}, At: now}
	for _, name := range asked {
		d, _ := catalogue.Lookup([]byte(name), []byte(attrs.NamespaceCertified))
		q.Definitions = append(q.Definitions, d)
	}

	source, err := attrs.NewStatic("example", func() time.Time { return now }, []attrs.StaticFact{{
		Subject:    attrs.Subject{Type: attrs.SubjectSSIN, Value: "00000000097"},
		Definition: q.Definitions[0],
		Fact:       attrs.Fact{Value: "true", NotOnOrAfter: now.Add(time.Hour)},
	}})
	if err != nil {
		panic(err)
	}
	resolver, err := attrs.NewResolver(attrs.Config{
		Catalogue: catalogue, Routes: []attrs.Route{{Source: source}}, Budget: time.Second,
	})
	if err != nil {
		panic(err)
	}
	defer resolver.Close()
	answers, err := resolver.Resolve(context.Background(), &q, nil)
	if err != nil {
		panic(err)
	}
	for i := range answers {
		for v := range answers[i].WireValues { // the answer goes out under the name that was asked
			fmt.Println(asked[i], v, answers[i].State)
		}
	}
	fmt.Println("at the latest until", attrs.Earliest(answers).Format(time.TimeOnly))
	// Output:
	// urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean true affirmed
	// urn:be:fgov:person:ssin:nurse:boolean false denied
	// at the latest until 21:00:00
}
