package trace

import (
	"slices"
	"time"

	"sceau/audit"
)

// A Summary is an identification in one view. What no record says is zero.
type Summary struct {
	Begun, Last   time.Time
	Establishment string
	Client        string // who was given the first grant
	Grants        []string
	Sessions      []string

	// Of the authentication on which the grant stands.
	Authentication string
	Means          string
	Methods        []string
	ACR            string
	AuthTime       time.Time
	Certificate    string // SHA-256 of the person's, hex
	Credential     string // a pseudonym

	Subject    string // the pseudonym of the sub
	Scope      string
	Attributes []string // that were released
	Tokens     []audit.TokenEntry
	// Outcome is "success" where a token left, or where an authentication succeeded of which nothing came; else how it ended last.
	Outcome string
	Ended   time.Time // of the session
}

// Summary gives an identification in one view.
func (i Identification) Summary() Summary {
	var s Summary
	for n, e := range i.Entries {
		if n == 0 {
			s.Begun = e.Time
		}
		s.Last = e.Time
		first(&s.Establishment, e.Establishment)
		add(&s.Grants, e.Grant)
		add(&s.Sessions, e.Session)
		if e.Subject.Type == audit.SubjectType {
			first(&s.Subject, e.Subject.Pseudonym)
		}
		switch e.Operation {
		case audit.OperationAuthorization:
			first(&s.Client, e.Client)
			first(&s.Authentication, e.Authentication)
			first(&s.Scope, e.Scope)
		case audit.OperationToken:
			first(&s.Client, e.Client)
			first(&s.Authentication, e.Authentication)
			first(&s.Scope, e.Scope)
		case audit.OperationSessionEnd:
			s.Ended = e.Time
		}
		for _, a := range e.Attributes {
			if a.Disposition == audit.Released.String() {
				add(&s.Attributes, a.Name)
			}
		}
		for _, t := range e.Tokens {
			if t.Use == audit.Issued.String() && e.Outcome == audit.Success.String() {
				s.Tokens = append(s.Tokens, t)
			}
		}
	}
	for _, e := range i.Entries {
		first(&s.Client, e.Client)
	}
	s.authentication(i.Entries)
	s.Outcome = outcome(i.Entries, len(s.Tokens) > 0)
	return s
}

// authentication takes in the authentication on which the grant stands, or the last that succeeded.
func (s *Summary) authentication(entries []*audit.Entry) {
	at := slices.IndexFunc(entries, func(e *audit.Entry) bool { return e.ID == s.Authentication && e.ID != "" })
	if at < 0 && s.Authentication == "" {
		for i, e := range entries {
			if e.Operation == audit.OperationAuthentication && e.Outcome == audit.Success.String() {
				at = i
			}
		}
	}
	// Where its record is not kept, those that stand on it say what they know.
	from := entries
	if at >= 0 {
		from = append([]*audit.Entry{entries[at]}, entries...)
		first(&s.Authentication, entries[at].ID)
	}
	for _, e := range from {
		if e.Operation == audit.OperationAuthentication && e.ID != s.Authentication {
			continue
		}
		first(&s.Means, e.Means)
		first(&s.ACR, e.ACR)
		first(&s.Certificate, e.Identity.Certificate)
		first(&s.Credential, e.Credential)
		if s.AuthTime.IsZero() {
			s.AuthTime = e.AuthTime
		}
		if len(s.Methods) == 0 {
			s.Methods = e.Methods
		}
	}
}

func outcome(entries []*audit.Entry, issued bool) string {
	if issued {
		return audit.Success.String()
	}
	last := ""
	for _, e := range entries {
		switch e.Operation {
		case audit.OperationLogout, audit.OperationSessionEnd:
			// not how the identification ended
		default:
			last = e.Outcome
		}
	}
	return last
}

// Reveal opens what is sealed in the entries, by their ids.
func (i Identification) Reveal(key audit.Key) (map[string]audit.Sealed, error) {
	all := map[string]audit.Sealed{}
	for _, e := range i.Entries {
		sealed, err := key.Unseal(e)
		if err != nil {
			return nil, err
		}
		if sealed != (audit.Sealed{}) {
			all[e.ID] = sealed
		}
	}
	return all, nil
}

func first(to *string, text string) {
	if *to == "" {
		*to = text
	}
}

func add(to *[]string, text string) {
	if text != "" && !slices.Contains(*to, text) {
		*to = append(*to, text)
	}
}
