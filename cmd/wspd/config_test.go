package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"sceau/certs"
)

// TestExample: the example is a configuration, and what it shows for keys that may be
// left out is what they then are.
func TestExample(t *testing.T) {
	c, err := parseConfig([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	d := defaults()
	if c.Limits != d.Limits || c.Timestamp != d.Timestamp || c.Log != d.Log || c.SHA1 != d.SHA1 || c.Skew != d.Skew ||
		c.ReplayCapacity != d.ReplayCapacity || c.AssertionMemoryMegabytes != d.AssertionMemoryMegabytes {
		t.Errorf("the example shows other values than are the default:\n%+v\n%+v", c, d)
	}
	if w := c.warnings(); len(w) != 0 {
		t.Error(w)
	}
	// Every key of the configuration stands in its manual.
	for _, key := range keys(reflect.TypeFor[config]()) {
		if !strings.Contains(example, key+":") {
			t.Errorf("key %s is not in the example", key)
		}
	}
}

func keys(t reflect.Type) (all []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			all = append(append(all, key), keys(t.Field(i).Type)...)
		}
	}
	return all
}

func TestParseConfig(t *testing.T) {
	good := "listen: {address: 127.0.0.1:0}\nissuers: [urn:x]\nsts: {pinned: [a.pem]}\nholders: [{kind: eid, roots: [{certificate: b.pem}]}]\n"
	for name, c := range map[string]struct {
		text string
		want []string // parts of the error; none: it is in order
	}{
		"good":           {good, nil},
		"empty":          {"", []string{"listen.address", "holders"}},
		"unknown key":    {good + "isuers: [x]\nlisten2: 1\n", []string{"line 5: field isuers not found", "line 6: field listen2 not found"}},
		"unknown deep":   {good + "admin: {adress: x}\n", []string{"line 5: field adress not found"}},
		"key twice":      {good + "issuers: [urn:y]\n", []string{"already"}},
		"two documents":  {good + "---\n" + good, []string{"more than one document"}},
		"duration":       {good + "skew: 5\n", []string{`line 5: "5" is no duration`}},
		"negative":       {good + "skew: -5s\n", []string{`line 5: "-5s" is no duration`}},
		"plain, outside": {strings.Replace(good, "127.0.0.1", "0.0.0.0", 1), []string{"plain HTTP"}},
		"plain, any":     {strings.Replace(good, "127.0.0.1:0", "':0'", 1), []string{"plain HTTP"}},
		"plain, said":    {strings.Replace(good, "127.0.0.1:0", "'0.0.0.0:0', plain-anywhere: true", 1), nil},
		"localhost":      {strings.Replace(good, "127.0.0.1", "localhost", 1), nil},
		"path":           {strings.Replace(good, "0}", "0, path: '/{x}'}", 1), []string{"listen.path"}},
		"half of TLS":    {strings.Replace(good, "0}", "0, tls: {certificate: x}}", 1), []string{"listen.tls"}},
		"much": {good + "limits: {concurrent: 0}\nenvironment: Moon\nreplay-capacity: 0\nassertion-memory-megabytes: -1\nlog: {format: xml}\nadmin: {address: x}\n",
			[]string{"limits:", "environment:", "replay-capacity:", "assertion-memory-megabytes:", "log.format:", "admin.address:"}},
		"kind":  {strings.Replace(good, "kind: eid", "kind: any", 1), []string{"holders[0].kind"}},
		"level": {good + "log: {level: loud}\n", []string{"loud"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig([]byte(c.text))
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("taken")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in %v", part, err)
				}
			}
		})
	}
}

func TestDuration(t *testing.T) {
	c, err := parseConfig([]byte("listen: {address: 127.0.0.1:0}\nskew: 90s\nholders: [{kind: eid}]\n"))
	if err != nil || time.Duration(c.Skew) != 90*time.Second {
		t.Error(c.Skew, err)
	}
}

