package certs

import (
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// TestOCSPTable is the two tables of OCSP: every state under every mode, joined
// with all that the CRLs can say.
func TestOCSPTable(t *testing.T) {
	type verdict struct {
		good   bool
		reason Reason
	}
	var (
		nothing, good    = verdict{}, verdict{good: true}
		unknown, revoked = verdict{reason: RevocationUnknown}, verdict{reason: Revoked}
	)
	states := []struct {
		state            OCSPState
		soft, hard, none verdict
	}{
		{OCSPRevoked, revoked, revoked, revoked},
		{OCSPGood, good, good, unknown},
		{OCSPUnknown, nothing, unknown, unknown},
		{OCSPLate, nothing, unknown, unknown},
		{OCSPNotYetValid, nothing, unknown, unknown},
		{OCSPMissing, nothing, unknown, unknown},
		{OCSPState(99), nothing, unknown, unknown},
	}
	type answer struct {
		status RevocationStatus
		reason Reason
	}
	var (
		refusedRevoked, refusedUnknown = answer{0, Revoked}, answer{0, RevocationUnknown}
		cleared, late, notChecked      = answer{Cleared, 0}, answer{ClearedLate, 0}, answer{NotChecked, 0}
	)
	joined := []struct {
		crl                             answer
		nothing, good, unknown, revoked answer
	}{
		{refusedRevoked, refusedRevoked, refusedRevoked, refusedRevoked, refusedRevoked},
		{refusedUnknown, refusedUnknown, refusedUnknown, refusedUnknown, refusedRevoked},
		{cleared, cleared, cleared, refusedUnknown, refusedRevoked},
		{late, late, cleared, refusedUnknown, refusedRevoked},
		{notChecked, notChecked, cleared, refusedUnknown, refusedRevoked},
	}
	for _, row := range states {
		for mode, want := range map[OCSPMode]verdict{OCSPSoft: row.soft, OCSPHard: row.hard, 0: row.none, 7: row.none} {
			isGood, reason := decideOCSP(mode, row.state)
			if got := (verdict{isGood, reason}); got != want {
				t.Errorf("%v under %v: %+v, want %+v", row.state, mode, got, want)
			}
			for _, cell := range joined {
				column := map[verdict]answer{nothing: cell.nothing, good: cell.good, unknown: cell.unknown, revoked: cell.revoked}[want]
				status, joinedReason := joinOCSP(cell.crl.status, cell.crl.reason, isGood, reason)
				if got := (answer{status, joinedReason}); got != column {
					t.Errorf("CRLs say %+v, OCSP %v under %v: %+v, want %+v", cell.crl, row.state, mode, got, column)
				}
			}
		}
	}
}

// TestOCSPFreshness: the edges of thisUpdate and nextUpdate, with skew, for each
// status; "revoked" has no edge.
func TestOCSPFreshness(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const skew = 5 * time.Minute
	for _, tt := range []struct {
		at   time.Duration
		want OCSPState // of "good"
	}{
		{-skew - 1, OCSPNotYetValid}, {-skew, OCSPGood}, {0, OCSPGood}, {24*time.Hour + skew, OCSPGood}, {24*time.Hour + skew + 1, OCSPLate},
	} {
		a := &ocspAnswer{status: ocsp.Good, thisUpdate: from, nextUpdate: from.Add(24 * time.Hour)}
		if got := a.state(from.Add(tt.at), skew); got != tt.want {
			t.Errorf("good at %v: %v, want %v", tt.at, got, tt.want)
		}
		a.status = ocsp.Unknown
		want := tt.want
		if want == OCSPGood {
			want = OCSPUnknown
		}
		if got := a.state(from.Add(tt.at), skew); got != want {
			t.Errorf("unknown at %v: %v, want %v", tt.at, got, want)
		}
		a.status = ocsp.Revoked
		if got := a.state(from.Add(tt.at), skew); got != OCSPRevoked {
			t.Errorf("revoked at %v: %v", tt.at, got)
		}
	}
	if got := (*ocspAnswer)(nil).state(from, skew); got != OCSPMissing {
		t.Errorf("no answer: %v", got)
	}
}

// TestOCSPRollBack: which answer may follow which (K3).
func TestOCSPRollBack(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	answer := func(status, hour int) *ocspAnswer {
		return &ocspAnswer{status: status, thisUpdate: from.Add(time.Duration(hour) * time.Hour), nextUpdate: from.Add(48 * time.Hour)}
	}
	for _, tt := range []struct {
		name     string
		old, new *ocspAnswer
		reason   Reason
		changed  bool
		status   int // what is known then
	}{
		{"an older good after a newer revoked is a replay", answer(ocsp.Revoked, 2), answer(ocsp.Good, 1), RolledBack, false, ocsp.Revoked},
		{"good at the moment of revoked", answer(ocsp.Revoked, 2), answer(ocsp.Good, 2), RolledBack, false, ocsp.Revoked},
		{"unknown at the moment of revoked", answer(ocsp.Revoked, 2), answer(ocsp.Unknown, 2), RolledBack, false, ocsp.Revoked},
		{"revoked at the moment of good", answer(ocsp.Good, 2), answer(ocsp.Revoked, 2), 0, true, ocsp.Revoked},
		{"a newer revoked", answer(ocsp.Good, 1), answer(ocsp.Revoked, 2), 0, true, ocsp.Revoked},
		{"a hold that ended", answer(ocsp.Revoked, 1), answer(ocsp.Good, 2), 0, true, ocsp.Good},
		{"a newer unknown takes no revocation back", answer(ocsp.Revoked, 1), answer(ocsp.Unknown, 2), 0, false, ocsp.Revoked},
		{"a newer unknown after good", answer(ocsp.Good, 1), answer(ocsp.Unknown, 2), 0, true, ocsp.Unknown},
		{"an older unknown after good", answer(ocsp.Good, 2), answer(ocsp.Unknown, 1), RolledBack, false, ocsp.Good},
		{"the same again", answer(ocsp.Good, 2), answer(ocsp.Good, 2), 0, false, ocsp.Good},
		{"first good", nil, answer(ocsp.Good, 2), 0, false, ocsp.Good},
		{"first revoked", nil, answer(ocsp.Revoked, 2), 0, true, ocsp.Revoked},
	} {
		e := &ocspEntry{serial: big.NewInt(1)}
		e.answer.Store(tt.old)
		changed, err := e.put(tt.new)
		if ReasonOf(err) != tt.reason || changed != tt.changed || e.answer.Load().status != tt.status {
			t.Errorf("%s: %v, changed %v, status %d", tt.name, err, changed, e.answer.Load().status)
		}
	}
	// What an unknown left of a revocation has its moment: a good from between is old.
	e := &ocspEntry{}
	for _, a := range []*ocspAnswer{answer(ocsp.Revoked, 1), answer(ocsp.Unknown, 3)} {
		if _, err := e.put(a); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.put(answer(ocsp.Good, 2)); ReasonOf(err) != RolledBack {
		t.Errorf("a good from before the last answer: %v", err)
	}
}

// TestOCSPConfiguration: what says too little, or too much, is refused.
func TestOCSPConfiguration(t *testing.T) {
	good := OCSP{Responders: []string{"http://ocsp.example/2"}, Mode: OCSPHard, Wait: time.Second, MaxAge: time.Hour}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*OCSP){
		"no mode":                 func(o *OCSP) { o.Mode = 0 },
		"a mode that is none":     func(o *OCSP) { o.Mode = 3 },
		"no responder":            func(o *OCSP) { o.Responders = nil },
		"a file":                  func(o *OCSP) { o.Responders = []string{"file:///etc/passwd"} },
		"no host":                 func(o *OCSP) { o.Responders = []string{"http:///x"} },
		"a password":              func(o *OCSP) { o.Responders = []string{"http://a:b@ocsp.example"} },
		"a line break":            func(o *OCSP) { o.Responders = []string{"http://ocsp.example/\r\n"} },
		"one twice":               func(o *OCSP) { o.Responders = append(o.Responders, o.Responders[0]) },
		"a negative wait":         func(o *OCSP) { o.Wait = -1 },
		"a wait too long":         func(o *OCSP) { o.Wait = time.Minute },
		"a wait for what may not": func(o *OCSP) { o.Mode = OCSPSoft },
		"a negative age":          func(o *OCSP) { o.MaxAge = -1 },
		"an age too great":        func(o *OCSP) { o.MaxAge = 1000 * time.Hour },
	} {
		bad := good
		change(&bad)
		if err := bad.Check(); ReasonOf(err) != Malformed {
			t.Errorf("%s: %v", name, err)
		}
		if good.equal(&bad) || bad.equal(nil) {
			t.Errorf("%s: equal to what it is not", name)
		}
	}
	for _, mode := range []OCSPMode{OCSPSoft, OCSPHard} {
		if again, err := ParseOCSPMode(mode.String()); err != nil || again != mode {
			t.Errorf("%v does not read back", mode)
		}
	}
	for _, text := range []string{"", "Soft", "none", "off", "require"} {
		if _, err := ParseOCSPMode(text); ReasonOf(err) != Malformed {
			t.Errorf("%q: %v", text, err)
		}
	}
}
