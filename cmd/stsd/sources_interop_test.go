package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/attrs"
	"sceau/audit"
	"sceau/internal/postgresql"
	"sceau/internal/slapd"
	"sceau/internal/toxic"
	"sceau/sts"
	"sceau/wsc"
)

const surname = "urn:be:fgov:person:ssin:ehealth:1.0:surname"

// bothPolicy permits everybody what the two sources know.
const bothPolicy = `version: 1
profiles:
  both:
    description: attributes of the database and of the directory
    maximum-validity: 12h
    fallback-maximum-validity: 12h
    attributes:
      - {name: "urn:be:fgov:person:ssin", namespace: identification}
      - {name: "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin", namespace: identification}
      - {name: "` + doctorBoolean + `", namespace: certified}
      - {name: "` + surname + `", namespace: certified}
      - {name: "` + nurseBoolean + `", namespace: certified}
      - {name: "` + doctorNIHII + `", namespace: certified}
rules:
  - {id: everybody, effect: permit, identity: {kinds: [eid]}, profiles: [both]}
`

// bothSources are a database and a directory, each asked for one attribute that must be had and for one that need not. What is
// kept is kept so shortly that nearly every request asks. The times are long for the sake of busy machines: a server that is well
// must not be taken for one that is away.
const bothSources = `sources:
  - id: hr
    kind: sql
    attributes: ["` + doctorBoolean + `"]
    driver: postgres
    dsn: &dsn "%[1]s"
    password-file: &dbsecret %[2]s
    connect-timeout: 1900ms
    timeout: 2000ms
    breaker: {failures: 3, open-for: 300ms}
    queries:
      - {subject: ssin, attributes: {doctor: "` + doctorBoolean + `"}, query: "select attribute, value, not_on_or_after from certified where attribute = 'doctor' and ssin = $1"}
  - id: hr-names
    kind: sql
    attributes: ["` + surname + `"]
    optional: true
    driver: postgres
    dsn: *dsn
    password-file: *dbsecret
    connect-timeout: 1900ms
    timeout: 2000ms
    breaker: {failures: 3, open-for: 300ms}
    queries:
      - {subject: ssin, attributes: {surname: "` + surname + `"}, query: "select attribute, value, not_on_or_after from certified where attribute = 'surname' and ssin = $1"}
  - id: directory
    kind: ldap
    attributes: ["` + nurseBoolean + `"]
    servers: &servers ["ldap://%[3]s"]
    bind-dn: &reader "` + slapd.Reader + `"
    password-file: &secret %[4]s
    base: &base "ou=staff,` + slapd.Suffix + `"
    filters: &filters {ssin: "(&(objectClass=inetOrgPerson)(employeeNumber={ssin}))"}
    ttl: 24h
    attempt-timeout: 1900ms
    timeout: 2000ms
    breaker: {failures: 3, open-for: 300ms}
    map: [{attribute: "` + nurseBoolean + `", from: recognised, not-on-or-after: validUntil}]
  - id: directory-numbers
    kind: ldap
    attributes: ["` + doctorNIHII + `"]
    optional: true
    servers: *servers
    bind-dn: *reader
    password-file: *secret
    base: *base
    filters: *filters
    ttl: 24h
    attempt-timeout: 1900ms
    timeout: 2000ms
    breaker: {failures: 3, open-for: 300ms}
    map: [{attribute: "` + doctorNIHII + `", from: nihii, not-on-or-after: validUntil}]
resolver: {budget: 5s, cache-ttl: %[5]s}
`

// keptFor is for how long an answer is kept.
const keptFor = 20 * time.Millisecond

// A saying is what a source says about somebody, and until when.
type saying struct {
	values []string
	until  time.Time
}

// A staffer is somebody whom both sources know.
type staffer struct {
	ssin        string
	credentials *wsc.Credentials
	says        map[string]saying
}

// A distant is one of the two servers, behind a network that misbehaves.
type distant struct {
	id                string // of the source that must answer
	network           *toxic.Network
	kill, restart     func(*testing.T)
	optional, instead string // its attribute that need not be had, and the one of the other that must
	cut               int    // octets that come before an answer breaks off, in its midst
}

