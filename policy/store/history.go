package store

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A State is where a version stands. The zero State is none.
type State uint8

const (
	_ State = iota
	StateDraft
	StateInReview
	StateApproved
	StateActive
	StateSuperseded // it was active
	StateRejected
	StateWithdrawn
)

func (s State) String() string {
	switch s {
	case StateDraft:
		return "draft"
	case StateInReview:
		return "in review"
	case StateApproved:
		return "approved"
	case StateActive:
		return "active"
	case StateSuperseded:
		return "superseded"
	case StateRejected:
		return "rejected"
	case StateWithdrawn:
		return "withdrawn"
	}
	return "none"
}

// A Version is one set of policies and where it stands.
type Version struct {
	Number    int64
	Base      int64 // the version that was active when it was drafted; 0: none
	Content   Digest
	State     State
	Hands     []string // who drafted or submitted it
	Approvals []string // who approved this content
	Note      string   // of the last draft or submission
	Changed   time.Time
}

// A History is all events of a store, verified, and where each version stands by them. The zero History has none.
type History struct {
	store     string
	events    []Event
	versions  []Version
	active    int64
	approvals int
	people    map[string][]Administrator // by name
}

// Store gives the id of the store.
func (h *History) Store() string { return h.store }

// Events gives all events, the oldest first; the caller may change them.
func (h *History) Events() []Event { return slices.Clone(h.events) }

// Versions gives all versions, the oldest first; the caller may change them.
func (h *History) Versions() []Version { return slices.Clone(h.versions) }

// Version gives one version.
func (h *History) Version(number int64) (Version, error) {
	if number < 1 || number > int64(len(h.versions)) {
		return Version{}, &Error{Reason: NoVersion, Err: fmt.Errorf("%d", number)}
	}
	return h.versions[number-1], nil
}

// Active gives the version in force, and false where none is.
func (h *History) Active() (Version, bool) {
	if h.active == 0 {
		return Version{}, false
	}
	return h.versions[h.active-1], true
}

// ActiveAt gives the version that was in force at an instant, and false where none was.
func (h *History) ActiveAt(at time.Time) (Version, bool) {
	number, content := int64(0), Digest{}
	for i := range h.events {
		e := &h.events[i]
		if e.At.After(at) {
			break
		}
		if e.Kind == KindActivate || e.Kind == KindRollback {
			number, content = e.Version, e.Content
		}
	}
	if number == 0 {
		return Version{}, false
	}
	v := h.versions[number-1]
	v.Content = content
	return v, true
}

// Head gives the number and the hash of the last event; zero where there is none.
func (h *History) Head() (int64, Digest) {
	if len(h.events) == 0 {
		return 0, Digest{}
	}
	last := &h.events[len(h.events)-1]
	return last.Number, last.Hash(h.store)
}

// Mark tells the last event from every other; see Store.Head.
func (h *History) Mark() string {
	if len(h.events) == 0 {
		return ""
	}
	last := &h.events[len(h.events)-1]
	return mark(last.Number, base64.StdEncoding.EncodeToString(last.Signature))
}

// Extends says whether h is what older was, and what came since: nothing was taken away and nothing was rewritten.
func (h *History) Extends(older *History) bool {
	if older == nil || len(older.events) == 0 {
		return true
	}
	n := len(older.events)
	return h.store == older.store && len(h.events) >= n && h.events[n-1].Hash(h.store) == older.events[n-1].Hash(older.store)
}

func newHistory(store string, c *Config) *History {
	h := &History{store: store, approvals: c.Approvals, people: map[string][]Administrator{}}
	for _, a := range c.Administrators {
		h.people[a.Name] = append(h.people[a.Name], a)
	}
	return h
}

func broken(e *Event, err error) error {
	return &Error{Reason: Broken, Err: fmt.Errorf("event %d: %w", e.Number, err)}
}

// add takes a signed event: it verifies the signature, its place, and that the actor might do that.
func (h *History) add(e Event) error {
	number, hash := h.Head()
	who := h.people[e.Actor]
	switch {
	case e.Number != number+1:
		return broken(&e, errors.New("it is not the next"))
	case e.Previous != hash:
		return broken(&e, errors.New("it does not follow the event before"))
	case len(who) == 0:
		return broken(&e, fmt.Errorf("signed by %q, whom the configuration does not name (one who left stays there, with until)", e.Actor))
	}
	statement := e.Statement(h.store)
	signer := slices.IndexFunc(who, func(a Administrator) bool { return verify(a.Key, statement, e.Signature) == nil })
	if signer < 0 {
		return broken(&e, errSignature)
	}
	if err := may(who, who[signer].Key, e.Kind.right(), e.At); err != nil {
		return broken(&e, err)
	}
	after, err := h.step(&e, false)
	if err != nil {
		return broken(&e, err)
	}
	h.events = append(h.events, e)
	h.take(after)
	return nil
}

// take makes a version, as it stands now, part of the history.
func (h *History) take(after Version) {
	if after.Number > int64(len(h.versions)) {
		h.versions = append(h.versions, after)
	} else {
		h.versions[after.Number-1] = after
	}
	if after.State != StateActive || after.Number == h.active {
		return
	}
	if h.active > 0 {
		h.versions[h.active-1].State = StateSuperseded
	}
	h.active = after.Number
}