// TestOCSPKeys: what is said of OCSP is taken; what is half said is refused and never taken for nothing.
func TestOCSPKeys(t *testing.T) {
	parse := func(ocsp string) (*certs.OCSP, error) {
		c, err := parseConfig([]byte("listen: {address: 127.0.0.1:0}\nissuers: [urn:x]\nsts: {pinned: [a.pem]}\nholders:\n  - kind: eid\n    roots:\n      - certificate: b.pem\n" + ocsp))
		if err != nil {
			t.Fatal(err)
		}
		return c.ocsp(c.Holders[0].Roots[0])
	}
	if o, err := parse(""); o != nil || err != nil {
		t.Errorf("without the key: %v, %v", o, err)
	}
	o, err := parse("        ocsp: {responders: ['http://ocsp.example/2'], mode: hard, nonce: true, wait: 2s, max-age: 1h}\n")
	if err != nil || o.Mode != certs.OCSPHard || !o.Nonce || o.Wait != 2*time.Second || o.MaxAge != time.Hour || len(o.Responders) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	for name, text := range map[string]string{
		"nothing after the key": "        ocsp:\n",
		"no mode":               "        ocsp: {responders: ['http://ocsp.example/2']}\n",
		"no responder":          "        ocsp: {mode: soft}\n",
		"unknown key":           "        ocsp: {responders: ['http://ocsp.example/2'], mode: soft, nounce: true}\n",
		"no address":            "        ocsp: {responders: [ocsp.example], mode: soft}\n",
		"missing signer":        "        ocsp: {responders: ['http://ocsp.example/2'], mode: soft, signers: [gone.pem]}\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestFaces: what admitted messages lead to is said safely, or not taken.
func TestFaces(t *testing.T) {
	good := "listen: {address: 127.0.0.1:0}\nissuers: [urn:x]\nsts: {pinned: [a.pem]}\nholders: [{kind: eid, roots: [{certificate: b.pem}]}]\n"
	caller := "caller: {keys: [k.pem], issuer: a, audience: b}\n"
	for name, c := range map[string]struct{ text, want string }{
		"proxy":                       {"upstream: {url: 'http://127.0.0.1:1/x'}\n" + caller, ""},
		"authorizer":                  {"authorizer: {address: '127.0.0.1:0', ext-authz: true, session: {}}\n" + caller, ""},
		"no URL":                      {"upstream: {url: 127.0.0.1}\n", "upstream.url"},
		"password in the URL":         {"upstream: {url: 'http://a:b@c/'}\n", "upstream.url"},
		"another scheme":              {"upstream: {url: 'file:///etc/passwd'}\n", "upstream.url"},
		"forward":                     {"upstream: {url: 'http://c/', forward: all}\n", "upstream.forward"},
		"a service without haste":     {"upstream: {url: 'http://c/', timeout: 1m}\n", "upstream.timeout"},
		"spoofed caller":              {"upstream: {url: 'http://c/', headers: [sceau-caller]}\n" + caller, "callers could write it"},
		"spoofed caller, to CGI":      {"upstream: {url: 'http://c/', headers: [Sceau_Caller]}\n" + caller, "upstream.headers"},
		"header of HTTP":              {"upstream: {url: 'http://c/', headers: [Transfer-Encoding]}\n", "upstream.headers"},
		"W23 action of the client":    {"upstream: {url: 'http://c/', headers: [soapaction]}\n", "upstream.headers"},
		"header with a line end":      {"upstream: {url: 'http://c/', headers: [\"A\\nB\"]}\n", "upstream.headers"},
		"action with a quote":         {"actions: {'{urn:x}A': 'a\"b'}\n", "actions"},
		"action without a namespace":  {"actions: {A: a}\n", "actions"},
		"half a key":                  {"upstream: {url: 'http://c/', client-key: k}\n", "client-certificate"},
		"no key":                      {"caller: {issuer: a, audience: b}\n", "caller.keys"},
		"no audience":                 {"caller: {keys: [k], issuer: a}\n", "issuer and audience"},
		"one name for both":           {"caller: {keys: [k], issuer: a, audience: a}\n", "differ"},
		"caller in the content type":  {"caller: {keys: [k], issuer: a, audience: b, header: content-type}\n", "caller.header"},
		"caller for long":             {"caller: {keys: [k], issuer: a, audience: b, lifetime: 24h}\n", "caller.lifetime"},
		"authorizer for everybody":    {"authorizer: {address: '0.0.0.0:0', ext-authz: true}\n", "authorizer"},
		"authorizer, TLS for all":     {"authorizer: {address: '0.0.0.0:0', ext-authz: true, tls: {certificate: a, key: b}}\n", "authorizer.tls"},
		"authorizer of nothing":       {"authorizer: {address: '127.0.0.1:0'}\n", "neither ext-authz nor session"},
		"session without keys":        {"authorizer: {address: '127.0.0.1:0', session: {}}\n", "needs caller"},
		"session for long":            {"authorizer: {address: '127.0.0.1:0', session: {lifetime: 24h}}\n" + caller, "session.lifetime"},
		"cedar":                       {"pdp: {engine: cedar, directory: p, resource: 'Application::X'}\n", ""},
		"authzen":                     {"pdp: {engine: authzen, url: 'https://p/', resource: 'Application::X'}\n", ""},
		"no engine":                   {"pdp: {directory: p, resource: 'Application::X'}\n", "pdp.engine"},
		"no directory":                {"pdp: {engine: cedar, resource: 'Application::X'}\n", "pdp.directory"},
		"no address":                  {"pdp: {engine: authzen, resource: 'Application::X'}\n", "pdp.url"},
		"two engines":                 {"pdp: {engine: cedar, directory: p, url: 'https://p/', resource: 'Application::X'}\n", "beside engine"},
		"no resource":                 {"pdp: {engine: cedar, directory: p}\n", "pdp.resource"},
		"audit nowhere":               {"audit: {durability: sync}\n", "audit.dir"},
		"audit, some day":             {"audit: {dir: a, durability: relaxed}\n", "audit.durability"},
		"audit, relaxed by a second":  {"audit: {dir: a, durability: relaxed 1s}\n", ""},
		"audit, relaxed by less than": {"audit: {dir: a, durability: relaxed -1s}\n", "audit.durability"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig([]byte(good + c.text))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
