package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"reflect"
	"testing"

	"sceau/audit"
)

// TestCodeFlow is the road of a login, and what the tokens of it say (EXI FI 16, 19 to 23).
func TestCodeFlow(t *testing.T) {
	h := openHouse(t, nil, web(t))
	status, got := h.ask("/token", redeeming(h.code()))
	if status != http.StatusOK || got.Access == "" || got.ID == "" || got.Type != "Bearer" || got.Refresh != "" {
		t.Fatalf("%d %+v", status, got)
	}
	id := h.claimsOf(got.ID)
	for name, want := range map[string]any{
		"iss": h.config.Issuer, "aud": "web", "azp": "web", "sub": "etab1:a1", "oid": "etab1:a1", "tid": "etab1", "nonce": "no",
		"given_name": "Alice", "family_name": "Exemple", "name": "Alice Exemple", "preferred_username": "alice", "email": "alice@hopital.example",
		"email_verified": true, "amr": []any{"sc", "pin", "mfa", "hwk"},
	} {
		if !reflect.DeepEqual(id[name], want) {
			t.Errorf("ID token: %s: %v, want %v", name, id[name], want)
		}
	}
	for _, name := range []string{"auth_time", "sid", "exp", "iat", "jti"} {
		if id[name] == nil {
			t.Errorf("ID token: no %s", name)
		}
	}
	hash := sha256.Sum256([]byte(got.Access))
	if want := base64.RawURLEncoding.EncodeToString(hash[:16]); id["at_hash"] != want {
		t.Errorf("at_hash is %v and not %s", id["at_hash"], want)
	}
	status, info := h.userinfo(got.Access)
	if status != http.StatusOK {
		t.Fatal(status, info)
	}
	for name, value := range info { // what userinfo says is what the ID token says
		if !reflect.DeepEqual(id[name], value) {
			t.Errorf("userinfo: %s: %v, the ID token has %v", name, value, id[name])
		}
	}
	if len(info) < 11 {
		t.Errorf("userinfo: %v", info)
	}
	access := h.claimsOf(got.Access)
	for _, name := range []string{"sub", "oid", "tid", "sid", "auth_time", "client_id", "jti", "aud"} {
		if access[name] == nil {
			t.Errorf("access token: no %s", name)
		}
	}
	if events := h.trail(audit.OperationUserinfo); len(events) != 1 || len(events[0].Tokens) != 1 || events[0].Tokens[0].ID != access["jti"] || events[0].Grant == "" {
		t.Errorf("the trail of userinfo: %+v", events)
	}
	// EXI FI 35: from the token to the authentication.
	login, code, token := h.trail(audit.OperationAuthentication), h.trail(audit.OperationAuthorization), h.trail(audit.OperationToken)
	if len(login) != 1 || len(code) != 1 || len(token) != 1 {
		t.Fatalf("%d authentications, %d authorizations, %d token requests", len(login), len(code), len(token))
	}
	if token[0].Grant == "" || token[0].Grant != code[0].Grant || code[0].Authentication != login[0].ID || token[0].Authentication != login[0].ID ||
		login[0].Session != id["sid"] || code[0].Session != id["sid"] || login[0].Attempt == "" || login[0].Attempt != code[0].Attempt {
		t.Errorf("the trail is torn:\n%+v\n%+v\n%+v", login[0], code[0], token[0])
	}
}
