package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFaceWithdrawn: a face that the file no longer names is there until a restart, and until then an authority is told of it.
func TestFaceWithdrawn(t *testing.T) {
	plain := ""
	v, _ := startDemoServerWith(t, func(dir, config string) string {
		writeFace(t, dir)
		plain = config
		return config + "oidc: oidc.yaml\n"
	})
	texts := func() int {
		v.mu.RLock()
		defer v.mu.RUnlock()
		return len(v.faceTexts)
	}
	if texts() != 2 {
		t.Fatalf("%d texts", texts())
	}
	if err := os.WriteFile(v.path, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "only after a restart")
	if texts() != 2 {
		t.Errorf("%d texts of a face that is in force", texts())
	}
}

// writeFace writes the configuration of the demo's face.
func writeFace(t *testing.T, dir string) {
	t.Helper()
	var bound []net.Listener
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		bound = append(bound, l)
	}
	if err := (&demo{dir: dir}).prepareOIDC(bound[0], bound[1], bound[2]); err != nil {
		t.Fatal(err)
	}
	for _, l := range bound {
		l.Close()
	}
}

// TestFaceFollowsDefinitions: the face writes attributes that a reload or a version of the policies defines, and no version takes away one
// that it writes.
func TestFaceFollowsDefinitions(t *testing.T) {
	const sector = "urn:example:sector:boolean"
	v, _ := startDemoServerWith(t, func(dir, config string) string {
		config = useStore(t, "file: policy.db")(dir, config)
		writeFace(t, dir)
		return config + "oidc: oidc.yaml\n"
	})
	path := filepath.Join(v.dir, "oidc.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writes := strings.Replace(string(text), "    means:\n", "    exchange: {issuer: \"urn:example:bridge\", certified: {\"https://records.example\": [\""+sector+"\"]}}\n    means:\n", 1)
	if writes == string(text) {
		t.Fatal("the demo's face has another form")
	}
	if err := os.WriteFile(path, []byte(writes), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.reload(v.path); err == nil || !strings.Contains(err.Error(), "no certified attribute of the catalogue") {
		t.Fatalf("an attribute that nobody defines: %v", err)
	}

	policies := filepath.Join(v.dir, "policies")
	definition := "- {name: \"" + sector + "\", kind: boolean, keyed-by: [\"urn:be:fgov:person:ssin\"]}\n"
	writeFiles(t, policies, "definitions.yaml", definition)
	adopt(t, v.path, v.dir)
	v.waitLog(t, "version 2")
	if err := v.reload(v.path); err != nil {
		t.Fatalf("an attribute that the policies define: %v", err)
	}

	writeFiles(t, policies, "definitions.yaml", definition+"- {name: \"urn:example:more\", kind: boolean, keyed-by: [\"urn:be:fgov:person:ssin\"]}\n")
	adopt(t, v.path, v.dir)
	v.waitLog(t, "version 3")
	if err := os.Remove(filepath.Join(policies, "definitions.yaml")); err != nil {
		t.Fatal(err)
	}
	adopt(t, v.path, v.dir)
	v.waitLog(t, "would be defined no longer")
	if n := v.metric(t, "sceau_policy_version"); n != 3 {
		t.Errorf("version %v is in force", n)
	}

	// Nor does a reload of a file that no longer names the face, which is there until the next start.
	config, err := os.ReadFile(v.path)
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, v.dir, "stsd.yaml", strings.Replace(string(config), "oidc: oidc.yaml\n", "", 1))
	if err := v.reload(v.path); err == nil || !strings.Contains(err.Error(), "would be defined no longer") {
		t.Errorf("a face that is still there lost its attribute: %v", err)
	}
	// Where the face writes it no longer, it may go.
	writeFiles(t, v.dir, "stsd.yaml", string(config), "oidc.yaml", string(text))
	if err := v.reload(v.path); err != nil {
		t.Error(err)
	}
}
