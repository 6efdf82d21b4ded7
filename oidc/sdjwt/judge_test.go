package sdjwt

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/judge"
)

// TestJudge: what another implementation issues and presents is read here as it was meant.
func TestJudge(t *testing.T) {
	node, dir := judge.Require(t, "node"), judge.NodeModules(t, filepath.Join("testdata", "wallet"))
	command := exec.Command(node, filepath.Join("testdata", "wallet", "wallet.js"))
	command.Env = append(os.Environ(), "MODULES="+dir, "AUDIENCE="+binding.Audience, "NONCE="+binding.Nonce, "VCT="+vct, "ISSUER="+issuerID,
		"NOW="+strconv.FormatInt(now.Unix(), 10))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Key                  jose.JSONWebKey
		Number, All, Unbound string
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w := newWallet(t)
	v := w.verifier(func(c *Config) {
		c.Issuers = map[string]Issuer{issuerID: {Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{said.Key}}, Types: []string{vct}}}
	})
	for _, c := range []struct{ name, text, want string }{
		{"a number alone", said.Number, `{"nationalities":[],"rpps":"10003456789"}`},
		{"all", said.All, `{"address":{"city":"Lyon","country":"FR"},"family_name":"Martin","given_name":"Camille","nationalities":["FR","BE"],"rpps":"10003456789"}`},
	} {
		p, err := v.Verify(t.Context(), c.text, binding)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, name := range []string{"iss", "vct", "iat", "exp", "cnf"} {
			delete(p.Claims, name)
		}
		if got, err := json.Marshal(p.Claims); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if _, err := v.Verify(t.Context(), said.Unbound, binding); reasonOf(err) != NotBound {
		t.Errorf("without its binding: %v", err)
	}
}