// A ward is the service that asks both, and who asks it.
type ward struct {
	*served
	client *wsc.Client
	staff  []*staffer
	asked  atomic.Int64

	mu       sync.Mutex
	refusals map[string]string // audit ids, and the source that was away
}

// startWard starts both servers, the networks before them and the service.
func startWard(t *testing.T) (*ward, []*distant) {
	t.Helper()
	now := time.Now().Truncate(time.Second).UTC()
	after := func(hours float64) time.Time { return now.Add(time.Duration(hours * float64(time.Hour))) }
	yes, no := []string{"true"}, []string{"false"}
	// Of what must be had the database's ends first for Alice, the directory's for Bob.
	alice := &staffer{ssin: aliceSSIN, says: map[string]saying{doctorBoolean: {yes, after(2)}, surname: {[]string{"Example"}, after(4)},
		nurseBoolean: {no, after(3)}, doctorNIHII: {[]string{aliceNIHII}, after(3)}}}
	bob := &staffer{ssin: bobSSIN, says: map[string]saying{doctorBoolean: {no, after(5)}, surname: {[]string{"Sample"}, after(6)},
		nurseBoolean: {yes, after(3.5)}, doctorNIHII: {[]string{"71000042001"}, after(3.5)}}}
	w := &ward{staff: []*staffer{alice, bob}, refusals: map[string]string{}}

	rows, ldif := []string{"create table certified (ssin text, attribute text, value text, not_on_or_after timestamptz)"}, "dn: ou=staff,"+slapd.Suffix+"\nobjectClass: organizationalUnit\nou: staff\n\n"
	for _, who := range w.staff {
		for column, name := range map[string]string{"doctor": doctorBoolean, "surname": surname} {
			rows = append(rows, fmt.Sprintf("insert into certified values ('%s', '%s', '%s', '%s')", who.ssin, column, who.says[name].values[0], who.says[name].until.Format(time.RFC3339)))
		}
		nurse := who.says[nurseBoolean]
		ldif += fmt.Sprintf("dn: cn=%[1]s,ou=staff,%[2]s\nobjectClass: inetOrgPerson\nobjectClass: care\ncn: %[1]s\nsn: Somebody\nemployeeNumber: %[1]s\nrecognised: %[3]s\nnihii: %[4]s\nvalidUntil: %[5]s\n\n",
			who.ssin, slapd.Suffix, strings.ToUpper(nurse.values[0]), who.says[doctorNIHII].values[0], nurse.until.Format("20060102150405Z"))
	}
	database := postgresql.Start(t)
	database.Schema(t, "care", rows...)
	directory := slapd.Start(t, ldif)
	toDatabase, toDirectory := toxic.New(t, "127.0.0.1:"+database.Port), toxic.New(t, directory.Plain)
	_, port, err := net.SplitHostPort(toDatabase.Addr())
	if err != nil {
		t.Fatal(err)
	}
	var d *demo
	w.served, d = startDemoServerWith(t, func(dir, config string) string {
		if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(bothPolicy), 0o600); err != nil {
			t.Fatal(err)
		}
		return strings.Replace(config, "registry:\n  file: registry.db\n",
			fmt.Sprintf(bothSources, database.DSN(port, "care"), database.PasswordFile, toDirectory.Addr(), directory.PKI.File("password"), keptFor), 1)
	})
	if d.trust, err = d.providerTrust(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.trust.Close)
	if w.client, err = wsc.NewClient(wsc.Config{Trust: d.trust}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	for name, who := range map[string]*staffer{"alice": alice, "bob": bob} {
		if who.credentials, err = d.credentials(name, name); err != nil {
			t.Fatal(err)
		}
	}
	return w, []*distant{
		{id: "hr", network: toDatabase, optional: surname, instead: nurseBoolean, cut: 100,
			kill: func(*testing.T) { database.Kill() },
			restart: func(t *testing.T) {
				if err := database.Restart(); err != nil {
					t.Fatal(err)
				}
			}},
		{id: "directory", network: toDirectory, optional: doctorNIHII, instead: doctorBoolean, cut: 60,
			kill:    func(*testing.T) { directory.Kill() },
			restart: func(t *testing.T) { directory.Restart(t) }},
	}
}

