package rp_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/oidc/authn"
	"sceau/oidc/rp"
	"sceau/oidc/rp/rptest"
)

// professional is what Pro Santé Connect says of somebody who does not exist, in the form in which it says it.
func professional() rptest.Members {
	return rptest.Members{
		"SubjectNameID": "800000000001", "preferred_username": "800000000001", "given_name": "ALIX", "family_name": "EXEMPLE", "email_verified": false,
		"SubjectRole": []string{"10^1.2.250.1.213.1.1.5.5"}, "SubjectOrganization": "HOPITAL D'EXEMPLE", "SubjectOrganizationID": "F010000000",
		"Secteur_Activite": "SA01^1.2.250.1.71.4.2.4", "Mode_Acces_Raison": "", "Acces_Regulation_Medicale": "FAUX", "UITVersion": "1.0", "authMode": "CARD",
		"Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1", "PSI_Locale": "1.2.250.1.213.1.3.1.1",
		"otherIds": []any{rptest.Members{"identifiant": "800000000001", "origine": "RPPS", "qualite": 1}, rptest.Members{"identifiant": "010000001", "origine": "ADELI", "qualite": "2"}},
		"SubjectRefPro": rptest.Members{"codeCivilite": "MME", "exercices": []any{rptest.Members{
			"codeProfession": "10", "codeCategorieProfessionnelle": "C", "codeCiviliteDexercice": "DR", "nomDexercice": "EXEMPLE", "prenomDexercice": "ALIX",
			"codeTypeSavoirFaire": "S", "codeSavoirFaire": "SM26", "activities": []any{
				rptest.Members{"codeModeExercice": "S", "codeSecteurDactivite": "SA01", "numeroFinessSite": "010000000", "numeroFinessetablissementJuridique": "010000018",
					"identifiantTechniqueDeLaStructure": "F010000000", "raisonSocialeSite": "HOPITAL D'EXEMPLE", "codeRole": "", "aNewMember": []int{1}},
				rptest.Members{"codeModeExercice": "L", "codeSecteurDactivite": "SA07", "raisonSocialeSite": "CABINET"}}}}},
	}
}

// psc is a provider in the shape of Pro Santé Connect: the hosts of the preset, its paths, mutual TLS, no amr and no iss.
func psc(t testing.TB, environment string) (*rptest.OP, rp.Config) {
	t.Helper()
	c, err := rp.ProSanteConnect(environment)
	if err != nil {
		t.Fatal(err)
	}
	authorization := map[string]string{rp.Sandbox: "https://wallet.bas.psc.esante.gouv.fr/auth", rp.Production: "https://wallet.esw.esante.gouv.fr/auth"}[environment]
	op := rptest.New(t, rptest.Config{Issuer: c.Issuer, Authorization: authorization, Discovery: "/.well-known/wallet-openid-configuration", ClientID: "sceau-bas",
		Certificate: true, Subject: "f:00000000-0000-4000-8000-000000000000:800000000001", Claims: professional()})
	op.Lies.IDToken = func(m rptest.Members) { delete(m, "amr") }
	c.ClientID, c.Method, c.Certificate = "sceau-bas", rp.TLSClientAuth, certificate(testpki.Load().Hospital)
	c.RedirectURI, c.Roots, c.Dial, c.Now = "https://sceau.example/etab/010000000/upstream/psc/callback", op.Roots, op.Dial, rptest.Now
	return op, c
}

