package passkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"

	"sceau/oidc/authn"
)

// TestSessions: what was begun in one session of a browser is finished in no other, and the trail has the name of each refusal of a ticket.
func TestSessions(t *testing.T) {
	m := newMeans(t, nil)
	d := newDevice(virtual.AuthenticatorOptions{})
	text := ticket(t, m)
	options, err := m.begin(t.Context(), text, "here", alice, start)
	if err != nil {
		t.Fatal(err)
	}
	answer := d.create(t, options)
	for _, session := range []string{"", "elsewhere"} {
		if p, err := m.finish(t.Context(), text, session, answer, alice, start, nil); p != nil || !refusedFor(err, authn.NotProven, "another session") {
			t.Errorf("in session %q: %+v, %v", session, p, err)
		}
	}
	if _, err := m.finish(t.Context(), text, "here", answer, alice, start, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ticket string
		proven *authn.Account
		at     time.Time
		why    string
	}{
		"used":      {text, alice, start, "was used"},
		"none":      {"x", alice, start, "never was one"},
		"expired":   {ticket(t, m), alice, start.Add(time.Hour), "has expired"},
		"another's": {ticket(t, m), &authn.Account{ID: "id-of-bob"}, start, "of another person"},
	} {
		if _, err := m.Begin(t.Context(), c.ticket, c.proven, c.at); !refusedFor(err, authn.NotEnrolled, c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all, err := m.Of(t.Context(), alice.ID)
	if err != nil || len(all) != 1 || len(all[0].Name()) != 43 {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := m.config.Store.Revoke(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	if all, err := m.Of(t.Context(), alice.ID); len(all) != 0 || err != nil {
		t.Errorf("revoked: %+v, %v", all, err)
	}
}

// FuzzEnrolment: whatever is posted by whoever was proven, without a device that answers nothing is enrolled, and the answer is one of those
// that the page knows.
func FuzzEnrolment(f *testing.F) {
	const known = "a ticket that is known"
	for _, seed := range []string{`{"ticket":"` + known + `"}`, `{"ticket":"` + known + `","credential":{}}`, `{"ticket":"x"}`, `{`, `null`, `[]`,
		`{"ticket":"` + known + `","credential":{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		store := &Memory{}
		m, err := New(Config{Store: store, ID: rp.ID, Name: rp.Name, Origins: []string{origin}})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.AddTicket(t.Context(), &Ticket{Digest: sha256.Sum256([]byte(known)), Account: alice.ID, By: "admin", Expires: start.Add(time.Hour)}, start); err != nil {
			t.Fatal(err)
		}
		if _, err := m.begin(t.Context(), known, "s", alice, start); err != nil {
			t.Fatal(err)
		}
		refused := 0
		e := &Enrolment{Means: m, Now: func() time.Time { return start }, Proven: func(*http.Request) (*authn.Account, error) { return alice, nil },
			Session:  func(*http.Request) string { return "s" },
			Enrolled: func(*http.Request, *Passkey) error { t.Error("enrolled"); return nil }, Refused: func(*http.Request, error) { refused++ }}
		r := httptest.NewRequest(http.MethodPost, "/enrol", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		var said struct{ Error, Challenge string }
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if ok := w.Code == http.StatusOK && said.Challenge != "" && refused == 0 || w.Code == http.StatusForbidden && said.Error != "" && refused == 1; !ok {
			t.Errorf("%d %s, refused %d", w.Code, w.Body, refused)
		}
		if all, err := store.Of(t.Context(), alice.ID); len(all) != 0 || err != nil {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
