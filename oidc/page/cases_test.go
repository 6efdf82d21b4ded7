package page_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

var view = page.View{
	Static: "/etab/750712184/static", Establishment: "Centre hospitalier de la Lys", Client: "Dossier patient partagé", Token: "jeton-1",
	Redirects: []string{"https://dossier.example/retour"},
	Support:   page.Support{URL: "https://aide.example/connexion", Telephone: "+32 56 00 00 00", Email: "aide@chl.example"},
}

var means = []page.Offer{
	{Kind: page.KindCertificate, Names: []string{"eID", "CPS", "eHealth"}, URL: "/etab/750712184/attempt/1/card", Last: true},
	{Kind: page.KindPasskey, URL: "/etab/750712184/attempt/1/passkey"},
	{Kind: page.KindDirectory, URL: "/etab/750712184/attempt/1/directory"},
	{Kind: page.KindKerberos, URL: "/etab/750712184/attempt/1/kerberos"},
	{Kind: page.KindAssertion, URL: "/etab/750712184/attempt/1/assertion"},
	{Kind: page.KindWallet, URL: "/etab/750712184/attempt/1/wallet"},
	{Kind: page.KindUpstream, Label: "Pro Santé Connect", URL: "/etab/750712184/attempt/1/psc"},
}

const (
	action = "/etab/750712184/attempt/1/here"
	back   = "/etab/750712184/attempt/1"
	wallet = "openid4vp://authorize?client_id=x509_hash%3AUvo3&request_uri=https%3A%2F%2Fidp.example%2Fwallet%2F1&request_uri_method=post"
)

var options = json.RawMessage(`{"challenge":"AAECAwQFBgcICQoLDA0ODw","rpId":"localhost","userVerification":"required","timeout":60000,"allowCredentials":[]}`)

