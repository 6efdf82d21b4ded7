package bridge

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A body is what appendBody writes, in the words of encoding/json.
type body struct {
	Issuer       string            `json:"iss"`
	Subject      string            `json:"sub"`
	Audience     []string          `json:"aud,omitempty"`
	Expires      int64             `json:"exp"`
	NotBefore    int64             `json:"nbf,omitempty"`
	IssuedAt     int64             `json:"iat"`
	ID           string            `json:"jti"`
	ClientID     string            `json:"client_id,omitempty"`
	Party        string            `json:"azp,omitempty"`
	Scope        string            `json:"scope,omitempty"`
	AuthTime     int64             `json:"auth_time,omitempty"`
	Methods      []string          `json:"amr,omitempty"`
	Level        string            `json:"acr,omitempty"`
	Confirmation map[string]string `json:"cnf"`
	Actor        *Actor            `json:"act,omitempty"`
	MayAct       *Actor            `json:"may_act,omitempty"`
}

func written(t *testing.T, token *Token) string {
	t.Helper()
	b := body{
		Issuer: token.Issuer, Subject: token.Subject, Audience: token.Audience, Expires: token.Expires.Unix(), IssuedAt: token.IssuedAt.Unix(), ID: token.ID,
		ClientID: token.ClientID, Scope: strings.Join(token.Scope, " "), Methods: token.Methods, Level: token.Level,
		Confirmation: map[string]string{"x5t#S256": token.Confirmation}, Actor: token.Actor, MayAct: token.MayAct,
	}
	if token.Type == IDToken {
		b.ClientID, b.Party, b.Scope = "", token.ClientID, ""
	}
	if !token.NotBefore.IsZero() {
		b.NotBefore = token.NotBefore.Unix()
	}
	if !token.AuthTime.IsZero() {
		b.AuthTime = token.AuthTime.Unix()
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(token.Claims) == 0 {
		return string(text)
	}
	more, err := json.Marshal(token.Claims)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:len(text)-1]) + "," + string(more[1:])
}

func TestBodyIsWhatTheLibraryWrites(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	texts := []string{"plain", "é", "a\"b\\c", "<&>", "\x00\x1f\x7f", "\u2028\u2029", "\xff broken", "a/b", ""}
	var tokens []Token
	for _, kind := range []TokenType{AccessToken, IDToken, JWT} {
		tokens = append(tokens, Token{Type: kind, Issuer: "i", Subject: "s", ID: "j", Confirmation: "c", IssuedAt: at, Expires: at.Add(time.Hour)})
		for _, text := range texts {
			tokens = append(tokens, Token{
				Type: kind, Issuer: text, ID: text, Subject: text, ClientID: text, Audience: []string{text, "other"}, Scope: []string{text, "b"},
				Confirmation: text, IssuedAt: at, NotBefore: at, Expires: at.Add(time.Hour), AuthTime: at.Add(-time.Hour),
				Methods: []string{"pwd", text}, Level: text,
				Actor:  &Actor{Subject: text, Issuer: text, Actor: &Actor{Subject: "before", Actor: &Actor{Subject: text, Issuer: "i"}}},
				MayAct: &Actor{Subject: text},
				Claims: map[string]any{
					"z": text, "a" + text: true, "list": []any{text, "b"}, "number": 1.5, "none": nil, "texts": []string{text},
					"object": map[string]any{"b": text, "a": float64(1e21)},
				},
			})
		}
	}
	tokens = append(tokens, Token{Type: JWT, IssuedAt: time.Unix(0, 0), NotBefore: time.Unix(0, 0), AuthTime: time.Unix(0, 0), Audience: []string{}, Methods: []string{}})
	for _, token := range tokens {
		got, err := appendBody([]byte("before"), &token)
		if want := "before" + written(t, &token); err != nil || string(got) != want {
			t.Errorf("%v\n%s\n%s", err, got, want)
		}
	}
}

func TestBodyRefuses(t *testing.T) {
	for _, name := range reserved {
		if _, err := appendBody(nil, &Token{Claims: map[string]any{"a": "b", name: "c"}}); err == nil {
			t.Errorf("a further claim %s was written", name)
		}
	}
	if _, err := appendBody(nil, &Token{Claims: map[string]any{"a": func() {}}}); err == nil {
		t.Error("a claim was written that is no JSON")
	}
}
