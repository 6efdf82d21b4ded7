package federation

import (
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sceau/internal/judge"
)

// TestJudge: another implementation resolves what our publishers say, to the same metadata, and another JOSE library verifies our
// signatures with three kinds of keys.
func TestJudge(t *testing.T) {
	node, dir := judge.Require(t, "node"), judge.NodeModules(t, filepath.Join("testdata", "judge"))
	w, anchor, agency, provider, r := agencies(t, time.Now)
	if _, err := r.Resolve(t.Context(), provider.c.Entity, ""); err != nil { // for the resolve endpoint
		t.Fatal(err)
	}
	// The judge reads trust marks as drafts before the final standard had them (trust_mark_id): it is shown none.
	leaf := provider.c
	leaf.TrustMarks = nil
	w.hosted(publish(t, leaf))
	r = w.resolver(func(c *Config) { c.Now, c.Anchors = time.Now, map[string]jose.JSONWebKeySet{anchorID: anchor.Keys()} })
	ours, err := r.Resolve(t.Context(), provider.c.Entity, "openid_provider")
	if err != nil {
		t.Fatal(err)
	}
	_, _, response := ask(t, agency, "GET", issuerID+pathResolve+"?"+url.Values{"sub": {provider.c.Entity}, "trust_anchor": {anchorID}}.Encode(), nil)
	command := exec.Command(node, filepath.Join("testdata", "judge", "judge.js"))
	command.Env = append(os.Environ(), "MODULES="+dir, "ADDRESS="+w.srv.Listener.Addr().String(), "ENTITY="+provider.c.Entity, "ANCHOR="+anchor.c.Entity,
		"CA="+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.srv.TLS.Certificates[0].Certificate[0]})),
		"STATEMENT="+response, "KEYS="+string(jsonOf(t, agency.Keys())))
	out, err := command.Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	var said struct {
		Verified int
		Resolver string
		Chains   []struct {
			Length   int
			Metadata json.RawMessage
		}
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(said.Chains) != 1 || said.Verified < 5 || said.Resolver != issuerID {
		t.Fatalf("%s", out)
	}
	theirs, err := metadataOf(parseJSON(t, string(said.Chains[0].Metadata)))
	if err != nil {
		t.Fatal(err)
	}
	if string(jsonOf(t, theirs["openid_provider"])) != string(jsonOf(t, ours.Metadata["openid_provider"])) {
		t.Errorf("they %s\nwe %s", jsonOf(t, theirs), jsonOf(t, ours.Metadata))
	}
	t.Logf("%d signatures verified, a chain of %d, the same metadata", said.Verified, said.Chains[0].Length)
}
