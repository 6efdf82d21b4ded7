package control_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/audit"
	"sceau/oidc/control"
)

const everything = "/control/v1/counts?from=2026-11-01&to=2026-11-30&by=day,establishment,client,means,method,outcome"

func anyLogin() *rapid.Generator[*audit.Event] {
	return rapid.Custom(func(t *rapid.T) *audit.Event {
		at := start.Add(-time.Duration(rapid.IntRange(0, 10*24*60).Draw(t, "minutes")) * time.Minute)
		e := &audit.Event{ID: audit.NewID(at), Time: at, Service: audit.ServiceOIDC, Operation: rapid.SampledFrom(audit.OIDCOperations()).Draw(t, "operation"),
			Outcome: rapid.SampledFrom([]audit.Outcome{audit.Success, audit.Refused, audit.Fault}).Draw(t, "outcome"), Establishment: "hopital",
			Client: rapid.SampledFrom([]string{"", "psc", "=fichiers"}).Draw(t, "client"), Means: rapid.SampledFrom([]string{"", "carte", "mot-de-passe"}).Draw(t, "means"),
			Methods: rapid.SampledFrom([][]string{nil, {"pwd"}, {"sc", "pin", "mfa", "hwk"}, {"pin", "sc", "hwk", "mfa"}}).Draw(t, "amr"),
			// What must never come out.
			Subject: audit.Identifier{Type: audit.SubjectType, Value: "dupont"}, Session: "sid-dupont", Grant: "grant-dupont", Credential: "credential-dupont",
			Sealed: audit.Sealed{Source: netip.MustParseAddr("192.0.2.17"), Account: "account-dupont"}, Cause: "of dupont",
			Tokens: []audit.Token{{Use: audit.Issued, Kind: "access_token", ID: "jti-dupont"}}}
		return e
	})
}

// Counts are those of the journal: counted as events came, or read back from it, by any dimension.
func TestCountsEqualTheJournal(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		live, read := new(control.Counts), new(control.Counts)
		live.Know(indicators())
		read.Know(indicators())
		j, err := audit.Open(audit.Config{Dir: dir, Observers: []audit.Observer{live}, Logger: quiet(), Durability: audit.Relaxed(time.Hour)})
		if err != nil {
			rt.Fatal(err)
		}
		events := rapid.SliceOfN(anyLogin(), 0, 60).Draw(rt, "events")
		events = append(events, &audit.Event{ID: audit.NewID(start), Time: start, Service: "saml11", Operation: audit.OperationAuthentication, Outcome: audit.Success})
		for _, e := range events {
			if err := j.Record(context.Background(), e); err != nil {
				rt.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			rt.Fatal(err)
		}
		if unread, err := read.Load(audit.List(dir, audit.Query{})); err != nil || unread != 0 {
			rt.Fatal(unread, err)
		}
		q := control.Question{From: "2026-11-05", To: "2026-11-21", Operation: rapid.SampledFrom(append(audit.OIDCOperations(), "")).Draw(rt, "asked"),
			By: rapid.SliceOfNDistinct(rapid.SampledFrom(control.Dimensions()), 0, 7, rapid.ID).Draw(rt, "by"), Least: uint64(rapid.IntRange(0, 4).Draw(rt, "least"))}
		want := map[string]uint64{}
		for _, e := range events {
			day := control.DayOf(e.Time)
			if e.Service != audit.ServiceOIDC || q.Operation != "" && e.Operation != q.Operation || day < q.From || day > q.To {
				continue
			}
			methods := slices.Sorted(slices.Values(e.Methods))
			values := map[control.Dimension]string{control.ByDay: string(day), control.ByEstablishment: e.Establishment, control.ByClient: e.Client, control.ByOperation: e.Operation,
				control.ByMeans: e.Means, control.ByMethod: strings.Join(methods, " "), control.ByOutcome: e.Outcome.String()}
			key := ""
			for _, d := range control.Dimensions() {
				if slices.Contains(q.By, d) {
					key += string(d) + "=" + values[d] + ";"
				}
			}
			want[key]++
		}
		total, withheld := uint64(0), 0
		for key, n := range want {
			if n < q.Least {
				withheld++
				delete(want, key)
				continue
			}
			total += n
		}
		for name, counts := range map[string]*control.Counts{"live": live, "read back": read} {
			a, err := counts.Ask(q)
			if err != nil {
				rt.Fatal(err)
			}
			got := map[string]uint64{}
			for _, r := range a.Rows {
				key := ""
				if r.Day != "" {
					key = "day=" + string(r.Day) + ";"
				}
				for _, f := range []struct {
					name  control.Dimension
					value *string
				}{{control.ByEstablishment, r.Establishment}, {control.ByClient, r.Client}, {control.ByOperation, r.Operation}, {control.ByMeans, r.Means},
					{control.ByMethod, r.Method}, {control.ByOutcome, r.Outcome}} {
					if f.value != nil {
						key += string(f.name) + "=" + *f.value + ";"
					}
				}
				got[key] += r.Count
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || a.Total != total || a.Withheld != withheld {
				rt.Fatalf("%s: got %v (%d, %d withheld), want %v (%d, %d withheld)", name, got, a.Total, a.Withheld, want, total, withheld)
			}
		}
	})
}

