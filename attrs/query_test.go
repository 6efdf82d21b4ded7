package attrs

import "testing"

func TestQuerySubject(t *testing.T) {
	ssin := find(t, PersonSSIN, NamespaceIdentification)
	holderSSIN := find(t, CertificateHolderSSIN, NamespaceIdentification)
	pharmacy := find(t, prefix+"pharmacy:nihii-number", NamespaceIdentification)
	holderHospital := find(t, holder+"hospital:nihii-number", NamespaceIdentification)
	holderCBE := find(t, holder+"enterprise:cbe-number", NamespaceIdentification)

	doctor := find(t, PersonSSIN+":doctor:boolean", NamespaceCertified)
	titular := find(t, prefix+"pharmacy:nihii-number:person:ssin:ehealth:1.0:pharmacy-holder:boolean", NamespaceCertified)
	recognised := find(t, holder+"recognisedorganization:boolean", NamespaceCertified)

	tests := []struct {
		name     string
		d        *Definition
		subjects []Keyed
		want     Subject
		reason   Reason
	}{
		{"a person", doctor, []Keyed{{ssin, alice}}, Subject{SubjectSSIN, alice}, 0},
		{"among others", doctor, []Keyed{{pharmacy, "71000040"}, {ssin, alice}, {holderSSIN, "93051822361"}}, Subject{SubjectSSIN, alice}, 0},
		{"said twice", doctor, []Keyed{{ssin, alice}, {ssin, alice}}, Subject{SubjectSSIN, alice}, 0},
		{"nobody", doctor, nil, Subject{}, NoSubject},
		{"somebody else", doctor, []Keyed{{holderSSIN, alice}}, Subject{}, NoSubject},
		{"an empty number", doctor, []Keyed{{ssin, ""}}, Subject{}, NoSubject},
		{"two persons (H4)", doctor, []Keyed{{ssin, alice}, {ssin, "93051822361"}}, Subject{}, AmbiguousSubject},
		{"a pharmacy and a person", titular, []Keyed{{ssin, alice}, {pharmacy, "71000040"}}, Subject{"nihii/ssin", "71000040/" + alice}, 0},
		{"only the person", titular, []Keyed{{ssin, alice}}, Subject{}, NoSubject},
		{"only the pharmacy", titular, []Keyed{{pharmacy, "71000040"}}, Subject{}, NoSubject},
		{"two pharmacies", titular, []Keyed{{ssin, alice}, {pharmacy, "71000040"}, {pharmacy, "71000042"}}, Subject{}, AmbiguousSubject},
		{"organisation by NIHII", recognised, []Keyed{{holderHospital, "71000040"}}, Subject{SubjectNIHII, "71000040"}, 0},
		{"organisation by CBE", recognised, []Keyed{{holderCBE, "0809394427"}}, Subject{SubjectCBE, "0809394427"}, 0},
		{"by both", recognised, []Keyed{{holderCBE, "0809394427"}, {holderHospital, "71000040"}}, Subject{}, AmbiguousSubject},
		{"organisation not named", recognised, []Keyed{{ssin, alice}, {pharmacy, "71000040"}}, Subject{}, NoSubject},
		{"an identification attribute", ssin, []Keyed{{ssin, alice}}, Subject{}, NoSubject},
	}
	for _, test := range tests {
		q := &Query{Subjects: test.subjects}
		got, err := q.Subject(test.d)
		if got != test.want || ReasonOf(err) != test.reason || (err != nil) != (test.reason != 0) {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
		if got != (Subject{}) && !got.Valid() {
			t.Errorf("%s: %v is not valid", test.name, got)
		}
	}
	q := &Query{Subjects: []Keyed{{pharmacy, "71000040"}, {ssin, alice}}}
	if n := testing.AllocsPerRun(100, func() { q.Subject(doctor) }); n != 0 {
		t.Errorf("Subject allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { q.Subject(titular) }); n > 2 {
		t.Errorf("Subject of a relation allocates %v times", n)
	}
}
