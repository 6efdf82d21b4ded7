package wsp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsp"
)

// recorder keeps decisions, and can be made to fail.
type recorder struct {
	decisions []wsp.Decision
	fail      error
}

func (r *recorder) Record(_ context.Context, d *wsp.Decision) (string, error) {
	r.decisions = append(r.decisions, *d)
	return "id-of-the-record", r.fail
}

// TestJudge: every decision is recorded with who was proven, before it is told, under the id that the answer bears.
func TestJudge(t *testing.T) {
	pki := testpki.Load()
	r := &recorder{}
	g := guard(t, func(c *wsp.Config) {
		c.Recorder, c.Environment = r, "Test"
		c.Require = []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}}
	})
	i := aliceIssue(pki.AliceEHealth.DER)
	i.Attributes = i.Attributes[:1]
	none := call(t, issue(t, i, &pki.STS), pki.AliceEHealth.Key, now)
	from := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		message  []byte
		reason   wsp.Reason
		proven   bool
		soa, why string
	}{
		{aliceCall(t), 0, true, "", "admitted"},
		{none, wsp.MissingAttribute, true, "SOA-01002", "known, and refused by the rules"},
		{[]byte("hello"), wsp.BadMessage, false, "SOA-03001", "nobody"},
	} {
		r.decisions = nil
		v := g.Judge(context.Background(), c.message, from)
		if len(r.decisions) != 1 {
			t.Fatal(c.why, len(r.decisions))
		}
		d := r.decisions[0]
		if wsp.ReasonOf(d.Err) != c.reason || d.Caller.IsZero() == c.proven || d.Remote != from || !d.At.Equal(now) || v.ID != "id-of-the-record" {
			t.Errorf("%s: %+v %+v", c.why, d, v)
		}
		if v.Admitted() != (c.reason == 0) || v.Caller.IsZero() != (c.reason != 0) {
			t.Errorf("%s: a caller of whom the rules want nothing: %+v", c.why, v)
		}
		if c.reason != 0 && (v.Fault.SOA.Code != c.soa || v.Fault.ID != v.ID || v.Fault.Environment != "Test") {
			t.Errorf("%s: %+v", c.why, v.Fault)
		}
	}
}

// TestRefusedRequest: what HTTP refuses has its record too, and the answer its id.
func TestRefusedRequest(t *testing.T) {
	r := &recorder{}
	h := guard(t, func(c *wsp.Config) { c.Recorder = r }).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	for want, change := range map[int]func(*http.Request){
		http.StatusMethodNotAllowed:      func(q *http.Request) { q.Method = http.MethodGet },
		http.StatusUnsupportedMediaType:  func(q *http.Request) { q.Header.Set("Content-Type", "application/json") },
		http.StatusRequestEntityTooLarge: func(q *http.Request) { q.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", 2<<20))) },
		http.StatusInternalServerError:   func(q *http.Request) {},
	} {
		r.decisions = nil
		w := post(t, h, "hello", change)
		if w.Code != want || w.Header().Get("X-CorrelationID") != "id-of-the-record" || len(r.decisions) != 1 || r.decisions[0].Err == nil || !r.decisions[0].Caller.IsZero() {
			t.Errorf("%d, want %d: %v %+v", w.Code, want, w.Header(), r.decisions)
		}
	}
	if id := (*wsp.Guard)(nil).RefuseRequest(context.Background(), 405, netip.Addr{}); id == "" {
		t.Error("no id")
	}
}

// TestUnrecorded: what cannot be recorded is not admitted, and what is refused stays refused for its own reason.
func TestUnrecorded(t *testing.T) {
	r := &recorder{fail: errors.New("disk full")}
	g := guard(t, func(c *wsp.Config) { c.Recorder = r })
	if v := g.Judge(context.Background(), aliceCall(t), netip.Addr{}); v.Admitted() || v.Fault.SOA != soap.SOATemporarily || v.ID == "" {
		t.Errorf("%+v", v)
	}
	if v := g.Judge(context.Background(), []byte("hello"), netip.Addr{}); v.Admitted() || v.Fault.SOA != soap.SOAMalformed {
		t.Errorf("%+v", v)
	}
}

// TestPrincipal: policies are told who acts, and never two for one.
func TestPrincipal(t *testing.T) {
	pki := testpki.Load()
	g := guard(t, func(c *wsp.Config) { c.Replay = forgetful{} })
	caller := func(holder *testpki.Leaf, values ...string) *wsp.Caller {
		i := aliceIssue(holder.DER)
		i.Attributes = i.Attributes[1:]
		if len(values) > 0 {
			person := aliceIssue(holder.DER).Attributes[0]
			person.Values = values
			i.Attributes = append(i.Attributes, person)
		}
		c, err := g.Admit(call(t, issue(t, i, &pki.STS), holder.Key, now), now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	vouched, err := guard(t, hospital).Admit([]byte(vouch(t, vouchedWithout(t, ssin.Name), &pki.Hospital, "id-1", "TS-1", "X509-1", assertionID)), now)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller *wsp.Caller
		id     string
		kind   string
	}{
		"the person of the assertion":         {caller(&pki.AliceEHealth, testpki.AliceSSIN), "Person SSIN=" + testpki.AliceSSIN, "ehealth-person"},
		"a person whose software signs":       {caller(&pki.Hospital, testpki.AliceSSIN), "Person SSIN=" + testpki.AliceSSIN, ""},
		"nobody but the holder":               {caller(&pki.Hospital), "Organisation NIHII-HOSPITAL=" + testpki.HospitalNIHII, "ehealth-organisation"},
		"H4 two persons":                      {caller(&pki.Hospital, testpki.AliceSSIN, testpki.BobSSIN), "", ""},
		"H4 a person of whom nothing is said": {caller(&pki.Hospital, ""), "", ""},
		"H2 a sender, for whom nobody knows":  {vouched, "", ""},
		"nobody":                              {nil, "", ""},
		"the zero caller":                     {&wsp.Caller{}, "", ""},
	} {
		p, ok := wsp.PrincipalOf(c.caller)
		if !ok && c.id == "" {
			continue
		}
		if got := strings.TrimSpace(p.Type + " " + p.ID()); got != c.id || p.Kind != c.kind || !ok {
			t.Errorf("%s: %s %s %v", name, got, p.Kind, ok)
		}
	}
}
