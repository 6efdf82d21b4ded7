package policy

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// An exchangeRule says which clients may, or may not, have which tokens exchanged. A list that is nil does not restrict.
type exchangeRule struct {
	id, description    string
	line               int
	deny               bool
	clients, audiences []string
	directions, to     []string
	methods, levels    []string // of a permit: all of the methods happened; the level is one of these
	scopes             []string // of a permit: no other may be asked for; nil: none
	delegation         bool     // of a permit: somebody may act for the subject
	maximum            time.Duration
}

// The words of an exchangeRule.
var (
	directionNames = []string{"saml1-to-token", "token-to-saml1", "token-to-token", "upstream-to-token"}
	tokenNames     = []string{"access_token", "id_token", "jwt", "saml1"}
)

var _ ExchangePDP = (*Rules)(nil)

// HasExchanges says whether there are rules about the exchange of tokens.
func (p *Rules) HasExchanges() bool { return p != nil && len(p.exchanges) > 0 }

// Exchange implements ExchangePDP by the section exchange: permitted is what a permit rule admits and no deny rule does; of several permit rules
// that with the longest maximum counts, so that permitting more never shortens anything.
func (p *Rules) Exchange(_ context.Context, r *ExchangeRequest) (Exchange, error) {
	if r.Client == "" || r.Audience == "" || r.At.IsZero() {
		return Exchange{}, &Error{Reason: InvalidRequest, Err: errors.New("no client, no audience or no instant")}
	}
	if p == nil {
		return Exchange{}, nil
	}
	var best *exchangeRule
	for i := range p.exchanges {
		rule := &p.exchanges[i]
		if !rule.matches(r) {
			continue
		}
		if rule.deny {
			return Exchange{Decision: Deny(rule.id)}, nil
		}
		if rule.admits(r) && (best == nil || rule.maximum > best.maximum) {
			best = rule
		}
	}
	if best == nil {
		return Exchange{}, nil
	}
	return Exchange{Decision: Permit(best.id), MaximumValidity: best.maximum}, nil
}

func (e *exchangeRule) matches(r *ExchangeRequest) bool {
	among := func(list []string, value string) bool { return list == nil || slices.Contains(list, value) }
	return among(e.clients, r.Client) && among(e.audiences, r.Audience) && among(e.directions, r.Direction) && among(e.to, r.To)
}

// admits is for what only a permit asks.
func (e *exchangeRule) admits(r *ExchangeRequest) bool {
	for _, m := range e.methods {
		if !slices.Contains(r.Methods, m) {
			return false
		}
	}
	for _, s := range r.Scope {
		if !slices.Contains(e.scopes, s) {
			return false
		}
	}
	return (e.levels == nil || slices.Contains(e.levels, r.Level)) && (e.delegation || !r.Delegated)
}

func (l *loader) exchange(n *yaml.Node) {
	m, ok := l.mapping(n, inExchange, "exchange")
	if !ok {
		return
	}
	r, what := exchangeRule{line: m.line}, "exchange"
	if n := m.values["id"]; n != nil {
		if r.id, ok = l.text(n, "exchange: id"); ok {
			what = "exchange " + quote(r.id)
			l.name(r.id, n.Line, what)
			if first, twice := l.ids[r.id]; twice {
				l.wrong(n.Line, "%s: another rule has this id, in line %d", what, first)
			} else {
				l.ids[r.id] = n.Line
			}
		}
	}
	if n := m.values["description"]; n != nil {
		r.description, _ = l.text(n, what+": description")
	}
	if n := m.values["effect"]; n != nil {
		if text, ok := l.text(n, what+": effect"); ok {
			r.deny = l.word(text, n.Line, what+": effect", "permit", "deny") == 1
		}
	}
	if n := m.values["delegation"]; n != nil {
		if text, ok := l.text(n, what+": delegation"); ok {
			r.delegation = l.word(text, n.Line, what+": delegation", "no", "yes") == 1
		}
	}
	if n := m.values["maximum-validity"]; n != nil {
		r.maximum = l.duration(n, what+": maximum-validity")
	}
	lists := []struct {
		key   string
		to    *[]string
		words []string
	}{
		{"clients", &r.clients, nil}, {"audiences", &r.audiences, nil}, {"directions", &r.directions, directionNames}, {"to", &r.to, tokenNames},
		{"methods", &r.methods, nil}, {"levels", &r.levels, nil}, {"scopes", &r.scopes, nil},
	}
	for _, list := range lists {
		if n := m.values[list.key]; n != nil {
			l.texts(n, what+": "+list.key, func(text string, line int) {
				if list.words != nil {
					l.word(text, line, what+": "+list.key, list.words...)
				}
				*list.to = append(*list.to, text)
			})
		}
	}
	switch {
	case r.deny:
		for _, key := range []string{"methods", "levels", "scopes", "delegation", "maximum-validity"} {
			if n := m.values[key]; n != nil {
				l.wrong(n.Line, "%s: a deny rule has no %s", what, key)
			}
		}
	case r.clients == nil || r.audiences == nil || r.directions == nil || r.maximum == 0:
		// Zero values refuse: whoever means a client names it.
		l.wrong(m.line, "%s: a permit rule must say clients, audiences, directions and maximum-validity", what)
	}
	l.rules.exchanges = append(l.rules.exchanges, r)
}
