package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/audit"
	"sceau/wsc"
)

// makeRegistry makes a registry of CSV lines.
func makeRegistry(t *testing.T, path string, lines ...string) {
	t.Helper()
	r, err := registry.Open(registry.Config{Path: path, Access: registry.ReadWrite, Catalogue: attrs.EHealth()})
	if err != nil {
		t.Fatal(err)
	}
	csv := "subject_type,subject,attribute,value,not_before,not_on_or_after\n" + strings.Join(lines, "\n") + "\n"
	if _, err := r.ImportCSV(t.Context(), strings.NewReader(csv), registry.ModeReplace); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

const nurseBoolean = "urn:be:fgov:person:ssin:nurse:boolean"

// severalSources is a configuration in which a doctor is who has a code, which ends at end, and nurses have a registry of
// their own.
func severalSources(config, nurses string, end time.Time) string {
	return strings.Replace(config, "registry:\n  file: registry.db\n", fmt.Sprintf(`sources:
  - {id: main, kind: registry, file: registry.db, stale: 5m}
  - id: nurses
    kind: registry
    file: nurses.db
    poll-interval: 10ms
    attributes: [%s]
%s
  - id: codes
    kind: static
    attributes: [urn:example:code]
    facts:
      - {subject-type: ssin, subject: "00000000097", attribute: "urn:example:code", value: "100", not-on-or-after: %s}
  - id: derived
    kind: derived
    rules:
      - attribute: %s
        in-list: {of: "urn:example:code", list: ["100", "200"]}
resolver: {budget: 5s, cache-ttl: 1m}
definitions:
  - {name: "urn:example:code", kind: text, keyed-by: ["urn:be:fgov:person:ssin"], hidden: true}
`, nurseBoolean, nurses, end.Format(time.RFC3339), doctorBoolean), 1)
}

// TestSeveralSources: attributes of two sources with different ends in one assertion, which ends with the first of them. One of
// the sources is lost: the request is refused with REQ-14 where its attribute is mandatory, and where it is optional the other is
// served and the answer names what was left out. Then the source comes back.
func TestSeveralSources(t *testing.T) {
	end := time.Now().Add(2 * time.Hour).Truncate(time.Second).UTC()
	v, d := startDemoServerWith(t, func(dir, config string) string {
		makeRegistry(t, filepath.Join(dir, "nurses.db"), "ssin,00000000097,"+nurseBoolean+",true,,"+end.Add(time.Hour).Format(time.RFC3339))
		return severalSources(config, "", end)
	})
	var err error
	if d.trust, err = d.providerTrust(); err != nil {
		t.Fatal(err)
	}
	defer d.trust.Close()
	if d.client, err = wsc.NewClient(wsc.Config{Trust: d.trust}); err != nil {
		t.Fatal(err)
	}
	alice, err := d.credentials("alice", "alice")
	if err != nil {
		t.Fatal(err)
	}
	doctor, nurse := attrs.Designator{Name: doctorBoolean, Namespace: attrs.NamespaceCertified}, attrs.Designator{Name: nurseBoolean, Namespace: attrs.NamespaceCertified}
	ask := func() (*wsc.Token, error) {
		return d.client.Token(t.Context(), v.url, alice, &wsc.Request{Attributes: []attrs.Designator{doctor, nurse}, Validity: 8 * time.Hour})
	}
	get := func(path string, status int, holds ...string) {
		t.Helper()
		response, err := http.Get("http://" + v.config.Admin.V + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != status {
			t.Errorf("%s: %s %s", path, response.Status, body)
		}
		for _, text := range holds {
			if !strings.Contains(string(body), text) {
				t.Errorf("%s has no %q:\n%s", path, text, body)
			}
		}
	}

	token, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	if !token.Affirms(doctor) || !token.Affirms(nurse) || !token.NotOnOrAfter().Equal(end) || len(token.LeftOut()) != 0 {
		t.Errorf("doctor %v, nurse %v, until %v, want %v", token.Values(doctor), token.Values(nurse), token.NotOnOrAfter(), end)
	}
	get("/healthz/ready", 200, "ready")

	hidden := attrs.Designator{Name: "urn:example:code", Namespace: attrs.NamespaceCertified}
	var unknown *wsc.StatusError
	if _, err := d.client.Token(t.Context(), v.url, alice, &wsc.Request{Attributes: []attrs.Designator{hidden}, Validity: time.Hour}); !errors.As(err, &unknown) ||
		unknown.Message != "REQ-12: Requested attribute is not known" {
		t.Errorf("a hidden attribute: %v", err)
	}

	// The nurses' registry is lost, and its last answer with it.
	nurses := filepath.Join(v.dir, "nurses.db")
	if err := os.Rename(nurses, nurses+".away"); err != nil {
		t.Fatal(err)
	}
	var status *wsc.StatusError
	for range 500 {
		if _, err = ask(); errors.As(err, &status) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if status == nil || status.Message != "REQ-14: Authentic source is not available" || status.Code != "Responder" {
		t.Fatalf("mandatory: %v", err)
	}
	get("/healthz/ready", 503, "source nurses: ")
	if _, err := d.client.Token(t.Context(), v.url, alice, request(doctorBoolean)); err != nil {
		t.Errorf("an attribute of another source: %v", err)
	}

	// Optional from now on.
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte("    attributes: ["+nurseBoolean+"]\n"), []byte("    attributes: ["+nurseBoolean+"]\n    optional: true\n"), 1)
	if err := os.WriteFile(v.path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "msg=reloaded")
	if token, err = ask(); err != nil {
		t.Fatalf("optional: %v", err)
	}
	if !token.Affirms(doctor) || token.Values(nurse) != nil || !slices.Equal(token.LeftOut(), []attrs.Designator{nurse}) || !token.NotOnOrAfter().Equal(end) {
		t.Errorf("doctor %v, nurse %q, left out %v", token.Values(doctor), token.Values(nurse), token.LeftOut())
	}
	get("/healthz/ready", 200, "ready", "source nurses: ")
	get("/metrics", 200, `sceau_source_left_out_total{source="nurses"} 1`, `sceau_source_failures_total{reason="source unavailable",source="nurses"}`,
		`sceau_source_breaker{source="main",state="closed"} 1`, `sceau_source_duration_seconds_count{source="nurses"}`, `sceau_source_cache_total{result="hit",source="codes"}`,
		`sceau_source_requests_total{source="derived"}`)
	recorded := false
	for entry, err := range audit.List(filepath.Join(v.dir, "audit"), audit.Query{Outcome: audit.Success}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range entry.Attributes {
			recorded = recorded || a.Name == nurseBoolean && a.Disposition == "omitted" && a.State == "unavailable" && a.Source == "nurses" && strings.Contains(entry.Cause, "left out")
		}
	}
	if !recorded {
		t.Error("the trail does not say what was left out and why")
	}

	// And it comes back.
	if err := os.Rename(nurses+".away", nurses); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if token, err = ask(); err == nil && token.Affirms(nurse) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("it does not come back: %v", err)
}

// TestReloadSources: a reload takes what is said of sources, and other sources and definitions, under load and whole; what cannot be
// opened leaves all as it was.
func TestReloadSources(t *testing.T) {
	end := time.Now().Add(2 * time.Hour).Truncate(time.Second).UTC()
	v, d := startDemoServerWith(t, func(dir, config string) string {
		makeRegistry(t, filepath.Join(dir, "nurses.db"), "ssin,00000000097,"+nurseBoolean+",true,,")
		makeRegistry(t, filepath.Join(dir, "others.db"), "ssin,00000000097,"+nurseBoolean+",false,,")
		return severalSources(config, "", end)
	})
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(pairs ...string) error {
		t.Helper()
		changed := string(config)
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(changed, pairs[i]) {
				t.Fatalf("no %q in the configuration", pairs[i])
			}
			changed = strings.Replace(changed, pairs[i], pairs[i+1], 1)
		}
		if err := os.WriteFile(v.path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		return v.reload(v.path)
	}
	taken := func(pairs ...string) {
		t.Helper()
		if err := reload(pairs...); err != nil {
			t.Fatal(err)
		}
	}
	says := func(name string) attrs.State {
		t.Helper()
		now := v.current()
		wanted, _ := now.catalogue.Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified})
		ssin, _ := now.catalogue.Find(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification})
		got, err := now.resolver.Resolve(t.Context(), &attrs.Query{Subjects: []attrs.Keyed{{By: ssin, Value: "00000000097"}}, Definitions: []*attrs.Definition{wanted}, At: time.Now()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got[0].State
	}

	// What is said of the same sources: the resolver stays, with its counters.
	before := v.current().resolver
	if taken(`list: ["100", "200"]`, `list: ["999"]`); says(doctorBoolean) != attrs.Denied || v.current().resolver != before {
		t.Error("another rule is not taken, or all was made anew for it")
	}
	// Other sources, another cache, other definitions: all is made anew, and what cannot be is refused.
	if err := reload("file: nurses.db", "file: nowhere.db"); err == nil || !strings.Contains(err.Error(), "nowhere.db") {
		t.Errorf("%v", err)
	}
	if says(nurseBoolean) != attrs.Affirmed || v.current().resolver != before {
		t.Error("a reload that was refused changed something")
	}
	if taken("file: nurses.db", "file: others.db"); says(nurseBoolean) != attrs.Denied || v.current().resolver == before {
		t.Error("another source is not taken")
	}
	if taken("budget: 5s", "budget: 6s, cache-entries: 7"); v.current().cacheEntries != 7 {
		t.Error("another size of the cache is not taken")
	}
	taken("definitions:\n", "definitions:\n  - {name: \"urn:example:more\", kind: boolean, keyed-by: [\"urn:be:fgov:person:ssin\"]}\n")
	if says("urn:example:more") != attrs.Denied || says(nurseBoolean) != attrs.Affirmed {
		t.Error("another definition is not taken")
	}
	for from, to := range map[string]string{"stale: 5m": "stale: 5x", "kind: static": "kind: magic", `of: "urn:example:code"`: `of: "urn:example:nothing"`,
		"budget: 5s": "budget: 1ms, cache-ttl: 0s", "attributes: [urn:example:code]": "attributes: [" + nurseBoolean + "]"} {
		if err := reload(from, to); err == nil {
			t.Errorf("%s: accepted", to)
		}
	}
	if strings.Contains(v.log.String(), "only after a restart") {
		t.Error(v.log.String())
	}

	// Under load nobody is refused for it.
	client, stop := demoClient(t, d), make(chan struct{})
	alice, err := d.credentials("alice", "alice")
	if err != nil {
		t.Fatal(err)
	}
	var load sync.WaitGroup
	var issued atomic.Int64
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := client.Token(t.Context(), v.url, alice, request(doctorBoolean)); err != nil {
					t.Error(err)
					return
				}
				issued.Add(1)
			}
		})
	}
	for range 3 {
		taken("file: nurses.db", "file: others.db")
		taken("budget: 5s", "budget: 4s")
	}
	for deadline := time.Now().Add(20 * time.Second); issued.Load() < 4 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	close(stop)
	load.Wait()
	if issued.Load() < 4 {
		t.Errorf("%d tokens", issued.Load())
	}
	if len(v.retired) == 0 {
		t.Error("what was used before is never closed")
	}
}

