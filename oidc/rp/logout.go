package rp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Logout is what is said with a logout that begins here (OpenID Connect RP-Initiated Logout).
type Logout struct {
	IDToken string // id_token_hint: whose session; see KeepIDToken
	State   string // comes back
	Locales []string
}

// EndSession gives the address to which the browser is sent to end the provider's session too.
func (p *Provider) EndSession(ctx context.Context, l Logout) (string, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return "", err
	}
	if m.EndSession == "" {
		return "", refuse(Misconfigured, "the provider has no address of logouts")
	}
	u, err := url.Parse(m.EndSession)
	if err != nil {
		return "", refuse(Misconfigured, "the provider's address of logouts")
	}
	q := u.Query()
	q.Set("client_id", p.c.ClientID)
	for name, value := range map[string]string{"id_token_hint": l.IDToken, "post_logout_redirect_uri": p.c.LogoutRedirectURI,
		"state": l.State, "ui_locales": strings.Join(l.Locales, " ")} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if p.c.LogoutRedirectURI == "" {
		q.Del("state") // nobody would bring it back
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// Ended takes the query with which the browser comes back from a logout that began with state.
func (p *Provider) Ended(response url.Values, state string) error {
	got := response["state"]
	if state == "" || len(got) > 1 || len(got) == 1 && got[0] != state || len(got) == 0 && !p.c.LogoutStateMayBeDropped {
		return refuse(Mismatch, "state of the logout")
	}
	return nil
}

// A LogoutNotice is what the provider says of a logout that did not begin here: whose sessions end. Those of SessionID where it is
// said, else all of Subject.
type LogoutNotice struct{ Subject, SessionID string }

// Once remembers what may come once. It is safe for concurrent use.
type Once interface {
	// First says whether the key comes for the first time, and remembers it until an instant. What cannot be remembered is an
	// error, and is refused.
	First(ctx context.Context, key string, now, until time.Time) (bool, error)
}

// MemoryOnce is a Once in this process, exact and bounded: when it is full it refuses.
type MemoryOnce struct {
	mu    sync.Mutex
	until map[string]time.Time
	most  int
}

// NewMemoryOnce makes a MemoryOnce of at most so many keys.
func NewMemoryOnce(most int) *MemoryOnce {
	return &MemoryOnce{until: map[string]time.Time{}, most: most}
}

// First implements Once.
func (m *MemoryOnce) First(_ context.Context, key string, now, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if end, there := m.until[key]; there && now.Before(end) {
		return false, nil
	}
	if len(m.until) >= m.most {
		for k, end := range m.until {
			if !now.Before(end) {
				delete(m.until, k)
			}
		}
	}
	if len(m.until) >= m.most {
		return false, errors.New("rp: no more can be remembered")
	}
	m.until[key] = until
	return true, nil
}

// Logouts is the receiver of the provider's logouts (OpenID Connect Back-Channel Logout), for the address that is registered
// there. What a token says is handed on once; an error of end is an answer of 500, and the provider may try again with another
// token. It needs no cookie, and sends none.
func (p *Provider) Logouts(end func(context.Context, LogoutNotice) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "", http.StatusMethodNotAllowed)
			return
		}
		notice, err := p.receive(w, r)
		if err != nil {
			status := http.StatusBadRequest
			if ReasonOf(err) == Unavailable {
				status = http.StatusServiceUnavailable
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error":"invalid_request"}`))
			return
		}
		if err := end(r.Context(), notice); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}

// receive reads the logout token of a request.
func (p *Provider) receive(w http.ResponseWriter, r *http.Request) (LogoutNotice, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return LogoutNotice{}, refuse(BadToken, "no form")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenOctets+1024)
	if err := r.ParseForm(); err != nil {
		return LogoutNotice{}, refuse(BadToken, "no form")
	}
	tokens := r.PostForm["logout_token"]
	if len(tokens) != 1 {
		return LogoutNotice{}, refuse(BadToken, "not one logout_token")
	}
	return p.VerifyLogout(r.Context(), tokens[0])
}

const (
	logoutEvent    = "http://schemas.openid.net/event/backchannel-logout"
	logoutTokenTyp = "logout+jwt"
	mostLogoutLife = time.Hour // how long a jti is remembered at most
)

// VerifyLogout verifies a logout token: signature, typ, iss, aud, times, the event, no nonce, and jti once.
func (p *Provider) VerifyLogout(ctx context.Context, token string) (LogoutNotice, error) {
	token, err := p.open(token)
	if err != nil {
		return LogoutNotice{}, err
	}
	h, err := parseHeader(token, p.c.Algorithms)
	if err != nil {
		return LogoutNotice{}, refuse(BadToken, "logout token: %w", err)
	}
	typed := strings.TrimPrefix(strings.ToLower(h.typ), "application/") == logoutTokenTyp
	if untyped := h.typ == "" || strings.EqualFold(h.typ, "JWT"); !typed && !(untyped && p.c.UntypedLogout) {
		return LogoutNotice{}, refuse(BadToken, "logout token: typ")
	}
	verified, err := p.verifier.VerifyLogout(ctx, token)
	if err != nil {
		return LogoutNotice{}, p.badToken(ctx, "logout token", token, err)
	}
	c, err := p.payload(verified.Claims)
	if err != nil {
		return LogoutNotice{}, err
	}
	if c.String("iss") != p.c.Issuer {
		return LogoutNotice{}, refuse(BadToken, "logout token: iss")
	}
	if err := p.checkTimes(c, "logout token"); err != nil {
		return LogoutNotice{}, err
	}
	var events map[string]json.RawMessage
	var event map[string]json.RawMessage
	if !c.Decode("events", &events) || json.Unmarshal(events[logoutEvent], &event) != nil || event == nil {
		return LogoutNotice{}, refuse(BadToken, "logout token: events")
	}
	notice := LogoutNotice{c.String("sub"), c.String("sid")}
	switch {
	case c.Has("nonce"):
		return LogoutNotice{}, refuse(BadToken, "logout token: nonce (an ID token)")
	case c.Has("sub") && checkSubject(notice.Subject) != nil, c.Has("sid") && checkSubject(notice.SessionID) != nil, notice == LogoutNotice{}:
		return LogoutNotice{}, refuse(BadToken, "logout token: whose sessions")
	case c.String("jti") == "":
		return LogoutNotice{}, refuse(BadToken, "logout token: jti")
	}
	now := p.c.Now()
	until := c.Time("exp").Add(p.c.Skew)
	if until.Sub(now) > mostLogoutLife {
		return LogoutNotice{}, refuse(BadToken, "logout token: good for too long")
	}
	key := sha256.Sum256([]byte(p.c.Issuer + "\x00" + c.String("jti")))
	first, err := p.c.Once.First(ctx, hex.EncodeToString(key[:]), now, until)
	switch {
	case err != nil:
		return LogoutNotice{}, refuse(Unavailable, "logout token: %w", err)
	case !first:
		return LogoutNotice{}, refuse(Replayed, "logout token: jti")
	}
	return notice, nil
}
