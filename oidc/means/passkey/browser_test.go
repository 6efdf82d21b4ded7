package passkey

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"sceau/internal/judge"
	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// enrolPage enrols with a ticket, as a page of an establishment would.
const enrolPage = `<!doctype html><title>enrol</title><script>
async function enrol(ticket) {
  const send = (body) => fetch("/enrol", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
  const options = await (await send({ticket})).json();
  const made = await navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)});
  return (await send({ticket, credential: made.toJSON()})).status;
}
</script>`

// A site is an establishment for one browser: the page of the means, and the enrolment.
type site struct {
	*httptest.Server
	m *Means

	mu    sync.Mutex
	a     authn.Attempt
	proof *authn.Proof
	err   error
}

func newSite(t *testing.T, change func(*Config)) *site {
	t.Helper()
	set, err := page.New()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{}
	mux := http.NewServeMux()
	mux.Handle("/static/", set.Static())
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.a.URL, s.a.Now, s.a.Pages = "/login", time.Now(), set.For(r, "fr", page.View{Static: "/static", Establishment: "Hôpital", Token: "token"})
		if s.proof, s.err = s.m.Serve(w, r, &s.a); s.proof != nil || s.err != nil {
			w.Write([]byte("<!doctype html><title>done</title><p id=done>done"))
		}
	})
	mux.HandleFunc("/new", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(enrolPage)) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // a host, as WebAuthn wants one
	c := Config{Store: &Memory{}, ID: "localhost", Name: "Hôpital", Origins: []string{s.URL}}
	if change != nil {
		change(&c)
	}
	if s.m, err = New(c); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/enrol", &Enrolment{Means: s.m,
		Proven:   func(*http.Request) (*authn.Account, error) { return alice, nil },
		Enrolled: func(*http.Request, *Passkey) error { return nil },
		Refused:  func(_ *http.Request, err error) { t.Logf("refused: %v", err) },
	})
	return s
}

func (s *site) ended() (*authn.Proof, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proof, s.err
}

func call[P, R any](t *testing.T, ctx context.Context, command cdp.Command[P, R], parameters P) R {
	t.Helper()
	result, err := chromedp.Call(ctx, command, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func run[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestBrowser is Chromium with its virtual authenticator, from the ticket to the proof, on the page that people see.
func TestBrowser(t *testing.T) {
	program := judge.Require(t, "chromium")
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	for name, tt := range map[string]struct {
		copied, verifies bool
		references       []string
	}{
		"a key in hardware":         {false, true, []string{"hwk", "user", "mfa"}},
		"a key that can be copied":  {true, true, []string{"swk", "user", "mfa"}},
		"a person not verified now": {false, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := chromedp.NewContext(allocator)
			defer cancel()
			ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
			defer cancel()
			s := newSite(t, nil)
			run(t, ctx, chromedp.Navigate(s.URL+"/new"))
			call(t, ctx, webauthn.Enable, webauthn.EnableParams{})
			device := call(t, ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true, DefaultBackupEligibility: tt.copied,
			}})
			text, err := NewTicket(t.Context(), s.m.config.Store, alice.ID, "", "id-of-admin", time.Now(), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, ctx, chromedp.Evaluate[int](`enrol("`+text+`")`, chromedp.EvalAwaitPromise)); got != http.StatusNoContent {
				t.Fatalf("the enrolment: %d", got)
			}
			if !tt.verifies {
				call(t, ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device.AuthenticatorID, IsUserVerified: false})
			}
			run(t, ctx, chromedp.Navigate(s.URL+"/login"))
			run(t, ctx, chromedp.Click("#passkey-use"))
			run(t, ctx, chromedp.WaitVisible("#done"))
			proof, err := s.ended()
			if tt.verifies && (err != nil || proof.Identifier.Value != alice.ID || !slices.Equal(proof.References, tt.references)) {
				t.Errorf("%+v, %v", proof, err)
			}
			if !tt.verifies && !refusedFor(err, authn.Cancelled, "") {
				t.Errorf("%+v, %v", proof, err)
			}
		})
	}
}