// TestSourceKeys: what is wrong with sources, by line.
func TestSourceKeys(t *testing.T) {
	dir := t.TempDir()
	makeRegistry(t, filepath.Join(dir, "r.db"), "ssin,00000000097,"+nurseBoolean+",true,,")
	const definitions = "definitions: [{name: 'urn:x', kind: text, keyed-by: ['urn:be:fgov:person:ssin']}, {name: 'urn:b', kind: boolean, keyed-by: ['urn:be:fgov:person:ssin']}]\n"
	r := "sources:\n  - {id: r, kind: registry, file: r.db"
	for name, test := range map[string]struct{ text, problem string }{
		"the least":                     {r + "}", ""},
		"all":                           {r + ", attributes: [" + nurseBoolean + "], timeout: 1s, breaker: {failures: 3, open-for: 5s}, retry: {times: 2, wait: 1ms}, stale: 1m, cache-ttl: 5s, negative-ttl: 1s, optional: [" + nurseBoolean + "], poll-interval: 1s}", ""},
		"optional all":                  {r + ", optional: true}", ""},
		"no breaker, nothing kept":      {r + ", breaker: {failures: 0}, cache-ttl: 0s}", ""},
		"failover":                      {r + ", failover: [s]}\n  - {id: s, kind: registry, file: r.db}", ""},
		"derived":                       {r + "}\n  - id: d\n    kind: derived\n    rules: [{attribute: 'urn:b', in-list: {of: 'urn:x', list: [a]}}]", ""},
		"nothing":                       {"sources:", "x.yaml:2: sources: want a list"},
		"an empty list":                 {"sources: []", "x.yaml:2: sources: want a list"},
		"a registry too":                {r + "}\nregistry: {file: r.db}", "x.yaml:4: registry: with sources"},
		"a resolver without":            {"registry: {file: r.db}\nresolver: {budget: 1s}", "x.yaml:3: resolver: only with sources"},
		"no id":                         {"sources:\n  - {kind: registry, file: r.db}", "x.yaml:3: sources: an id"},
		"a bad id":                      {"sources:\n  - {id: 'a b', kind: registry, file: r.db}", "x.yaml:3: sources: an id"},
		"an id twice":                   {r + "}\n  - {id: r, kind: registry, file: r.db, attributes: []}", "x.yaml:4: sources: \"r\" is the id of another"},
		"no kind":                       {"sources:\n  - {id: r, file: r.db}", "x.yaml:3: source r: kind is one of"},
		"a kind that is none":           {"sources:\n  - {id: r, kind: oracle, file: r.db}", "x.yaml:3: source r: kind is one of"},
		"an unknown key":                {r + ", nonsense: 1}", "x.yaml:3: unknown key \"nonsense\""},
		"a key twice":                   {r + ", timeout: 1s, timeout: 2s}", "x.yaml:3: sources: timeout for the second time"},
		"no file":                       {"sources:\n  - {id: r, kind: registry}", "x.yaml:3: source r: no file"},
		"a file that is not there":      {"sources:\n  - {id: r, kind: registry, file: none.db}", "x.yaml:3: source r: registry"},
		"an unknown attribute":          {r + ", attributes: ['urn:y']}", "x.yaml:3: source r: \"urn:y\" is no attribute"},
		"two for one attribute":         {r + ", attributes: ['urn:x']}\n  - {id: s, kind: registry, file: r.db, attributes: ['urn:x']}", "x.yaml:4: source s: \"urn:x\" is of source r already"},
		"two for the rest":              {r + "}\n  - {id: s, kind: registry, file: r.db}", "x.yaml:4: source s: without attributes"},
		"a timeout of nothing":          {r + ", timeout: 0s}", "x.yaml:3: source r: timeout: must be positive"},
		"a timeout beyond the budget":   {r + ", timeout: 3s}", "x.yaml:3: source r: timeout: longer than the budget"},
		"a duration that is none":       {r + ", timeout: soon}", "x.yaml:3: \"soon\" is no duration"},
		"an unknown key of breaker":     {r + ", breaker: {failure: 3}}", "x.yaml:3: unknown key \"failure\""},
		"a breaker that is none":        {r + ", breaker: 3}", "x.yaml:3: breaker: want keys and values"},
		"negative failures":             {r + ", breaker: {failures: -1}}", "x.yaml:3: source r: failures: must not be negative"},
		"too many retries":              {r + ", retry: {times: 9}}", "x.yaml:3: source r: retry: 0 to 5 times"},
		"stale, but nothing kept":       {r + ", cache-ttl: 0s, stale: 1m}", "x.yaml:3: source r: stale: what is not kept"},
		"optional, of another":          {r + ", attributes: ['urn:x'], optional: ['urn:b']}", "x.yaml:3: source r: optional: it is not asked for \"urn:b\""},
		"optional, neither":             {r + ", optional: maybe}", "x.yaml:3: source r: optional is true, false or a list"},
		"failover to nobody":            {r + ", failover: [s]}", "x.yaml:3: source r: failover: no source \"s\""},
		"failover to itself":            {r + ", failover: [r]}", "x.yaml:3: source r: failover: \"r\" cannot stand by"},
		"a replica with attributes":     {r + ", failover: [s]}\n  - {id: s, kind: registry, file: r.db, attributes: ['urn:x']}", "x.yaml:4: source s: attributes is said by r"},
		"a derived replica":             {r + ", failover: [d]}\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b', any: ['" + nurseBoolean + "']}]}", "x.yaml:3: source r: failover: \"d\" cannot"},
		"a derived one with a timeout":  {r + "}\n  - {id: d, kind: derived, timeout: 1s, rules: [{attribute: 'urn:b', any: ['" + nurseBoolean + "']}]}", "x.yaml:4: source d: timeout is not for a derived source"},
		"a rule without form":           {r + "}\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b'}]}", "x.yaml:4: source d: a rule has an attribute and one of"},
		"a rule of two forms":           {r + "}\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b', any: ['urn:b'], all: ['urn:b']}]}", "x.yaml:4: source d: a rule has an attribute and one of"},
		"a rule of itself":              {r + "}\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b', any: ['urn:b']}]}", "made of itself"},
		"an input below":                {"sources:\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b', any: ['" + nurseBoolean + "']}]}\n  - {id: r, kind: registry, file: r.db}", "x.yaml:3: source d: source r, of which its input"},
		"an input of nobody":            {r + ", attributes: ['urn:x']}\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b', any: ['" + nurseBoolean + "']}]}", "x.yaml:4: source d: no source is asked for its input"},
		"an unknown key of a rule":      {r + "}\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b', script: 'x'}]}", "x.yaml:4: unknown key \"script\""},
		"an unknown key of a form":      {r + "}\n  - {id: d, kind: derived, rules: [{attribute: 'urn:b', in-list: {of: 'urn:x', lists: [a]}}]}", "x.yaml:4: unknown key \"lists\""},
		"a fact with a wrong value":     {"sources:\n  - id: c\n    kind: static\n    facts:\n      - {subject-type: ssin, subject: '00000000097', attribute: 'urn:b', value: 'yes'}", "x.yaml:6: source c: fact 1"},
		"a fact about nobody":           {"sources:\n  - id: c\n    kind: static\n    facts:\n      - {subject-type: ssin, subject: '00000000098', attribute: 'urn:b', value: 'true'}", "x.yaml:6: source c: fact 1"},
		"a fact of an unknown name":     {"sources:\n  - id: c\n    kind: static\n    facts:\n      - {subject-type: ssin, subject: '00000000097', attribute: 'urn:y', value: 'true'}", "x.yaml:6: source c: no certified attribute"},
		"an unknown key of resolver":    {r + "}\nresolver: {budge: 1s}", "x.yaml:4: unknown key \"budge\""},
		"a budget of nothing":           {r + "}\nresolver: {budget: 0s}", "x.yaml:4: resolver: must be positive"},
		"a cache of nothing":            {r + "}\nresolver: {cache-entries: 0}", "x.yaml:4: resolver: must be positive"},
		"retries that are not admitted": {r + ", retry: {times: 1, wait: 0s}}", "x.yaml:3: source r: wait: must be positive"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &problems{file: "x.yaml"}
			s := &system{config: parseConfig([]byte(definitions+test.text+"\n"), dir, p), now: time.Now, log: slog.New(slog.DiscardHandler)}
			if len(p.list) == 0 {
				s.loadCatalogue(p)
				s.openSources(p)
			}
			defer s.close()
			switch err := p.err(); {
			case err == nil && test.problem != "":
				t.Error("accepted")
			case err != nil && (test.problem == "" || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("%v, want %q", err, test.problem)
			}
		})
	}
	for name, text := range map[string]string{
		"a name that is taken": "definitions: [{name: '" + nurseBoolean + "', kind: text, keyed-by: ['urn:be:fgov:person:ssin']}]",
		"no kind":              "definitions: [{name: 'urn:x', keyed-by: ['urn:be:fgov:person:ssin']}]",
		"no key":               "definitions: [{name: 'urn:x', kind: text}]",
		"a key that is none":   "definitions: [{name: 'urn:x', kind: text, keyed-by: ['urn:x']}]",
		"two of one name":      "definitions:\n - {name: 'urn:x', kind: text, keyed-by: ['urn:be:fgov:person:ssin']}\n - {name: 'urn:x', kind: text, keyed-by: ['urn:be:fgov:person:ssin']}",
	} {
		p := &problems{file: "x.yaml"}
		s := &system{config: parseConfig([]byte(text+"\n"), dir, p)}
		s.loadCatalogue(p)
		if err := p.err(); err == nil || !strings.Contains(err.Error(), ": definitions: attribute") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSourcesExample: the example's commented sections are ones that are taken.
func TestSourcesExample(t *testing.T) {
	_, after, has := bytes.Cut(exampleConfig, []byte("#sources:\n"))
	if !has {
		t.Fatal("example.yaml has no sources")
	}
	text := "sources:\n"
	for line := range strings.Lines(string(after)) {
		uncommented, commented := strings.CutPrefix(line, "#")
		if !commented {
			break
		}
		if strings.HasPrefix(uncommented, " Certified attributes that") {
			continue
		}
		text += uncommented
	}
	dir := t.TempDir()
	makeRegistry(t, filepath.Join(dir, "registry.db"), "ssin,00000000097,"+nurseBoolean+",true,,")
	text = strings.Replace(text, "/replica/registry.db", "registry.db", 1)
	p := &problems{file: "example.yaml"}
	s := &system{config: parseConfig([]byte(text), dir, p), now: time.Now, log: slog.New(slog.DiscardHandler)}
	if len(p.list) == 0 {
		s.loadCatalogue(p)
		s.openSources(p)
	}
	defer s.close()
	if err := p.err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(s.entries) != 4 || !s.entries[0].needed || !s.entries[2].needed || !s.entries[1].standby {
		t.Errorf("%d entries", len(s.entries))
	}
	for _, key := range append(slices.Clone(routeKeys), "poll-interval", "facts", "rules", "in-list", "map", "match", "concat", "any", "nihii11", "hidden", "multiple", "cache-entries") {
		if !strings.Contains(text, key) {
			t.Errorf("the example does not show %s", key)
		}
	}
}

// TestReloadOfKeptSource: a source that a reload keeps is asked for no more than it can answer, and is not kept where its keys mean
// something else, though they are written alike.
func TestReloadOfKeptSource(t *testing.T) {
	v, _ := startDemoServerWith(t, func(_, config string) string {
		return strings.Replace(config, "registry:\n  file: registry.db\n", fmt.Sprintf(`resolver: {budget: &time 1s}
sources:
  - {id: main, kind: registry, file: registry.db}
  - id: api
    kind: http
    attributes: [%q]
    urls: {ssin: "http://127.0.0.1:1/{ssin}"}
    ttl: 1h
    request-timeout: *time
    map:
      - {attribute: %q, value: $.nurse}
      - {attribute: %q, value: $.doctor}
`, nurseBoolean, nurseBoolean, doctorBoolean), 1)
	})
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	attributes := fmt.Sprintf("attributes: [%q", nurseBoolean)
	for _, step := range []struct {
		name, from, to, refused string
		anew                    bool
	}{
		{"nothing", "# ", "# ", "", false},
		{"an attribute that it maps", attributes, fmt.Sprintf("%s, %q", attributes, doctorBoolean), "", false},
		{"one that it does not", attributes, attributes + `, "urn:be:fgov:person:ssin:ehealth:1.0:givenname"`, `givenname" is none that api answers`, false},
		{"a comment", "    ttl: 1h", "    ttl: 1h # an hour", "", false},
		{"what an alias stands for", "budget: &time 1s", "budget: &time 2s", "", true},
	} {
		changed := bytes.Replace(config, []byte(step.from), []byte(step.to), 1)
		if !bytes.Contains(config, []byte(step.from)) {
			t.Fatalf("%s: no %q", step.name, step.from)
		}
		if err := os.WriteFile(v.path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		before := len(v.log.String())
		err := v.reload(v.path)
		if (err == nil) != (step.refused == "") || err != nil && !strings.Contains(err.Error(), step.refused) {
			t.Errorf("%s: %v", step.name, err)
		}
		if said := v.log.String()[before:]; strings.Contains(said, "opened anew") != step.anew {
			t.Errorf("%s: %s", step.name, said)
		}
	}
}