// An ending is how a request ended, when it did as it may.
type ending uint8

const (
	wrong   ending = iota // what must never be; the test has failed
	whole                 // all attributes, each right
	partly                // all but the optional one of the server that is away, which is named
	refused               // REQ-14
	endings
)

// ask asks for attributes of both sources, those that must be had or, lean, the optional ones and one of the server that is not
// o. Whatever the assertion says is right, and it ends with the first of what it says; what it does not say it names.
func (w *ward) ask(t *testing.T, who *staffer, o *distant, lean bool) ending {
	w.asked.Add(1)
	wanted := []string{doctorBoolean, nurseBoolean}
	if lean {
		wanted = []string{surname, doctorNIHII, o.instead}
	}
	request := &wsc.Request{Validity: 8 * time.Hour}
	for _, name := range wanted {
		request.Attributes = append(request.Attributes, certifiedName(name))
	}
	token, err := w.client.Token(t.Context(), w.url, who.credentials, request)
	var status *wsc.StatusError
	switch {
	case errors.As(err, &status) && status.Code == "Responder" && status.Message == sts.SourceUnavailable.Message():
		// Also of the server that is well, where the machine is busy: late is no wrong answer.
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refusals[status.AuditID] = o.id
		return refused
	case status != nil:
		t.Errorf("lean %v: %v: %s", lean, err, w.causes(t)[status.AuditID])
		return wrong
	case err != nil:
		t.Errorf("lean %v: %v", lean, err)
		return wrong
	}
	end, answer, first := whole, token.LeftOut(), time.Time{}
	if slices.ContainsFunc(answer, func(d attrs.Designator) bool { return !lean || d.Name != o.optional }) || len(answer) > 1 {
		t.Errorf("left out: %v", answer)
		return wrong
	}
	for _, name := range wanted {
		got, says := token.Values(certifiedName(name)), who.says[name]
		switch {
		case slices.Contains(answer, certifiedName(name)):
			if end = partly; got != nil {
				t.Errorf("%s is left out, and %q", name, got)
				return wrong
			}
			continue
		case !slices.Equal(got, says.values):
			t.Errorf("%s is %q, and %q was said", name, says.values, got)
			return wrong
		}
		if first.IsZero() || says.until.Before(first) {
			first = says.until
		}
	}
	if !token.NotOnOrAfter().Equal(first) {
		t.Errorf("until %v, and what it says until %v", token.NotOnOrAfter(), first)
		return wrong
	}
	return end
}

// causes gives why requests ended as they did, by audit id.
func (w *ward) causes(t *testing.T) map[string]string {
	all := map[string]string{}
	for entry, err := range audit.List(filepath.Join(w.dir, "audit"), audit.Query{}) {
		if err != nil {
			t.Error(err)
			continue
		}
		all[entry.ID] = entry.Code + ": " + entry.Cause
	}
	return all
}

// A wardLoad is so many requests by six clients at once, every second one lean.
type wardLoad struct {
	all   sync.WaitGroup
	ended atomic.Int64
	count [2][endings]atomic.Int64 // of what must be had, and of the lean
}

// load begins one, with the lean requests for a fault of o.
func (w *ward) load(t *testing.T, o *distant, requests int64) *wardLoad {
	l := &wardLoad{}
	var next atomic.Int64
	for range 6 {
		l.all.Go(func() {
			for n := next.Add(1); n <= requests; n = next.Add(1) {
				lean := n % 2
				l.count[lean][w.ask(t, w.staff[n/2%2], o, lean == 1)].Add(1)
				l.ended.Add(1)
			}
		})
	}
	return l
}

// only says whether all requests ended so, those for what must be had and the lean ones.
func (l *wardLoad) only(mandatory, lean ending) bool {
	l.all.Wait()
	return l.count[0][mandatory].Load()+l.count[1][lean].Load() == l.ended.Load()
}

func (l *wardLoad) String() string {
	l.all.Wait()
	return fmt.Sprintf("%d, %d refused; lean %d, %d in part, %d refused", l.count[0][whole].Load(), l.count[0][refused].Load(), l.count[1][whole].Load(), l.count[1][partly].Load(), l.count[1][refused].Load())
}

