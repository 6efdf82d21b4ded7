package sts_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/sts"
	"sceau/sts/ststest"
)

// numbers is a source of the NIHII number that fails when told to; its answers end at end.
type numbers struct {
	attrs.Source
	end  time.Time
	fail bool
}

func (n *numbers) ID() string { return "numbers" }

func (n *numbers) Epoch() (uint64, bool) { return 1, !n.fail }

func (n *numbers) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	if n.fail {
		return dst, errors.New("connection refused")
	}
	before := len(dst)
	dst, err := n.Source.Resolve(ctx, q, dst)
	for i := range dst[before:] {
		dst[before+i].Source, dst[before+i].NotOnOrAfter = n.ID(), n.end
	}
	return dst, err
}

// twoSources gives a fixture of two sources, the second, of the NIHII number, as route says, and with a clock.
func twoSources(t *testing.T, route attrs.Route, now *time.Time) (*ststest.Fixture, *numbers) {
	t.Helper()
	second := &numbers{end: testpki.Now().Add(2 * time.Hour)}
	f := ststest.New(t, func(f *ststest.Fixture, c *sts.Config) {
		second.Source = f.Source.Source
		route.Source, route.Attributes = second, []attrs.Designator{{Name: ststest.DoctorNIHII, Namespace: attrs.NamespaceCertified}}
		resolver, err := attrs.NewResolver(attrs.Config{Catalogue: c.Catalogue, Budget: 5 * time.Second, CacheEntries: 100, CacheTTL: time.Minute,
			Routes: []attrs.Route{{Source: f.Source}, route}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(resolver.Close)
		c.Attributes, c.Now = resolver, func() time.Time { return *now }
	})
	return f, second
}

// TestOptionalSource: attributes of two sources in one assertion, which ends with the first of them. Without one of them: REQ-14
// where its attribute is mandatory; where it is optional the other is issued, and StatusDetail and record say what was left out.
func TestOptionalSource(t *testing.T) {
	pki := testpki.Load()
	query := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth}
	leftOut := `<sceau:LeftOut xmlns:sceau="` + saml.NamespaceDetail + `" AttributeName="` + ststest.DoctorNIHII + `"`
	for _, optional := range []bool{false, true} {
		now := testpki.Now()
		f, second := twoSources(t, attrs.Route{AllOptional: optional}, &now)
		out := certify(t, f, f.Message(t, query), &pki.STS)
		if !out.assertion.Conditions.NotOnOrAfter.Equal(second.end) || strings.Contains(out.text, "LeftOut") ||
			out.values[ststest.DoctorNIHII][0] != testpki.AliceNIHII || out.values[ststest.DoctorBoolean][0] != "true" {
			t.Errorf("until %v, %v", out.assertion.Conditions.NotOnOrAfter, out.values)
		}
		second.fail = true
		if !optional {
			a := f.Service.AttributeQuery(t.Context(), &sts.Message{Body: f.Message(t, query)}, nil)
			if a.Status != http.StatusOK || !strings.Contains(string(a.Body), sts.SourceUnavailable.Message()) || strings.Contains(string(a.Body), "<Assertion") {
				t.Errorf("mandatory: %s", a.Body)
			}
			if entry := f.Record(t, a.Audit); entry.Code != "REQ-14" || entry.Stage != "certify" || !strings.Contains(entry.Cause, "numbers") {
				t.Errorf("record %+v", entry)
			}
			continue
		}
		out = certify(t, f, f.Message(t, query), &pki.STS)
		if _, there := out.values[ststest.DoctorNIHII]; there || out.values[ststest.DoctorBoolean][0] != "true" || !strings.Contains(out.text, leftOut) {
			t.Errorf("optional: %v\n%s", out.values, out.text)
		}
		if !out.assertion.Conditions.NotOnOrAfter.Equal(now.Add(8 * time.Hour)) {
			t.Errorf("what was left out bounds the assertion: %v", out.assertion.Conditions.NotOnOrAfter)
		}
		only := query
		only.Asked = []string{ststest.DoctorNIHII}
		only.Change = func(q *saml.Query) { q.Designators = q.Designators[2:] } // not even what the certificates say
		a := f.Service.AttributeQuery(t.Context(), &sts.Message{Body: f.Message(t, only)}, nil)
		if !strings.Contains(string(a.Body), sts.SourceUnavailable.Message()) || strings.Contains(string(a.Body), "<Assertion") {
			t.Errorf("nothing is left: %s", a.Body)
		}
	}
}

// TestOriginIsRecorded: the trail says of each answer whether it was had live, kept, or used because no source could be had, and
// since when.
func TestOriginIsRecorded(t *testing.T) {
	pki := testpki.Load()
	now := testpki.Now()
	f, second := twoSources(t, attrs.Route{StaleFor: time.Hour}, &now)
	second.end = testpki.Now().Add(30 * time.Minute)
	ask := func() (code, origin string, since time.Time, end time.Time) {
		t.Helper()
		message := f.Message(t, ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth, At: now})
		a := f.Service.AttributeQuery(t.Context(), &sts.Message{Body: message}, nil)
		entry := f.Record(t, a.Audit)
		for _, attribute := range entry.Attributes {
			if attribute.Name == ststest.DoctorNIHII {
				origin, since = attribute.Origin, attribute.RetrievedAt
			}
		}
		return entry.Code, origin, since, entry.NotOnOrAfter
	}
	if code, origin, since, _ := ask(); code != "" || origin != "" || !since.IsZero() {
		t.Errorf("live: %s %s %v", code, origin, since)
	}
	second.fail = true
	now = testpki.Now().Add(10 * time.Minute)
	for range 50 { // the cache takes an answer in the background
		if code, _, _, _ := ask(); code == "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if code, origin, since, end := ask(); code != "" || origin != "stale" || !since.Equal(testpki.Now()) || !end.Equal(second.end) {
		t.Errorf("stale: %s %s %v until %v", code, origin, since, end)
	}
	now = second.end // R4: never beyond its own end
	if code, _, _, _ := ask(); code != "REQ-14" {
		t.Errorf("at its end: %s", code)
	}
}
