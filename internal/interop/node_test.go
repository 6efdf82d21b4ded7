package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sceau/internal/judge"
)

// nodeModules installs what node/package-lock.json pins in a folder of the test
// and gives it.
func nodeModules(t *testing.T) string {
	t.Helper()
	npm := judge.Require(t, "npm")
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join("node", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(npm, "ci", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	if out, err := command.CombinedOutput(); err != nil {
		if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
		t.Skipf("npm ci: %v\n%s", err, out)
	}
	return dir
}

func TestNode(t *testing.T) {
	apart(t)
	node := judge.Require(t, "node")
	with := []string{judge.Require(t, "env"), "INTEROP_MODULES=" + nodeModules(t), node}
	command := func(words ...string) []string { return append(with[:len(with):len(with)], words...) }
	t.Run("consumer", func(t *testing.T) {
		c := consumer{command: command("node/consumer.js", "request.xml", "service.wsdl"), kinds: kinds,
			tokens: join(tokens, inner, []token{
				{name: "PrefixList", variant: "inclusive", want: admitted},
				{name: "its own transforms", variant: "stock-transforms", want: "fault UnsupportedAlgorithm SOA-01001"},
				{name: "its own identifiers", variant: "stock-ids", want: admitted},
				{name: "token not signed", variant: "token-unsigned", want: badSignature},
				{name: "ECDSA in DER", variant: "der", kind: "p256", want: badSignature},
			}),
			calls: []call{
				{name: "PrefixList", variant: "inclusive", want: admitted},
				{name: "ECDSA in DER", variant: "der", kind: "p256", want: badSignature},
			}}
		c.consume(t)
	})
	t.Run("provider", func(t *testing.T) {
		(&provider{command: command("node/provider.js"), kinds: kinds}).provide(t)
	})
}