// No answer of the API, in any form, holds anything of a person.
func TestNoPersonComesOut(t *testing.T) {
	c, _, counts := newConfig(t)
	c.Least, c.PerMinute = 1, 1_000_000
	h := newHandler(t, c)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 20).Draw(rt, "events") {
			counts.Observe(anyLogin().Draw(rt, "event"), nil)
		}
		for _, format := range []string{"json", "text", "csv"} {
			for _, target := range []string{everything + "&format=" + format, control.PathPolicy + "?format=" + format} {
				w := ask(h, "GET", target)
				if w.Code != 200 {
					rt.Fatal(w.Code, w.Body)
				}
				for _, personal := range []string{"dupont", "192.0.2", "sid-", "jti-", "grant-"} {
					if strings.Contains(w.Body.String(), personal) {
						rt.Fatalf("%s holds %s: %s", target, personal, w.Body)
					}
				}
			}
		}
	})
}

// What strangers send adds no rows: names are those of the configuration, or of who succeeded.
func TestNamesAreBounded(t *testing.T) {
	c, _, counts := newConfig(t)
	c.Least = 1
	h := newHandler(t, c)
	for n := range 20000 {
		name := fmt.Sprint("stranger-", n)
		counts.Observe(&audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: audit.OperationAuthentication, Outcome: audit.Refused, Establishment: name, Client: name, Means: name, Methods: []string{name}}, nil)
		counts.Observe(&audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: name, Outcome: audit.Refused}, nil)
	}
	w := ask(h, "GET", everything)
	if w.Code != 200 || strings.Contains(w.Body.String(), "stranger") {
		t.Fatalf("%d %.500s", w.Code, w.Body)
	}
	var a control.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || len(a.Rows) != 1 || a.Rows[0].Count != 20000 || *a.Rows[0].Client != "other" {
		t.Errorf("%+v, %v", a, err)
	}
	// A federated means may bring any amr with a success: the cells of a day are bounded, and no event is lost.
	for n := range 10000 {
		counts.Observe(&audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: audit.OperationToken, Outcome: audit.Success, Client: fmt.Sprint("c", n)}, nil)
	}
	b, err := counts.Ask(control.Question{From: "2026-11-21", To: "2026-11-21", By: []control.Dimension{control.ByClient}, Operation: audit.OperationToken})
	if err != nil || len(b.Rows) > 4097 || b.Total != 10000 {
		t.Errorf("%d rows, %d events, %v", len(b.Rows), b.Total, err)
	}
}

// The oldest days go: a server that runs for years keeps what can be asked for.
func TestDaysAreBounded(t *testing.T) {
	var counts control.Counts
	for n := range 500 {
		counts.Observe(&audit.Event{Time: start.AddDate(0, 0, n), Service: audit.ServiceOIDC, Operation: audit.OperationToken, Outcome: audit.Success}, nil)
	}
	first, err := counts.Ask(control.Question{From: control.DayOf(start), To: control.DayOf(start.AddDate(0, 0, 99))})
	last, err2 := counts.Ask(control.Question{From: control.DayOf(start.AddDate(0, 0, 100)), To: control.DayOf(start.AddDate(0, 0, 499))})
	if err != nil || err2 != nil || first.Total != 0 || last.Total != 400 {
		t.Errorf("%+v %v, %+v %v", first, err, last, err2)
	}
}

func TestWhatWasNotRecordedDoesNotCount(t *testing.T) {
	var counts control.Counts
	e := &audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: audit.OperationToken, Outcome: audit.Success}
	counts.Observe(e, errors.New("the disk is full"))
	counts.Observe(&audit.Event{Time: start, Service: "saml11", Outcome: audit.Success}, nil)
	if a, err := counts.Ask(control.Question{From: "2026-11-21", To: "2026-11-21"}); err != nil || a.Total != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	unread, err := counts.Load(func(yield func(*audit.Entry, error) bool) {
		_ = yield(nil, &audit.Error{Reason: audit.Malformed}) && yield(&audit.Entry{Kind: "open"}, nil) && yield(nil, &audit.Error{Reason: audit.Unreadable})
	})
	if unread != 1 || err == nil {
		t.Errorf("%d unread, %v", unread, err)
	}
}

