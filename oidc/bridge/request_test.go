package bridge_test

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"sceau/oidc/bridge"
)

func TestParseRequest(t *testing.T) {
	access, jwt := bridge.AccessToken.String(), bridge.JWT.String()
	base := "subject_token=abc&subject_token_type=" + url.QueryEscape(access)
	for name, c := range map[string]struct {
		form string
		want bridge.Reason
	}{
		"no subject_token":            {"subject_token_type=" + access, bridge.BadRequest},
		"an empty subject_token":      {"subject_token=&subject_token_type=" + access, bridge.BadRequest},
		"no type":                     {"subject_token=abc", bridge.BadRequest},
		"an unknown type":             {"subject_token=abc&subject_token_type=access_token", bridge.UnsupportedType},
		"a type in another case":      {"subject_token=abc&subject_token_type=" + strings.ToUpper(access), bridge.UnsupportedType},
		"a type of which nothing is":  {"subject_token=abc&subject_token_type=urn:ietf:params:oauth:token-type:", bridge.UnsupportedType},
		"requested type":              {base + "&requested_token_type=x", bridge.UnsupportedType},
		"subject_token twice":         {base + "&subject_token=def", bridge.RepeatedParameter},
		"subject_token twice, equal":  {base + "&subject_token=abc", bridge.RepeatedParameter},
		"scope twice":                 {base + "&scope=a&scope=b", bridge.RepeatedParameter},
		"client_id twice":             {base + "&client_id=a&client_id=b", bridge.RepeatedParameter},
		"an unknown one twice":        {base + "&x=a&x=b", bridge.RepeatedParameter},
		"actor without type":          {base + "&actor_token=x", bridge.BadRequest},
		"type without actor":          {base + "&actor_token_type=" + jwt, bridge.BadRequest},
		"a token with a line":         {"subject_token=a%0Ab&subject_token_type=" + access, bridge.BadRequest},
		"a token beyond ASCII":        {"subject_token=%C3%A9&subject_token_type=" + access, bridge.BadRequest},
		"subject_issuer with a space": {base + "&subject_issuer=a+b", bridge.BadRequest},
		"a large token":               {base + strings.Repeat("a", 100<<10), bridge.UnsupportedType},
		"a large subject token":       {"subject_token_type=" + access + "&subject_token=" + strings.Repeat("a", 100<<10), bridge.BadRequest},
		"a large actor token":         {base + "&actor_token_type=" + jwt + "&actor_token=" + strings.Repeat("a", 100<<10), bridge.BadRequest},
		"a long name":                 {base + "&" + strings.Repeat("n", 300) + "=x", bridge.BadRequest},
		"scope with two spaces":       {base + "&scope=a++b", bridge.BadScope},
		"scope that ends in a space":  {base + "&scope=a+", bridge.BadScope},
		"scope with a quote":          {base + "&scope=a%22", bridge.BadScope},
		"scope with a tab":            {base + "&scope=a%09b", bridge.BadScope},
		"a long scope":                {base + "&scope=" + strings.Repeat("a", 3000), bridge.BadScope},
		"many scopes":                 {base + "&scope=" + many("s", "+"), bridge.BadScope},
		"many audiences":              {base + "&audience=" + many("a", "&audience="), bridge.BadTarget},
		"an audience with a space":    {base + "&audience=a+b", bridge.BadTarget},
		"a long audience":             {base + "&audience=" + strings.Repeat("a", 2000), bridge.BadTarget},
		"a relative resource":         {base + "&resource=records", bridge.BadTarget},
		"many parameters":             {base + "&" + many("p", "=x&") + "=x", bridge.BadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := url.ParseQuery(c.form)
			if err != nil {
				t.Fatal(err)
			}
			r, err := bridge.ParseRequest(f)
			if bridge.ReasonOf(err) != c.want || r != nil {
				t.Errorf("%v, %v; want %q", r, err, c.want)
			}
		})
	}
	f, _ := url.ParseQuery(base + "&audience=a&audience=b&audience=a&resource=https://r.example/x%3Fy&scope=b+a+b&actor_token=act&actor_token_type=" + jwt +
		"&requested_token_type=" + bridge.SAML1.String() + "&subject_issuer=https://i.example&unknown=x&empty=")
	r, err := bridge.ParseRequest(f)
	want := &bridge.Request{SubjectToken: "abc", SubjectTokenType: bridge.AccessToken, ActorToken: "act", ActorTokenType: bridge.JWT, Requested: bridge.SAML1,
		Audience: []string{"a", "b"}, Resource: []string{"https://r.example/x?y"}, Scope: []string{"b", "a"}, SubjectIssuer: "https://i.example"}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("%+v, %v", r, err)
	}
}

// many gives a hundred names with something between.
func many(name, between string) string {
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprint(name, i))
	}
	return strings.Join(all, between)
}

func TestTokenTypes(t *testing.T) {
	for _, kind := range []bridge.TokenType{bridge.AccessToken, bridge.RefreshToken, bridge.IDToken, bridge.JWT, bridge.SAML1, bridge.SAML2} {
		if got, ok := bridge.ParseTokenType(kind.String()); !ok || got != kind || kind.String() != "urn:ietf:params:oauth:token-type:"+kind.Name() || kind.Name() == "" {
			t.Errorf("%s: %v", kind, got)
		}
	}
	for _, kind := range []bridge.TokenType{0, 99} {
		if kind.String() != "" || kind.Name() != "" {
			t.Errorf("type %d is %s", kind, kind)
		}
	}
}

// TestReasons: each reason has words, a code of OAuth and a status; what is none is a server error.
func TestReasons(t *testing.T) {
	codes := map[string]bool{"invalid_request": true, "invalid_target": true, "invalid_scope": true, "invalid_client": true, "temporarily_unavailable": true, "server_error": true}
	for r := bridge.BadRequest; r <= bridge.Unconfigured; r++ {
		if strings.HasPrefix(r.String(), "reason ") || !codes[r.Code()] || r.Status() < 400 {
			t.Errorf("%d: %s %s %d", r, r, r.Code(), r.Status())
		}
	}
	for _, r := range []bridge.Reason{0, bridge.Unconfigured + 1} {
		if r.Code() != "server_error" || r.Status() != 500 {
			t.Errorf("%d: %s %d", r, r.Code(), r.Status())
		}
	}
}
