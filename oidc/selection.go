package oidc

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sceau/oidc/client"
	"sceau/oidc/page"
)

// admits says whether an authentication with these references is strong enough: for the client and, where the request says that it
// is essential, for one of the values of acr (OpenID Connect Core section 5.5.1.1).
func (v *visit) admits(references []string) bool {
	if !v.client.Session().Admits(references) {
		return false
	}
	essential := v.essential()
	return len(essential) == 0 || slices.Contains(essential, acrOf(v.client, references, essential))
}

// acrOf is the value of acr that references reach: the first of those wanted, or else the strongest.
func acrOf(c *client.Client, references, wanted []string) string {
	s := c.Session()
	for _, value := range wanted {
		if s.Reaches(value, references) {
			return value
		}
	}
	return s.ACR(references)
}

// essential are the values of acr without which the client wants no token.
func (v *visit) essential() []string {
	if v.as.Claims == nil {
		return nil
	}
	info, ok := v.as.Claims.IDTokenClaim("acr")
	if !ok || !info.IsEssential {
		return nil
	}
	if info.Value != "" {
		return []string{info.Value}
	}
	return info.Values
}

// wanted are the values of acr that the client would like, by its preference.
func (v *visit) wanted() []string {
	if e := v.essential(); len(e) > 0 {
		return e
	}
	return strings.Fields(v.as.ACRValues)
}

// suitable is the authentication of the session out of which the client may have a code, the strongest wish of the client first and
// then the newest; or why there is none.
func (v *visit) suitable() (*login, page.Again) {
	s := v.session
	if s == nil || v.attempt.Hint != "" && v.attempt.Hint != v.subject(&s.Account) {
		return nil, 0
	}
	asked := v.prompts("login") || v.prompts("select_account")
	now, age := v.now(), v.maxAge()
	var best *login
	again := page.AgainStronger
	for i := range s.Logins {
		l := &s.Logins[i]
		switch fresh := v.fresh(l); {
		case !v.admits(l.References):
			continue
		case l.Time.After(now.Add(clocks)): // a clock went back: nobody knows how old it is
			again = page.AgainTooOld
			continue
		case asked && !fresh:
			again = page.AgainAsked
			continue
		case now.Sub(l.Time) >= age && !fresh: // what is made for this request is young enough for it
			again = page.AgainTooOld
			continue
		}
		if best == nil || v.rank(l) < v.rank(best) || v.rank(l) == v.rank(best) && l.Time.After(best.Time) {
			best = l
		}
	}
	if best == nil {
		return nil, again
	}
	if !v.prompts("none") && len(v.essential()) == 0 && v.rank(best) == len(v.wanted()) && v.rank(best) > 0 && v.reachable() {
		return nil, page.AgainStronger // what it has reaches none of the wishes, and a means would
	}
	return best, 0
}

// fresh says whether an authentication was made for this request: in its attempt, and not inherited from before it.
func (v *visit) fresh(l *login) bool {
	return l.Attempt == digest(v.as.ID) && !l.Time.Before(v.attempt.Began.Add(-clocks))
}

// notBefore is when an authentication has to have been made at the earliest to be of use.
func (v *visit) notBefore() time.Time {
	if v.prompts("login") || v.prompts("select_account") {
		return v.attempt.Began.Add(-clocks)
	}
	return v.now().Add(-max(v.maxAge(), clocks))
}

// rank is the place of the acr of an authentication among those wanted; their number, where it reaches none.
func (v *visit) rank(l *login) int {
	wanted := v.wanted()
	acr := acrOf(v.client, l.References, wanted)
	if i := slices.Index(wanted, acr); i >= 0 {
		return i
	}
	return len(wanted)
}

// reachable says whether some means reaches one of the values of acr that are wanted.
func (v *visit) reachable() bool {
	wanted := v.wanted()
	return slices.ContainsFunc(v.config.Means, func(m Means) bool {
		return v.admits(m.References()) && slices.Contains(wanted, acrOf(v.client, m.References(), wanted))
	})
}

// offers are the means that the client admits.
func (v *visit) offers() (offers []page.Offer) {
	last := ""
	if c, err := v.r.Cookie(lastCookie); err == nil {
		last = c.Value
	}
	narrow := len(v.wanted()) > 0 && v.reachable()
	for i := range v.config.Means {
		m := &v.config.Means[i]
		if !v.admits(m.References()) {
			continue
		}
		if narrow && !slices.Contains(v.wanted(), acrOf(v.client, m.References(), v.wanted())) {
			continue
		}
		offers = append(offers, page.Offer{Kind: m.Kind, Label: m.Labels[v.attempt.Language], Names: m.Cards, URL: v.meansURL(v.config.Issuer, m), Last: m.Name == last})
	}
	return offers
}

func (v *visit) meansURL(base string, m *Means) string {
	return base + "/authorize/" + v.as.ID + "/m/" + m.Name
}

func (v *visit) choose() {
	offers := v.offers()
	if len(offers) == 0 {
		v.write(http.StatusForbidden, page.Insufficient{Cancel: v.address() + "/cancel"})
		return
	}
	v.write(http.StatusOK, page.Choose{Means: offers, Again: v.attempt.Again, Cancel: v.address() + "/cancel"})
}