// cases are all pages, with what each can tell.
var cases = []struct {
	name   string
	status int
	page   any
}{
	{"choose", 200, page.Choose{Means: means, Cancel: action}},
	{"choose-again", 200, page.Choose{Means: means[:2], Again: page.AgainTooOld, Cancel: action}},
	{"choose-stronger", 200, page.Choose{Means: means[1:2], Again: page.AgainStronger}},
	{"choose-asked", 200, page.Choose{Means: means[1:2], Again: page.AgainAsked}},
	{"choose-refused", 200, page.Choose{Means: means[:3], Refused: authn.NotEnrolled, Cancel: action}},
	{"choose-none", 200, page.Choose{}},
	{"password", 200, page.Password{Action: action, Return: back}},
	{"password-refused", 200, page.Password{Action: action, Username: "anne.peeters", Refused: authn.NotProven, Return: back}},
	{"password-many", 429, page.Password{Action: action, Username: "anne.peeters", Refused: authn.TooMany, RetryAfter: 100 * time.Second, Return: back}},
	{"code", 200, page.OneTimeCode{Action: action, Digits: 6, Return: back}},
	{"code-refused", 200, page.OneTimeCode{Action: action, Refused: authn.NotProven, Return: back}},
	{"passkey", 200, page.Passkey{Action: action, Options: options, Return: back}},
	{"passkey-refused", 200, page.Passkey{Action: action, Options: options, Refused: authn.Cancelled, Return: back}},
	{"enrol", 200, page.Enrol{Action: action, Done: back, Person: "Anne Peeters"}},
	{"enrol-nobody", 403, page.Enrol{Missing: page.MissingSession, Within: 10 * time.Minute, Retry: back}},
	{"enrol-old", 403, page.Enrol{Missing: page.MissingRecent, Within: 10 * time.Minute, Retry: back}},
	{"enrol-other", 403, page.Enrol{Missing: page.MissingOther, Within: 10 * time.Minute, Retry: back}},
	{"enrolled", 200, page.Enrolled{Label: "Clé bleue", Made: given}},
	{"enrolled-plain", 200, page.Enrolled{Made: given}},
	{"consents", 200, page.Consents{Action: action, Person: "Anne Peeters", Given: []page.Given{
		{Client: "dossier", Name: "Dossier patient partagé", Scopes: scopes[:3], Since: given},
		{Client: "agenda", Name: "Agenda", Scopes: scopes, Terms: &page.Terms{URL: "https://chl.example/cgu"}, Since: given}}}},
	{"consents-withdrawn", 200, page.Consents{Action: action, Person: "Anne Peeters", Withdrawn: "Agenda"}},
	{"consents-none", 200, page.Consents{Action: action}},
	{"consents-nobody", 403, page.Consents{Stranger: true}},
	{"certificate", 200, page.Certificate{Secure: "https://carte.example:8443/etab/750712184/attempt/1/card", Cards: []string{"eID", "CPS", "eHealth"}, Return: back}},
	{"certificate-none", 200, page.Certificate{Secure: "https://carte.example:8443/card", Fault: page.CertificateNone, Return: back}},
	{"certificate-expired", 200, page.Certificate{Secure: "https://carte.example:8443/card", Fault: page.CertificateExpired, Return: back}},
	{"certificate-revoked", 200, page.Certificate{Secure: "https://carte.example:8443/card", Fault: page.CertificateRevoked, Return: back}},
	{"certificate-foreign", 200, page.Certificate{Secure: "https://carte.example:8443/card", Fault: page.CertificateForeign, Return: back}},
	{"certificate-refused", 200, page.Certificate{Secure: "https://carte.example:8443/card", Refused: authn.NotProven, Return: back}},
	{"certificate-closed", 200, page.Certificate{Return: back}},
	{"kerberos", 401, page.Kerberos{Retry: action, Return: back}},
	{"kerberos-refused", 401, page.Kerberos{Retry: action, Refused: authn.Unsuitable, Return: back}},
	{"assertion", 200, page.Assertion{Action: "https://carte.example:8443/assertion", Return: back}},
	{"assertion-refused", 200, page.Assertion{Action: "https://carte.example:8443/assertion", Refused: authn.NotProven, Return: back}},
	{"assertion-closed", 200, page.Assertion{Return: back}},
	{"wallet", 200, page.Wallet{Link: wallet, Return: back}},
	{"wallet-other", 200, page.Wallet{Link: wallet, Code: "/etab/750712184/attempt/1/wallet/code.png", Done: back, Return: back}},
	{"wallet-waiting", 200, page.Wallet{Link: wallet, Code: "/etab/750712184/attempt/1/wallet/code.png", Done: back, Waiting: true, Return: back}},
	{"wallet-refused", 200, page.Wallet{Link: "https://wallet.example/authorize?client_id=x", Refused: authn.Unsuitable, Return: back}},
	{"choose-one", 200, page.Choose{Means: means[:1], Refused: authn.Unsuitable, Return: back}},
	{"insufficient", 403, page.Insufficient{Means: means[:2], Cancel: action}},
	{"insufficient-none", 403, page.Insufficient{Cancel: action}},
	{"consent", 200, page.Consent{Action: action, Person: "Anne Peeters", Scopes: scopes, Terms: &page.Terms{URL: "https://chl.example/cgu", Version: "2026-03"}, Later: back}},
	{"consent-missing", 200, page.Consent{Action: action, Scopes: scopes[:3], Terms: &page.Terms{URL: "https://chl.example/cgu", Title: "Charte d’usage"}, TermsMissing: true}},
	{"consent-plain", 200, page.Consent{Action: action, Scopes: scopes[:2]}},
	{"logout", 200, page.Logout{Action: action, Person: "Anne Peeters", Hidden: []page.Field{{Name: "state", Value: "s-1"}}}},
	{"stayed", 200, page.Stayed{}},
	{"loggedout", 200, page.LoggedOut{Return: "https://dossier.example/", Unreached: []string{"Imagerie", "Laboratoire"}}},
	{"loggedout-plain", 200, page.LoggedOut{}},
	{"error", 400, page.Error{Code: "invalid_request", AuditID: "01JDM5W6V9Q3R8Z2", Return: back}},
	{"error-server", 500, page.Error{Code: "server_error", AuditID: "01JDM5W6V9Q3R8Z2"}},
	{"error-account", 403, page.Error{Code: "no_account", AuditID: "01JDM5W6V9Q3R8Z2"}},
	{"error-unknown", 400, page.Error{Code: "new_code"}},
	{"toomany", 429, page.TooMany{RetryAfter: 5 * time.Minute, Return: back}},
	{"toomany-plain", 429, page.TooMany{}},
	{"expired", 400, page.Expired{Restart: back}},
	{"expired-plain", 400, page.Expired{}},
	{"continue", 200, page.Continue{URL: "https://dossier.example/retour?code=c"}},
	{"formpost", 200, page.FormPost{Action: "https://dossier.example/retour", Fields: []page.Field{{Name: "code", Value: "c"}}}},
}

var given = time.Date(2026, 11, 5, 9, 0, 0, 0, time.UTC)

var scopes = []page.Scope{{Name: "openid"}, {Name: "profile"}, {Name: "email"}, {Name: "scope_all"}, {Name: "lys.agenda", Text: "vos rendez-vous de la semaine"}, {Name: "offline_access"}}

func newSet(t testing.TB) *page.Set {
	t.Helper()
	set, err := page.New()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// write has a page written, for a request to the address of a means.
func write(t failer, set *page.Set, language string, v page.View, status int, value any) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://sceau.example"+action+"?keep=1&lang=xx", nil)
	w := httptest.NewRecorder()
	set.For(r, language, v).Write(w, r, status, value)
	return w.Result()
}
