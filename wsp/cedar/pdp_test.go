package cedar_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"sceau/attrs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/wsp"
	"sceau/wsp/cedar"
	"sceau/wsp/wsptest"
)

const (
	doctor = "urn:be:fgov:person:ssin:doctor:boolean"
	nurse  = "urn:be:fgov:person:ssin:nurse:boolean"
)

const permitDoctors = `@id("doctors-enter-dtw")
permit (principal in Role::"doctor", action == Action::"enter", resource == Application::"DTW");
`

const forbidNurses = `@id("no-nurses")
forbid (principal in Role::"nurse", action == Action::"enter", resource);
`

func files(policies string) fstest.MapFS {
	return fstest.MapFS{
		"p.cedar": {Data: []byte(policies)},
		"roles.json": {Data: []byte(`[{"uid": {"type": "Role", "id": "doctor"}, "attrs": {"attribute": "` + doctor + `"}, "parents": []},
			{"uid": {"type": "Role", "id": "nurse"}, "attrs": {"attribute": "` + nurse + `"}, "parents": []},
			{"uid": {"type": "Application", "id": "DTW"}, "attrs": {}, "parents": []}]`)},
	}
}

func config(policies string) cedar.Config {
	return cedar.Config{Files: files(policies), Resource: cedar.Resource{Type: "Application", ID: "DTW"}, Now: testpki.Now}
}

func certified(name string, values ...string) saml.Statement {
	return saml.Statement{Name: name, Namespace: attrs.NamespaceCertified, Values: values}
}

var alice = saml.Statement{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{testpki.AliceSSIN}}

// TestDecide: policies decide upon the assertion; what it does not say is nothing that may be assumed.
func TestDecide(t *testing.T) {
	pki := testpki.Load()
	for name, c := range map[string]struct {
		policies   string
		lenient    bool
		attributes []saml.Statement
		reason     wsp.Reason
	}{
		"a doctor":                          {permitDoctors, false, []saml.Statement{alice, certified(doctor, "true")}, 0},
		"who is none":                       {permitDoctors, false, []saml.Statement{alice, certified(doctor, "false")}, wsp.Denied},
		"who does not say":                  {permitDoctors, false, []saml.Statement{alice}, wsp.Denied},
		"who does not say, taken for none":  {permitDoctors, true, []saml.Statement{alice}, wsp.Denied},
		"H4 in the other namespace":         {permitDoctors, true, []saml.Statement{alice, {Name: doctor, Namespace: attrs.NamespaceIdentification, Values: []string{"true"}}}, wsp.Denied},
		"no policy":                         {"", false, []saml.Statement{alice, certified(doctor, "true")}, wsp.Denied},
		"a forbid that does not hold":       {permitDoctors + forbidNurses, false, []saml.Statement{alice, certified(doctor, "true"), certified(nurse, "false")}, 0},
		"a forbid that holds":               {permitDoctors + forbidNurses, false, []saml.Statement{alice, certified(doctor, "true"), certified(nurse, "true")}, wsp.Denied},
		"a forbid of which nothing is said": {permitDoctors + forbidNurses, false, []saml.Statement{alice, certified(doctor, "true")}, wsp.Denied},
		"the same, taken for none":          {permitDoctors + forbidNurses, true, []saml.Statement{alice, certified(doctor, "true")}, 0},
		"W15 said twice":                    {permitDoctors, true, []saml.Statement{alice, certified(doctor, "false"), certified(doctor, "true")}, wsp.Denied},
		"H2 true and false":                 {permitDoctors, true, []saml.Statement{alice, certified(doctor, "true", "false")}, wsp.Denied},
		"a boolean that is none":            {permitDoctors, true, []saml.Statement{alice, certified(doctor, "TRUE")}, wsp.Denied},
		"two persons":                       {permitDoctors, true, []saml.Statement{{Name: alice.Name, Namespace: alice.Namespace, Values: []string{testpki.AliceSSIN, testpki.BobSSIN}}, certified(doctor, "true")}, wsp.Denied},
		"H4 of a person who is not named":   {permitDoctors, false, []saml.Statement{certified(doctor, "true")}, wsp.Denied},
		"H4 the same, taken for none":       {permitDoctors, true, []saml.Statement{certified(doctor, "true")}, wsp.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			settings := config(c.policies)
			settings.AbsentIsNone = c.lenient
			pdp, err := cedar.New(settings)
			if err != nil {
				t.Fatal(err)
			}
			g := wsptest.Guard(t, func(c *wsp.Config) { c.PDP = pdp })
			caller, err := g.Admit(wsptest.Call(t, &pki.AliceEHealth, c.attributes...), testpki.Now())
			if wsp.ReasonOf(err) != c.reason || (err == nil) == caller.IsZero() {
				t.Errorf("%v, want %v", err, c.reason)
			}
			if err != nil && strings.Contains(err.Error(), testpki.AliceSSIN) {
				t.Error("a person in an error:", err)
			}
		})
	}
	t.Run("an organisation", func(t *testing.T) {
		pdp, err := cedar.New(config(`@id("one") permit (principal == Organisation::"NIHII-HOSPITAL=` + testpki.HospitalNIHII + `", action == Action::"enter", resource);`))
		if err != nil {
			t.Fatal(err)
		}
		g := wsptest.Guard(t, func(c *wsp.Config) { c.PDP = pdp })
		if _, err := g.Admit(wsptest.Call(t, &pki.Hospital, certified(doctor, "true")), testpki.Now()); err != nil {
			t.Error(err)
		}
		if _, err := g.Admit(wsptest.Call(t, &pki.BobEHealth, certified(doctor, "true")), testpki.Now()); wsp.ReasonOf(err) != wsp.Denied {
			t.Error(err)
		}
	})
}

// TestNobody: the zero caller enters nowhere.
func TestNobody(t *testing.T) {
	pdp, err := cedar.New(config(`@id("all") permit (principal, action == Action::"enter", resource);`))
	if err != nil {
		t.Fatal(err)
	}
	for _, caller := range []*wsp.Caller{nil, {}} {
		if err := pdp.Decide(context.Background(), caller); err == nil || errors.Is(err, wsp.ErrNoDecision) {
			t.Error(err)
		}
	}
}

// TestNew: what could never admit anybody, or what is wrong, is said at once.
func TestNew(t *testing.T) {
	for name, change := range map[string]func(*cedar.Config){
		"no resource":       func(c *cedar.Config) { c.Resource = cedar.Resource{} },
		"unknown type":      func(c *cedar.Config) { c.Resource.Type = "Nothing" },
		"unknown action":    func(c *cedar.Config) { c.Action = "leave" },
		"a policy is wrong": func(c *cedar.Config) { c.Files = files("permit (principal") },
	} {
		c := config(permitDoctors)
		change(&c)
		if _, err := cedar.New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func Example() {
	var t testing.T
	pdp, err := cedar.New(cedar.Config{
		Files:    files(permitDoctors), // os.DirFS("policies")
		Resource: cedar.Resource{Type: "Application", ID: "DTW"},
		Now:      testpki.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	guard := wsptest.Guard(&t, func(c *wsp.Config) { c.PDP = pdp })
	defer guard.Close()
	for _, is := range []string{"true", "false"} {
		_, err = guard.Admit(wsptest.Call(&t, &testpki.Load().AliceEHealth, alice, certified(doctor, is)), testpki.Now())
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// wsp: denied: cedar: denied by
}
