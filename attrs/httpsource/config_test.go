package httpsource

import (
	"strings"
	"testing"

	"sceau/attrs"
)

// TestConfig: what a configuration may not say, each with the word by which the operator finds it.
func TestConfig(t *testing.T) {
	p := newPKI(t)
	sound := func() Config {
		c := config("https://api.example")
		c.TLS = p.client()
		return c
	}
	open(t, sound())
	hospital, _ := attrs.EHealth().Find(attrs.Designator{Name: "urn:be:fgov:ehealth:1.0:hospital:nihii-number:recognisedhospital:boolean", Namespace: attrs.NamespaceCertified})
	session, _ := attrs.EHealth().Find(attrs.Designator{Name: attrs.UserSession, Namespace: attrs.NamespaceCertified})
	for name, tt := range map[string]struct {
		change func(*Config)
		why    string
	}{
		"nothing":                      {func(c *Config) { *c = Config{} }, "no URL"},
		"no ID":                        {func(c *Config) { c.ID = "" }, "no ID"},
		"another method":               {func(c *Config) { c.Method = "DELETE" }, "want GET or POST"},
		"a body with GET":              {func(c *Config) { c.Bodies = map[attrs.SubjectType]string{"ssin": `["{ssin}"]`} }, "goes with POST"},
		"a body of nothing":            {func(c *Config) { c.Method, c.Bodies = "POST", map[attrs.SubjectType]string{"cbe": `["{cbe}"]`} }, "no URL"},
		"no mapping":                   {func(c *Config) { c.Mappings = nil }, "no attribute is mapped"},
		"no time to live":              {func(c *Config) { c.TTL = 0 }, "no time to live"},
		"a negative time":              {func(c *Config) { c.Timeout = -1 }, "negative time"},
		"a negative limit":             {func(c *Config) { c.MaxBytes = -1 }, "negative limit"},
		"a success that is none":       {func(c *Config) { c.Success = []int{500} }, "no success"},
		"a redirect as success":        {func(c *Config) { c.Success = []int{302} }, "no success"},
		"a success in part":            {func(c *Config) { c.Success = []int{206} }, "no success"},
		"an outage as not found":       {func(c *Config) { c.NotFound = []int{503} }, "does not say that"},
		"a refusal as not found":       {func(c *Config) { c.NotFound = []int{403} }, "does not say that"},
		"a condition without a status": {func(c *Config) { c.NotFound = nil }, "without a status"},
		"a condition without a word":   {func(c *Config) { c.NotFoundIs = nil }, "condition on not found"},
		"a condition at no path":       {func(c *Config) { c.NotFoundAt = "code" }, "JSON Pointer"},
		"http elsewhere":               {func(c *Config) { c.URLs["ssin"] = "http://api.example/{ssin}" }, "only on loopback"},
		"no CA":                        {func(c *Config) { c.TLS.CAFile = "" }, "no file of certification authorities"},
		"no TLS at all":                {func(c *Config) { c.TLS.CAFile, c.TLS.CertificateFile, c.TLS.KeyFile = "", "", "" }, "no file of certification authorities"},
		"a token that is not there":    {func(c *Config) { c.TokenFile = p.file("none") }, "none"},
		"a token that is none":         {func(c *Config) { p.write(t, "bad", []byte("a b")); c.TokenFile = p.file("bad") }, "RFC 6750"},
		"health elsewhere":             {func(c *Config) { c.HealthURL = "https://health.example/" }, "not of a host"},
		"health of a longer host":      {func(c *Config) { c.HealthURL = "https://api.example.org/" }, "not of a host"},
		"health in the clear":          {func(c *Config) { c.HealthURL = "http://api.example/" }, "only on loopback"},
		"no URL for a subject":         {func(c *Config) { c.Mappings[0].Definition = hospital }, "no URL for subjects of type nihii"},
		"a computed attribute":         {func(c *Config) { c.Mappings[0].Definition = session }, "no attribute that a source"},
		"mapped twice":                 {func(c *Config) { c.Mappings[1] = c.Mappings[0] }, "twice"},
		"no path":                      {func(c *Config) { c.Mappings[0].Value = "" }, "no path to the value"},
		"a path that is none":          {func(c *Config) { c.Mappings[0].Value = "$..doctor" }, "after $ come"},
		"no rule":                      {func(c *Config) { c.Mappings[0].Rule = ByList + 1 }, "no rule"},
		"a value by presence":          {func(c *Config) { c.Mappings[2].Rule = ByPresence }, "only a boolean"},
		"a list without values":        {func(c *Config) { c.Mappings[3].True = nil }, "list of values"},
		"a list for another rule":      {func(c *Config) { c.Mappings[0].True = []string{"1"} }, "list of values"},
		"true and false":               {func(c *Config) { c.Mappings[3].False = []string{"7"} }, "true and false"},
		"a condition of an item":       {func(c *Config) { c.Mappings[4].Is = nil }, "a condition is"},
	} {
		t.Run(name, func(t *testing.T) {
			c := sound()
			tt.change(&c)
			s, err := Open(c)
			if err == nil || s != nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v, want %q", err, tt.why)
			}
		})
	}
}