// step holds an event, of one who may, against all rules and gives its version as it stands after it. It changes nothing. The number of approvals that
// is asked for counts for what is new: it may have been another when an older event was signed, yet never below one.
func (h *History) step(e *Event, isNew bool) (Version, error) {
	if text := e.form(); text != "" {
		return Version{}, errors.New(text)
	}
	if n := len(h.events); n > 0 && e.At.Before(h.events[n-1].At) {
		return Version{}, fmt.Errorf("it is of %s, before the event before it", e.At.UTC().Format(time.RFC3339))
	}
	if e.Kind == KindDraft {
		return h.draft(e)
	}
	v, err := h.Version(e.Version)
	if err != nil {
		return Version{}, err
	}
	if v.Content != e.Content {
		return Version{}, &Error{Reason: WrongState, Err: fmt.Errorf("version %d has another content than what was looked at", v.Number)}
	}
	if e.Base != 0 {
		return Version{}, errors.New("only a draft has a base")
	}
	v.Hands, v.Approvals, v.Changed = slices.Clone(v.Hands), slices.Clone(v.Approvals), e.At
	switch e.Kind {
	case KindSubmit:
		return v.submit(e)
	case KindApprove:
		return v.approve(e, h.approvals)
	case KindReject:
		return v.become(StateRejected, StateInReview, StateApproved)
	case KindWithdraw:
		if !slices.Contains(v.Hands, e.Actor) {
			return v, &Error{Reason: NotAllowed, Err: fmt.Errorf("%s had no hand in version %d", e.Actor, v.Number)}
		}
		return v.become(StateWithdrawn, StateDraft, StateInReview, StateApproved, StateRejected)
	case KindActivate:
		if v.Base != h.active {
			return v, &Error{Reason: Stale, Err: fmt.Errorf("version %d was written for %s, and %s is active", v.Number, versionText(v.Base), versionText(h.active))}
		}
		if !isNew && v.State == StateInReview && len(v.Approvals) > 0 {
			v.State = StateApproved
		}
		return v.become(StateActive, StateApproved)
	}
	if err := h.enough(&v); err != nil && isNew { // a rollback
		return v, err
	}
	return v.become(StateActive, StateSuperseded)
}

// enough says whether a version has the approvals that are asked for now.
func (h *History) enough(v *Version) error {
	if len(v.Approvals) < h.approvals {
		return &Error{Reason: NotAllowed, Err: fmt.Errorf("version %d has %d of the %d approvals that are asked for", v.Number, len(v.Approvals), h.approvals)}
	}
	return nil
}

func versionText(number int64) string {
	if number == 0 {
		return "none"
	}
	return fmt.Sprintf("version %d", number)
}

// draft begins a version, or changes one that is a draft or was rejected.
func (h *History) draft(e *Event) (Version, error) {
	if e.Base != h.active {
		return Version{}, &Error{Reason: Stale, Err: fmt.Errorf("the draft is for %s, and %s is active", versionText(e.Base), versionText(h.active))}
	}
	v := Version{Number: e.Version}
	if e.Version != int64(len(h.versions))+1 {
		var err error
		if v, err = h.Version(e.Version); err != nil {
			return v, err
		}
		if v.State != StateDraft && v.State != StateRejected {
			return v, v.wrong(StateDraft, StateRejected)
		}
	}
	v.Base, v.Content, v.State, v.Note, v.Changed = e.Base, e.Content, StateDraft, e.Note, e.At
	v.Hands, v.Approvals = withName(v.Hands, e.Actor), nil
	return v, nil
}

func (v Version) submit(e *Event) (Version, error) {
	v.Hands = withName(v.Hands, e.Actor)
	if e.Note != "" {
		v.Note = e.Note
	}
	return v.become(StateInReview, StateDraft)
}

// approve counts an approval, and those of before: of people who had no hand in it.
func (v Version) approve(e *Event, needed int) (Version, error) {
	if v.State != StateInReview && v.State != StateApproved {
		return v, v.wrong(StateInReview, StateApproved)
	}
	if slices.Contains(v.Hands, e.Actor) {
		return v, &Error{Reason: SameHand, Err: fmt.Errorf("%s had a hand in version %d", e.Actor, v.Number)}
	}
	if slices.Contains(v.Approvals, e.Actor) {
		return v, &Error{Reason: SameHand, Err: fmt.Errorf("%s has approved version %d already", e.Actor, v.Number)}
	}
	if v.Approvals = append(v.Approvals, e.Actor); len(v.Approvals) >= needed {
		v.State = StateApproved
	}
	return v, nil
}

func (v Version) become(next State, from ...State) (Version, error) {
	if !slices.Contains(from, v.State) {
		return v, v.wrong(from...)
	}
	v.State = next
	return v, nil
}

func (v *Version) wrong(from ...State) error {
	text := ""
	for i, s := range from {
		if i > 0 {
			text += " or "
		}
		text += s.String()
	}
	return &Error{Reason: WrongState, Err: fmt.Errorf("version %d is %s, not %s", v.Number, v.State, text)}
}

// withName adds a name to a list, once, and leaves the list as it was.
func withName(list []string, name string) []string {
	if slices.Contains(list, name) {
		return slices.Clone(list)
	}
	return append(slices.Clone(list), name)
}