func TestSmallCountsAreWithheld(t *testing.T) {
	c, _, counts := newConfig(t) // Least as it is where nothing is said
	for n := range 9 {
		means := "carte"
		if n >= 5 {
			means = "mot-de-passe"
		}
		counts.Observe(&audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: audit.OperationAuthentication, Outcome: audit.Success, Means: means}, nil)
	}
	w := ask(newHandler(t, c), "GET", "/control/v1/counts?by=means")
	conforms(t, "Answer", w.Body.Bytes())
	var a control.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Least != 5 || a.Withheld != 1 || a.Total != 5 || len(a.Rows) != 1 || *a.Rows[0].Means != "carte" || strings.Contains(w.Body.String(), "mot-de-passe") {
		t.Errorf("%s, %v", w.Body, err)
	}
}

// Counting, asking and learning names may happen at once.
func TestCountsAtOnce(t *testing.T) {
	var counts control.Counts
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				counts.Observe(&audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: audit.OperationToken, Outcome: audit.Success, Client: "psc"}, nil)
				counts.Know(indicators())
				if _, err := counts.Ask(control.Question{From: "2026-11-21", To: "2026-11-21"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if a, err := counts.Ask(control.Question{From: "2026-11-21", To: "2026-11-21"}); err != nil || a.Total != 2000 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestReportsAreFrench(t *testing.T) {
	var text, table strings.Builder
	i := indicators()
	i.Retention = control.Seconds(30 * 24 * time.Hour)
	if err := control.WriteText(&text, i); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Établissement hopital, application psc", "Durée de session", "8 h", "4 h", "12 h 30 s", "deux facteurs, résistant à l'hameçonnage",
		"sc+pin+mfa+hwk", "conditions d'utilisation à accepter", "30 jours", "Écart", "EXI FI 36"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if err := control.WriteCSV(&table, i); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(table.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("%q is a formula", cell)
			}
		}
	}
	var counts control.Counts
	counts.Observe(&audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: audit.OperationAuthentication, Outcome: audit.Refused, Client: "\x1b[2J"}, nil)
	a, err := counts.Ask(control.Question{From: "2026-11-21", To: "2026-11-21", By: []control.Dimension{control.ByOutcome, control.ByDay}})
	if err != nil {
		t.Fatal(err)
	}
	table.Reset()
	if err := control.WriteCountsCSV(&table, a); err != nil || table.String() != "jour,résultat,nombre\n2026-11-21,refus,1\n" {
		t.Errorf("%q, %v", table.String(), err)
	}
	text.Reset()
	if err := control.WriteCountsText(&text, a); err != nil || !strings.Contains(text.String(), "2026-11-21  refus") {
		t.Errorf("%q, %v", text.String(), err)
	}
}

func TestRetentionIsChecked(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		retention time.Duration
		profiles  []string
		ok        bool
	}{
		{0, []string{control.ProfileProSanteConnect}, true}, // for ever
		{92 * day, []string{control.ProfileProSanteConnect}, true},
		{92*day - 1, []string{"", control.ProfileProSanteConnect}, false},
		{day, []string{"", "other"}, true},
		{day, nil, true},
	} {
		if err := control.CheckRetention(test.retention, test.profiles); (err == nil) != test.ok {
			t.Errorf("%v %v: %v", test.retention, test.profiles, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	i := indicators()
	if got := i.Warnings(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	c := &i.Establishments[0].Clients[0]
	c.MaxAuthenticationAge, c.AMRSets, c.Strength, i.Retention = control.Seconds(4*time.Hour+time.Second), nil, control.Strength{MultiFactor: true}, control.Seconds(time.Hour)
	if got := i.Warnings(); len(got) != 4 {
		t.Errorf("%q", got)
	}
	if control.StrengthOf() != (control.Strength{}) {
		t.Error("no means is strong")
	}
	if control.Digest([]byte("ab"), []byte("c")) == control.Digest([]byte("a"), []byte("bc")) {
		t.Error("two configurations have one digest")
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add("2026-11-01", "2026-11-30", "day,client", "token")
	f.Add("", "9999-12-31", ",", "x")
	counts := new(control.Counts)
	counts.Observe(&audit.Event{Time: start, Service: audit.ServiceOIDC, Operation: audit.OperationToken, Outcome: audit.Success}, nil)
	f.Fuzz(func(t *testing.T, from, to, by, operation string) {
		q := control.Question{From: control.Day(from), To: control.Day(to), Operation: operation, Least: 1}
		for d := range strings.SplitSeq(by, ",") {
			q.By = append(q.By, control.Dimension(d))
		}
		a, err := counts.Ask(q)
		if err != nil {
			if len(a.Rows) > 0 {
				t.Fatal("an error and an answer")
			}
			return
		}
		if a.Total > 1 || len(a.Rows) > 1 || from > "2026-11-21" && a.Total > 0 || to < "2026-11-21" && a.Total > 0 {
			t.Fatalf("%+v: %+v", q, a)
		}
	})
}
