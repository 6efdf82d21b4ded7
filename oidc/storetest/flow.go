package storetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"sceau/audit"
	"sceau/oidc"
	"sceau/oidc/authn"
	"sceau/oidc/client"
	"sceau/oidc/page"
)

const (
	issuer   = "https://op.example/etab/1"
	back     = "https://client.example/cb"
	secret   = "Kq3v9Xw2Lr8Tn5Yb7Zc4Hd6Jf1Mg0PsA"
	verifier = "dBjftJeZ4CVP-mBxMEkR9Xp9RBLcWfpfpy3bqTxhxCw"
)

// believing is a means that believes whom one says that one is, and the accounts of whoever that is.
type believing struct{}

func (believing) References() []string { return []string{"pwd"} }

func (believing) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	if r.Method == http.MethodGet {
		a.Pages.Write(w, r, http.StatusOK, page.Password{Action: a.URL})
		return nil, nil
	}
	return &authn.Proof{Identifier: authn.Identifier{Type: "username", Value: r.PostFormValue("person")}, References: []string{"pwd"}, Time: a.Now}, nil
}

func (believing) Find(_ context.Context, id authn.Identifier) (*authn.Account, error) {
	return &authn.Account{ID: id.Value, Username: id.Value}, nil
}

func (believing) Record(context.Context, *audit.Event) error { return nil }

// replicas are providers of one establishment, each on its store, with one key.
type replicas struct {
	*testing.T
	all []*oidc.Provider
	jar http.CookieJar
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (r *replicas) ask(at int, method, to string, form url.Values, change ...func(*http.Request)) *http.Response {
	q := httptest.NewRequest(method, to, strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range r.jar.Cookies(q.URL) {
		q.AddCookie(c)
	}
	for _, c := range change {
		c(q)
	}
	w := httptest.NewRecorder()
	r.all[at].ServeHTTP(w, q)
	a := w.Result()
	r.jar.SetCookies(q.URL, a.Cookies())
	return a
}

func (r *replicas) authorize(at int, changed ...string) *http.Response {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {back}, "scope": {"openid offline_access"}, "state": {"st"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(changed); i += 2 {
		q.Set(changed[i], changed[i+1])
	}
	return r.ask(at, http.MethodGet, issuer+"/authorize?"+q.Encode(), nil)
}

func answered(a *http.Response) url.Values {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), back) {
		return url.Values{}
	}
	return u.Query()
}

type tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func (r *replicas) token(at int, form url.Values) (int, tokens) {
	a := r.ask(at, http.MethodPost, issuer+"/token", form, func(q *http.Request) { q.SetBasicAuth("web", secret) })
	var t tokens
	if err := json.NewDecoder(a.Body).Decode(&t); err != nil {
		r.Errorf("%d: %v", a.StatusCode, err)
	}
	return a.StatusCode, t
}

func (r *replicas) userinfo(at int, access string) int {
	return r.ask(at, http.MethodGet, issuer+"/userinfo", nil, func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+access) }).StatusCode
}

