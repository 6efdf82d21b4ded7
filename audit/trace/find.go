package trace

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"sceau/audit"
)

// A Search says what is looked for: one of its fields, and within which time. The zero Search finds nothing.
type Search struct {
	Session        string
	TokenID        string          // jti, AssertionID
	Token          string          // a code or a token without an id, itself
	Pseudonym      audit.Pseudonym // of a sub, a credential, or a person by the words of the means
	Authentication audit.ID
	Grant          string

	Since, Until time.Time // of the records that are read; zero is no bound
}

// passes bounds how often the journal is read for one search: each exchange of a token for a token is one more.
const passes = 16

// An Identification is one federated identification: one grant to a client with all that came of it, and the
// authentications on which it stands. Of an authentication of which nothing came it has that alone. Its entries are in the order of the journal.
type Identification struct {
	Entries []*audit.Entry
}

// Find gives the identifications of a search, the oldest first. A record that cannot be read does not hide the others: what is
// wrong with it is told to unread. The error says that the journal could not be read, or that nothing was looked for.
func Find(dir string, s Search, unread func(error)) ([]Identification, error) {
	f := finder{dir: dir, search: s, unread: unread, joined: map[uint64]*audit.Entry{}, context: map[uint64]*audit.Entry{}}
	if err := f.seeds(); err != nil {
		return nil, err
	}
	if err := f.join(); err != nil {
		return nil, err
	}
	if err := f.addContext(); err != nil {
		return nil, err
	}
	return f.identifications(), nil
}

type finder struct {
	dir    string
	search Search
	unread func(error)
	told   bool // what cannot be read was told in the first pass

	joined  map[uint64]*audit.Entry // by Seq: of the identifications themselves
	context map[uint64]*audit.Entry // what they stand on
}

// each gives the entries that a query finds within the time of the search.
func (f *finder) each(q audit.Query, do func(*audit.Entry)) error {
	q.Since, q.Until = f.search.Since, f.search.Until
	for entry, err := range audit.List(f.dir, q) {
		if err != nil {
			if e, ok := err.(*audit.Error); ok && e.Reason == audit.Malformed {
				if !f.told && f.unread != nil {
					f.unread(err)
				}
				continue
			}
			return err
		}
		do(entry)
	}
	f.told = true
	return nil
}