// TestBothSources: attributes of a PostgreSQL and of a directory in one assertion, which ends with the first of them. Under load
// each server in turn is killed, slowed, reset, half open and cut, and restored. What it would have achieved if an answer that is
// not there were taken for a no, or a part for the whole: a signed false about a doctor.
func TestBothSources(t *testing.T) {
	// Of fasthttp: one that lives with the program, and one that looks only every ten seconds whether its server has ended.
	leak := append(toxic.Leftovers(), goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, leak...)
	})
	w, origins := startWard(t)
	for _, who := range w.staff {
		if got := w.ask(t, who, origins[0], false); got != whole {
			t.Fatal(got)
		}
	}
	toxics := func(text string) func(*testing.T, *distant) {
		return func(t *testing.T, o *distant) { o.network.Add(t, strings.ReplaceAll(text, "CUT", fmt.Sprint(o.cut))) }
	}
	restore := func(t *testing.T, o *distant) { o.network.Remove(t, "x") }
	for _, o := range origins {
		for _, fault := range []struct {
			name       string
			begin, end func(*testing.T, *distant)
			away       bool // the server cannot be had meanwhile
		}{
			{"killed", func(t *testing.T, o *distant) { o.kill(t) }, func(t *testing.T, o *distant) { o.restart(t) }, true},
			{"slow", toxics(`{"name": "x", "type": "latency", "attributes": {"latency": 30, "jitter": 20}}`), restore, false},
			{"too slow", toxics(`{"name": "x", "type": "latency", "attributes": {"latency": 5000}}`), restore, true},
			{"reset", toxics(`{"name": "x", "type": "reset_peer", "attributes": {"timeout": 0}}`), restore, true},
			{"half open", toxics(`{"name": "x", "type": "timeout", "attributes": {"timeout": 0}}`), restore, true},
			{"cut", toxics(`{"name": "x", "type": "limit_data", "attributes": {"bytes": CUT}}`), restore, true},
			{"in slices", toxics(`{"name": "x", "type": "slicer", "attributes": {"average_size": 40, "size_variation": 20, "delay": 100}}`), restore, false},
		} {
			t.Run(o.id+" "+fault.name, func(t *testing.T) {
				began := time.Now()
				coming := w.load(t, o, 30)
				eventually(t, "load", func() bool { return coming.ended.Load() >= 4 })
				fault.begin(t, o)
				t.Logf("as it came: %v", coming)

				mandatory, lean := whole, whole
				if fault.away {
					mandatory, lean = refused, partly
					time.Sleep(2 * keptFor) // what was had before is used no more
				}
				eventually(t, "all as it must be meanwhile", func() bool { return w.load(t, o, 12).only(mandatory, lean) })
				if fault.name == "killed" {
					if said := adminGet(t, w.served, "/healthz/ready"); !strings.HasPrefix(said, "503\nsource "+o.id+": ") {
						t.Errorf("ready: %s", said)
					}
				}

				going := w.load(t, o, 30)
				eventually(t, "load", func() bool { return going.ended.Load() >= 4 })
				fault.end(t, o)
				t.Logf("as it went: %v", going)
				tries := 1
				eventually(t, "right again", func() bool { tries++; return w.load(t, o, 12).only(whole, whole) })
				t.Logf("right again in %d loads; %v in all", tries-1, time.Since(began).Round(time.Millisecond))
			})
			if t.Failed() {
				return
			}
		}
	}
	if said := adminGet(t, w.served, "/healthz/ready"); said != "200\nready\n" {
		t.Errorf("ready: %s", said)
	}
	causes := w.causes(t)
	for id, source := range w.refusals {
		if said := causes[id]; !strings.HasPrefix(said, "REQ-14: ") || !strings.Contains(said, "source hr: ") && !strings.Contains(said, "source directory: ") {
			t.Errorf("%s was away, and the trail says %q", source, said)
		}
	}
	t.Logf("%d requests, %d refused", w.asked.Load(), len(w.refusals))
}