// login begins at one, goes on at the next with each step, and gives the code.
func (r *replicas) login(at int) string {
	r.Helper()
	attempt := r.enter(at)
	a := r.ask((at+3)%len(r.all), http.MethodGet, attempt+"/go", nil)
	code := answered(a).Get("code")
	if code == "" {
		r.Fatalf("no code: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	return code
}

// enter is a login that was not answered yet: the address of its attempt.
func (r *replicas) enter(at int, changed ...string) string {
	r.Helper()
	next := func() int { at = (at + 1) % len(r.all); return at }
	a := r.authorize(at, changed...)
	attempt := a.Header.Get("Location")
	if !strings.HasPrefix(attempt, issuer+"/authorize/") {
		r.Fatalf("%d %q", a.StatusCode, attempt)
	}
	attempt = strings.TrimSuffix(attempt, "/m/only") + "/m/only" // who is there is asked by a page
	form := r.ask(next(), http.MethodGet, attempt, nil)
	var text strings.Builder
	for buf := make([]byte, 32<<10); ; {
		n, err := form.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	_, rest, _ := strings.Cut(text.String(), `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	a = r.ask(next(), http.MethodPost, attempt, url.Values{"person": {"alice"}, "token": {token}})
	if a.StatusCode != http.StatusOK {
		r.Fatalf("login: %d", a.StatusCode)
	}
	return strings.TrimSuffix(attempt, "/m/only")
}

func redeeming(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {back}, "code_verifier": {verifier}}
}

func refreshing(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// flow: one establishment, served by providers that share nothing but their stores: what was begun at one goes on at another, what is
// good once is good once among all, and what ends at one ends at all.
func flow(t *testing.T, stores []oidc.Store) {
	signer := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	r := &replicas{T: t, jar: must(cookiejar.New(nil))}
	registration := client.Registration{
		ID: "web", Name: map[string]string{"fr": "Application"}, RedirectURIs: []string{back}, Scopes: []string{"openid", "offline_access"},
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken}, IDTokenAlgorithm: "ES256",
		Authentication: client.AuthenticationRegistration{Method: client.SecretBasic, Secrets: []client.SecretRegistration{{Hash: must(client.HashSecret(secret, nil))}}},
	}
	for _, s := range stores {
		clients := must(client.New([]client.Registration{registration}, client.Options{Issuer: issuer, Endpoints: map[client.Endpoint][]string{client.Token: {issuer + "/token"}}}))
		r.all = append(r.all, must(oidc.New(oidc.Config{
			Issuer: issuer, Tenant: "etab1", Names: map[string]string{"fr": "Hôpital d'essai"}, Keys: []oidc.Key{{Signer: signer, Algorithm: "ES256"}},
			Clients: clients, Means: []oidc.Means{{Name: "only", Kind: page.KindDirectory, Means: believing{}}}, Accounts: believing{}, Store: s, Recorder: believing{},
			Log: slog.New(slog.DiscardHandler),
		})))
	}
	last := len(stores) - 1
	status, first := r.token(last, redeeming(r.login(0)))
	if status != http.StatusOK || first.ID == "" || first.Refresh == "" {
		t.Fatalf("begun at one, redeemed at another: %d %+v", status, first)
	}
	if got := r.userinfo(0, first.Access); got != http.StatusOK {
		t.Errorf("userinfo: %d", got)
	}
	once := func(name string, ask func(at int) bool) {
		t.Helper()
		var wg sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for i := range 12 {
			wg.Go(func() {
				if ask(i % len(r.all)) {
					mu.Lock()
					defer mu.Unlock()
					good++
				}
			})
		}
		wg.Wait()
		if good > 1 {
			t.Errorf("%s: %d times", name, good)
		}
	}
	attempt := r.enter(0, "prompt", "login")
	once("an attempt", func(at int) bool {
		return answered(r.ask(at, http.MethodGet, attempt+"/go", nil)).Get("code") != ""
	})
	code := answered(r.authorize(0, "prompt", "none")).Get("code")
	once("a code", func(at int) bool { status, _ := r.token(at, redeeming(code)); return status == http.StatusOK })
	_, second := r.token(0, redeeming(answered(r.authorize(last, "prompt", "none")).Get("code")))
	status, third := r.token(last, refreshing(second.Refresh))
	if status != http.StatusOK {
		t.Errorf("a refresh at another: %d %+v", status, third)
	}
	once("a refresh token", func(at int) bool {
		status, _ := r.token(at, refreshing(third.Refresh))
		return status == http.StatusOK
	})
	code = answered(r.authorize(0, "prompt", "none")).Get("code")
	_, fourth := r.token(0, redeeming(answered(r.authorize(0, "prompt", "none")).Get("code")))
	// At one, and everywhere.
	r.ask(last, http.MethodGet, issuer+"/logout?"+url.Values{"id_token_hint": {first.ID}}.Encode(), nil)
	for at := range r.all {
		for name, access := range map[string]string{"first": first.Access, "fourth": fourth.Access} {
			if got := r.userinfo(at, access); got != http.StatusUnauthorized {
				t.Errorf("the %s access token after logout, at %d: %d", name, at, got)
			}
		}
		if status, _ := r.token(at, refreshing(fourth.Refresh)); status == http.StatusOK {
			t.Errorf("a refresh after logout, at %d", at)
		}
		if status, _ := r.token(at, redeeming(code)); status == http.StatusOK {
			t.Errorf("a code after logout, at %d", at)
		}
		if got := answered(r.authorize(at, "prompt", "none")).Get("error"); got != "login_required" {
			t.Errorf("a session after logout, at %d: %s", at, got)
		}
	}
}