func (f *finder) seeds() error {
	s := f.search
	q := audit.Query{Service: audit.ServiceOIDC, Session: s.Session, TokenID: s.TokenID, Token: s.Token, Pseudonym: s.Pseudonym, Authentication: s.Authentication, Grant: s.Grant}
	if s.Session == "" && s.TokenID == "" && s.Token == "" && s.Pseudonym == (audit.Pseudonym{}) && s.Authentication == (audit.ID{}) && s.Grant == "" {
		return fmt.Errorf("trace: nothing to look for")
	}
	err := f.each(q, func(e *audit.Entry) {
		if stands(e) {
			f.joined[e.Seq] = e
		} else {
			f.context[e.Seq] = e
		}
	})
	if err != nil || len(f.context) == 0 {
		return err
	}
	if len(f.joined) > 0 && (s.TokenID != "" || s.Token != "" || s.Grant != "") {
		return nil // a logout that showed the token: its session has others
	}
	// An authentication or the end of a session was found: what stands on it was meant.
	wanted := map[string]bool{}
	for _, e := range f.context {
		for _, key := range sessions(e) {
			wanted[key] = true
		}
		if e.Operation == audit.OperationAuthentication {
			wanted["event "+e.ID] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return f.each(audit.Query{Service: audit.ServiceOIDC, Any: texts(wanted)}, func(e *audit.Entry) {
		if stands(e) && slices.ContainsFunc(sessions(e), func(key string) bool { return wanted[key] }) {
			f.joined[e.Seq] = e
		}
	})
}

// stands says whether an entry is of an identification itself, and not of what it stands on or of the end of its session.
func stands(e *audit.Entry) bool {
	switch e.Operation {
	case audit.OperationAuthentication, audit.OperationConsent, audit.OperationLogout, audit.OperationSessionEnd, audit.OperationEnrolment:
		return e.Service != audit.ServiceOIDC
	}
	return len(keys(e)) > 0
}

// keys are what joins entries: grants, and tokens by id or digest.
func keys(e *audit.Entry) []string {
	var all []string
	if e.Grant != "" {
		all = append(all, "grant "+e.Grant)
	}
	for _, t := range e.Tokens {
		if t.ID != "" {
			all = append(all, "token "+t.ID)
		}
		if t.Digest != "" {
			all = append(all, "digest "+t.Digest)
		}
	}
	if e.AssertionID != "" {
		all = append(all, "token "+e.AssertionID) // one that the SAML face issued
	}
	return all
}

// join adds what shares a key with what was found, until nothing does.
func (f *finder) join() error {
	asked := map[string]bool{}
	for range passes {
		wanted := map[string]bool{}
		for _, e := range f.joined {
			for _, key := range keys(e) {
				if !asked[key] {
					wanted[key], asked[key] = true, true
				}
			}
		}
		if len(wanted) == 0 {
			return nil
		}
		err := f.each(audit.Query{Any: texts(wanted)}, func(e *audit.Entry) {
			if stands(e) && slices.ContainsFunc(keys(e), func(key string) bool { return wanted[key] }) {
				f.joined[e.Seq] = e
			}
		})
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("trace: more than %d exchanges one after the other", passes)
}

// texts are the parts of keys that stand in records, for the search. One that JSON escapes is not looked for as it is: then all is read.
func texts(wanted map[string]bool) []string {
	var all []string
	for key := range wanted {
		for i := range key {
			if key[i] == ' ' {
				if !bare(key[i+1:]) {
					return nil
				}
				all = append(all, key[i+1:])
				break
			}
		}
	}
	return all
}

// bare says that a record holds the text as it is.
func bare(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return text != ""
}

// addContext adds the authentications on which what was found stands, consent and the end of the session, and then what failed in
// the attempts of those authentications.
func (f *finder) addContext() error {
	wanted := map[string]bool{}
	for _, keys := range []func(*audit.Entry) []string{footing, attempts} {
		for _, all := range []map[uint64]*audit.Entry{f.joined, f.context} {
			for _, e := range all {
				for _, key := range keys(e) {
					wanted[key] = true
				}
			}
		}
		if len(wanted) == 0 {
			return nil
		}
		err := f.each(audit.Query{Service: audit.ServiceOIDC, Any: texts(wanted)}, func(e *audit.Entry) {
			if !stands(e) && slices.ContainsFunc(own(e), func(key string) bool { return wanted[key] }) {
				f.context[e.Seq] = e
			}
		})
		if err != nil {
			return err
		}
		clear(wanted)
	}
	return nil
}

// footing is on what an entry stands.
func footing(e *audit.Entry) []string { return append(sessions(e), attempts(e)...) }

func sessions(e *audit.Entry) []string {
	var all []string
	if e.Session != "" {
		all = append(all, "session "+e.Session)
	}
	if e.Authentication != "" {
		all = append(all, "event "+e.Authentication)
	}
	return all
}

func attempts(e *audit.Entry) []string {
	if e.Attempt == "" {
		return nil
	}
	return []string{"attempt " + e.Attempt}
}

// own is for what an entry is a footing.
func own(e *audit.Entry) []string { return append(footing(e), "event "+e.ID) }

// identifications parts what was found: what shares a key is one.
func (f *finder) identifications() []Identification {
	group := map[string]int{} // of a key
	var groups []map[uint64]*audit.Entry
	for _, seq := range slices.Sorted(maps.Keys(f.joined)) {
		e := f.joined[seq]
		at := -1
		for _, key := range keys(e) {
			if g, ok := group[key]; ok {
				at = merge(groups, group, at, g)
			}
		}
		if at < 0 {
			at, groups = len(groups), append(groups, map[uint64]*audit.Entry{})
		}
		groups[at][seq] = e
		for _, key := range keys(e) {
			group[key] = at
		}
	}
	used := map[uint64]bool{}
	for _, g := range groups {
		wanted := map[string]bool{}
		for _, e := range g {
			for _, key := range footing(e) {
				wanted[key] = true
			}
		}
		f.attach(g, wanted, used, attempts)
	}
	// What nothing came of: by attempt or session.
	for _, seq := range slices.Sorted(maps.Keys(f.context)) {
		if used[seq] {
			continue
		}
		g := map[uint64]*audit.Entry{seq: f.context[seq]}
		used[seq] = true
		wanted := map[string]bool{}
		for _, key := range own(f.context[seq]) {
			wanted[key] = true
		}
		f.attach(g, wanted, used, footing)
		groups = append(groups, g)
	}
	var all []Identification
	for _, g := range groups {
		if len(g) == 0 {
			continue // merged into another
		}
		var one Identification
		for _, seq := range slices.Sorted(maps.Keys(g)) {
			one.Entries = append(one.Entries, g[seq])
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Identification) int { return cmp.Compare(a.Entries[0].Seq, b.Entries[0].Seq) })
	return all
}

// merge makes two groups one and gives its number; at is -1 for none.
func merge(groups []map[uint64]*audit.Entry, group map[string]int, at, other int) int {
	if at < 0 || at == other {
		return other
	}
	maps.Copy(groups[at], groups[other])
	clear(groups[other])
	for key, g := range group {
		if g == other {
			group[key] = at
		}
	}
	return at
}

// attach adds the context that is wanted to a group, and what that in turn leads to: by its attempt, to what failed before in the
// same browser.
func (f *finder) attach(g map[uint64]*audit.Entry, wanted map[string]bool, used map[uint64]bool, leads func(*audit.Entry) []string) {
	for more := true; more; {
		more = false
		for seq, e := range f.context {
			if g[seq] == nil && slices.ContainsFunc(own(e), func(key string) bool { return wanted[key] }) {
				g[seq], used[seq], more = e, true, true
				for _, key := range leads(e) {
					wanted[key] = true
				}
			}
		}
	}
}