func TestProSanteConnect(t *testing.T) {
	for _, environment := range []string{rp.Sandbox, rp.Production} {
		t.Run(environment, func(t *testing.T) {
			op, c := psc(t, environment)
			p := provider(t, c)
			l, err := login(t, op, p, rp.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(op.Seen.Host, "wallet.") || op.Asked("wallet-openid-configuration") != 1 || op.Asked("openid-configuration") != 0 || len(op.Seen.Hosts) != 2 {
				t.Errorf("%v", op.Seen.Hosts)
			}
			q := op.Seen.Authorization
			if q.Get("scope") != "openid scope_all" || q.Get("acr_values") != "eidas1" || q.Get("code_challenge_method") != "S256" || op.Seen.Certificate == nil {
				t.Errorf("%v", q)
			}
			s, err := rp.ParseProSante(l.Claims)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Identifier(); got != (authn.Identifier{Type: "rpps", Value: "00000000001"}) {
				t.Errorf("%+v", got)
			}
		})
	}
	if c, err := rp.ProSanteConnect("test"); rp.ReasonOf(err) != rp.Misconfigured || c.Issuer != "" {
		t.Error(err)
	}
}

// TestO7ProSanteConnect: the policy of the preset.
func TestO7ProSanteConnect(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(rptest.Members)
		good   bool
	}{
		"eidas1":       {func(m rptest.Members) {}, true},
		"eidas3":       {func(m rptest.Members) { m["acr"] = "eidas3" }, true},
		"another acr":  {func(m rptest.Members) { m["acr"] = "1" }, false},
		"no acr":       {func(m rptest.Members) { delete(m, "acr") }, false},
		"no auth_time": {func(m rptest.Members) { delete(m, "auth_time") }, false},
	} {
		op, c := psc(t, rp.Sandbox)
		op.Lies.IDToken = tt.change
		l, err := login(t, op, provider(t, c), rp.Request{})
		if (err == nil) != tt.good || err != nil && (l != nil || rp.ReasonOf(err) != rp.TooWeak) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func claimsOf(t testing.TB, m rptest.Members) rp.Claims {
	t.Helper()
	c, err := rp.ParseClaims(text(t, m))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseProSante(t *testing.T) {
	s, err := rp.ParseProSante(claimsOf(t, professional()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Roles, []rp.Coded{{Code: "10", List: "1.2.250.1.213.1.1.5.5"}}) || s.Sector != (rp.Coded{Code: "SA01", List: "1.2.250.1.71.4.2.4"}) || s.Level.Code != "APPPRIP3" ||
		s.Civility != "MME" || s.Mode != "CARD" || s.OrganizationID != "F010000000" || len(s.OtherIDs) != 2 || s.OtherIDs[0].Quality != "1" || s.OtherIDs[1].Quality != "2" ||
		len(s.Practice.Professions) != 1 || len(s.Practice.Professions[0].Activities) != 2 || s.Practice.Professions[0].Activities[0].LegalFINESS != "010000018" {
		t.Errorf("%+v", s)
	}
	a := s.Attributes()
	for name, want := range map[string][]string{
		"SubjectNameID": {"800000000001"}, "SubjectRole": {"10^1.2.250.1.213.1.1.5.5"}, "otherIds.RPPS": {"800000000001"}, "otherIds.ADELI": {"010000001"},
		"SubjectRefPro.exercices.codeProfession": {"10"}, "SubjectRefPro.exercices.codeSavoirFaire": {"SM26"},
		"SubjectRefPro.exercices.activities.codeSecteurDactivite": {"SA01", "SA07"}, "SubjectRefPro.exercices.activities.numeroFinessSite": {"010000000"},
		"Mode_Acces_Raison": nil, "SubjectRefPro.exercices.activities.codeRole": nil, "email": nil} {
		if !slices.Equal(a[name], want) {
			t.Errorf("%s: %q", name, a[name])
		}
	}
	for _, values := range a {
		if len(values) == 0 || slices.Contains(values, "") {
			t.Errorf("%q", a)
		}
	}
}

func TestParseProSanteRefuses(t *testing.T) {
	with := func(name string, value any) rptest.Members {
		m := maps.Clone(professional())
		m[name] = value
		return m
	}
	for name, tt := range map[string]struct {
		claims rptest.Members
		good   bool
	}{
		"nothing beside the identifier": {rptest.Members{"SubjectNameID": "ANS20231122132732"}, true},
		"nothing":                       {rptest.Members{}, false},
		"no identifier":                 {with("SubjectNameID", ""), false},
		"an identifier of null":         {with("SubjectNameID", nil), false},
		"an identifier with a space":    {with("SubjectNameID", "8 0000"), false},
		"an identifier of letters":      {with("SubjectNameID", "é"), false},
		"an endless identifier":         {with("SubjectNameID", strings.Repeat("8", 65)), false},
		"the identifier is a number":    {with("SubjectNameID", 800000000001), false},
		"role as one text":              {with("SubjectRole", "21^1.2.250.1.213.1.1.5.5"), true},
		"no role":                       {with("SubjectRole", []string{}), true},
		"role of null":                  {with("SubjectRole", nil), true},
		"an empty role":                 {with("SubjectRole", ""), true},
		"an empty role in the list":     {with("SubjectRole", []string{"", "10^1.2.250.1.213.1.1.5.5"}), true},
		"role without a list":           {with("SubjectRole", []string{"10"}), false},
		"role with a list of letters":   {with("SubjectRole", []string{"10^doctors"}), false},
		"role of two lists":             {with("SubjectRole", []string{"10^1.2^1.3"}), false},
		"role without a code":           {with("SubjectRole", []string{"^1.2.250"}), false},
		"roles by name":                 {with("SubjectRole", rptest.Members{"10": true}), false},
		"roles and a number":            {with("SubjectRole", []any{"10^1.2.250.1.213.1.1.5.5", 1}), false},
		"sector without a list":         {with("Secteur_Activite", "SA01"), false},
		"sector of a number":            {with("Secteur_Activite", 1), false},
		"no sector":                     {with("Secteur_Activite", ""), true},
		"level with a zero arc":         {with("Palier_Authentification", "A^1.02"), false},
		"otherIds of text":              {with("otherIds", "RPPS"), false},
		"practice of a list":            {with("SubjectRefPro", []int{1}), false},
		"a profession of a number":      {with("SubjectRefPro", rptest.Members{"exercices": []any{rptest.Members{"codeProfession": 10}}}), false},
		"practice of null":              {with("SubjectRefPro", nil), true},
		"name of a list":                {with("family_name", []string{"A", "B"}), false},
	} {
		s, err := rp.ParseProSante(claimsOf(t, tt.claims))
		if (err == nil) != tt.good || (s == nil) != (err != nil) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	for id, want := range map[string]authn.Identifier{
		"899700000017":      {Type: "rpps", Value: "99700000017"},
		"0010000001":        {Type: "nationalid", Value: "0010000001"},
		"3010000000/42":     {Type: "nationalid", Value: "3010000000/42"},
		"8997000000171":     {Type: "nationalid", Value: "8997000000171"},
		"89970000001a":      {Type: "nationalid", Value: "89970000001a"},
		"ANS20231122132732": {Type: "nationalid", Value: "ANS20231122132732"},
	} {
		if s, err := rp.ParseProSante(claimsOf(t, rptest.Members{"SubjectNameID": id})); err != nil || s.Identifier() != want {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestCIBA: a telephone instead of a browser, in the shape of Pro Santé Connect.
func TestCIBA(t *testing.T) {
	op, c := psc(t, rp.Sandbox)
	at := &clock{rptest.Now()}
	c.Now = at.now
	p := provider(t, c)
	begin := func(hint string) *rp.Pending {
		b, err := p.BackchannelAuthentication(ctx(t), rp.BackchannelRequest{LoginHint: hint, BindingMessage: "00"})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := begin("800000000001")
	f := op.Seen.Backchannel
	if f.Get("login_hint") != "800000000001" || f.Get("binding_message") != "00" || f.Get("scope") != "openid scope_all" || f.Get("acr_values") != "eidas1" || f.Get("client_id") != "sceau-bas" || op.Seen.Certificate == nil {
		t.Errorf("%v", f)
	}
	says := func(code string) {
		op.Lies.Instead = map[string]http.HandlerFunc{"token": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"` + code + `"}`))
		}}
	}
	poll := func(b *rp.Pending, want rp.Reason) {
		t.Helper()
		l, err := p.Poll(ctx(t), b)
		refused(t, l, err, want, "")
	}
	poll(b, rp.Waiting) // too early: nobody is asked
	if op.Asked("token") != 0 {
		t.Error("asked too early")
	}
	says("authorization_pending")
	at.at = b.Next
	poll(b, rp.Waiting)
	says("slow_down")
	at.at = b.Next
	poll(b, rp.SlowDown)
	if b.Interval != 6*time.Second || b.Next.Sub(at.at) != 6*time.Second {
		t.Errorf("%+v", b)
	}
	op.Lies.Instead = nil
	at.at = b.Next
	l, err := p.Poll(ctx(t), b)
	if err != nil || l.Subject != op.Subject || op.Seen.Token.Get("auth_req_id") != b.ID || op.Seen.Token.Get("grant_type") != "urn:openid:params:grant-type:ciba" {
		t.Errorf("%v", err)
	}
	for code, want := range map[string]rp.Reason{"access_denied": rp.Denied, "expired_token": rp.Expired, "invalid_grant": rp.Rejected} {
		says(code)
		b := begin("800000000001")
		b.Next = at.at
		poll(b, want)
	}
	op.Lies.Instead = nil
	b = begin("800000000002") // and another confirms
	b.Next = at.at
	poll(b, rp.Mismatch)
	b = begin("800000000001")
	at.at = b.Expires
	poll(b, rp.Expired)
	poll(nil, rp.Mismatch)
	poll(&rp.Pending{ID: "x", Issuer: "https://evil.example", Expires: at.at.Add(time.Hour)}, rp.Mismatch)

	at.at = rptest.Now()
	op.Lies.IDToken = func(m rptest.Members) { m["nonce"] = "of a login with a browser" }
	b = begin("800000000001")
	b.Next = at.at
	poll(b, rp.BadToken)
	if _, err := p.BackchannelAuthentication(ctx(t), rp.BackchannelRequest{}); rp.ReasonOf(err) != rp.Misconfigured {
		t.Error(err)
	}
	for name, body := range map[string]string{"no id": `{"expires_in":120}`, "no end": `{"auth_req_id":"a"}`, "an end of text": `{"auth_req_id":"a","expires_in":"120"}`,
		"no end for years": `{"auth_req_id":"a","expires_in":99999999}`, "a negative interval": `{"auth_req_id":"a","expires_in":120,"interval":-1}`, "no JSON": `x`} {
		op.Lies.Instead = map[string]http.HandlerFunc{"auth": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }}
		if b, err := p.BackchannelAuthentication(ctx(t), rp.BackchannelRequest{LoginHint: "8"}); b != nil || rp.ReasonOf(err) != rp.Unavailable {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}