// TestMappings: rules and shapes beyond those of the common configuration.
func TestMappings(t *testing.T) {
	p, err := parseTemplate("ssin", "https://api.example/{ssin}", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		mapping Mapping
		text    string
		want    string // values, or, after "!", what the refusal says
	}{
		"present":                     {Mapping{Definition: doctor, Rule: ByPresence, Value: "/a"}, `{"a": {}}`, "true"},
		"null is not present":         {Mapping{Definition: doctor, Rule: ByPresence, Value: "/a"}, `{"a": null}`, "false"},
		"not present":                 {Mapping{Definition: doctor, Rule: ByPresence, Value: "/a/b"}, `{"a": {}}`, "false"},
		"present in another shape":    {Mapping{Definition: doctor, Rule: ByPresence, Value: "/a/b"}, `{"a": "b"}`, "!another shape"},
		"an item":                     {Mapping{Definition: doctor, Rule: ByPresence, Items: "/a", Where: "$", Is: []string{"doctor"}}, `{"a": ["nurse", "doctor"]}`, "true"},
		"no item":                     {Mapping{Definition: doctor, Rule: ByPresence, Items: "/a", Where: "$", Is: []string{"doctor"}}, `{"a": ["nurse"]}`, "false"},
		"no items":                    {Mapping{Definition: doctor, Rule: ByPresence, Items: "/a"}, `{"a": []}`, "false"},
		"items that are gone":         {Mapping{Definition: doctor, Rule: ByPresence, Items: "/a"}, `{}`, "!does not have"},
		"optional items":              {Mapping{Definition: doctor, Rule: ByPresence, Items: "/a", Optional: true}, `{}`, "false"},
		"optional, and there":         {Mapping{Definition: doctor, Value: "/a", Optional: true}, `{"a": true}`, "true"},
		"optional, and not there":     {Mapping{Definition: doctor, Value: "/a", Optional: true}, `{}`, "false"},
		"optional, in another shape":  {Mapping{Definition: doctor, Value: "/a/b", Optional: true}, `{"a": 1}`, "!another shape"},
		"optional text":               {Mapping{Definition: surname, Value: "/a", Optional: true}, `{}`, ""},
		"all elements":                {Mapping{Definition: doctor, Value: "$.a[*].b"}, `{"a": [{"b": true}, {"b": true}]}`, "true"},
		"an element without":          {Mapping{Definition: doctor, Value: "$.a[*].b"}, `{"a": [{"b": true}, {}]}`, "!does not have"},
		"elements that differ":        {Mapping{Definition: doctor, Value: "$.a[*].b"}, `{"a": [{"b": true}, {"b": false}]}`, "!several"},
		"a number in a list":          {Mapping{Definition: doctor, Rule: ByList, Value: "/a", True: []string{"7"}}, `{"a": 7}`, "true"},
		"as it is written":            {Mapping{Definition: doctor, Rule: ByList, Value: "/a", True: []string{"7"}}, `{"a": 7.0}`, "false"},
		"a word in a list":            {Mapping{Definition: doctor, Rule: ByList, Value: "/a", True: []string{"yes"}}, `{"a": ["no", "yes"]}`, "true"},
		"another case":                {Mapping{Definition: doctor, Rule: ByList, Value: "/a", True: []string{"yes"}}, `{"a": "YES"}`, "false"},
		"a list in a list":            {Mapping{Definition: doctor, Rule: ByList, Value: "/a", True: []string{"yes"}}, `{"a": [["yes"]]}`, "!another kind"},
		"null in a list":              {Mapping{Definition: doctor, Rule: ByList, Value: "/a", True: []string{"null"}}, `{"a": null}`, "false"},
		"a condition on an object":    {Mapping{Definition: doctor, Value: "/a", Where: "/b", Is: []string{"x"}}, `{"a": true, "b": {}}`, "!another shape"},
		"a condition that holds not":  {Mapping{Definition: doctor, Value: "/a", Where: "/b", Is: []string{"x"}}, `{"a": true, "b": "y"}`, "false"},
		"a condition on what is gone": {Mapping{Definition: doctor, Value: "/a", Where: "/b", Is: []string{"x"}}, `{"a": true}`, "!does not have"},
		"future":                      {Mapping{Definition: doctor, Value: "/a", NotBefore: "/b"}, `{"a": true, "b": "2027-01-01T00:00:00Z"}`, "false until 2027-01-01"},
		"two bounds":                  {Mapping{Definition: doctor, Value: "/a", NotBefore: "$.b[*]"}, `{"a": true, "b": ["2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"]}`, "!RFC 3339"},
	} {
		t.Run(name, func(t *testing.T) {
			m := tt.mapping
			if err := m.check(map[attrs.SubjectType]*template{attrs.SubjectSSIN: p}); err != nil {
				t.Fatal(err)
			}
			n, err := parseJSON([]byte(tt.text), 10)
			if err != nil {
				t.Fatal(err)
			}
			facts, err := m.facts(n)
			var c attrs.Certified
			if err == nil {
				c, err = attrs.Certify(m.Definition, facts, testNow())
			}
			if why, refused := strings.CutPrefix(tt.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Errorf("%v, want %q", err, why)
				}
				return
			}
			got := told([]attrs.Certified{c})
			if !c.NotOnOrAfter.IsZero() {
				got += " until " + c.NotOnOrAfter.Format("2006-01-02")
			}
			if err != nil || got != tt.want {
				t.Errorf("%q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
