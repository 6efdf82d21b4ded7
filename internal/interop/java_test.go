package interop

import (
	"os/exec"
	"path/filepath"
	"testing"

	"sceau/internal/judge"
)

// compile compiles the program with the classes of one stack and gives the command that
// runs it.
func compile(t *testing.T, stack string, path string, folders ...string) []string {
	t.Helper()
	classes := t.TempDir()
	words := []string{"-nowarn", "-proc:none", "-d", classes}
	if path != "" {
		words = append(words, "-cp", path)
		path = ":" + path
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.java"))
		if err != nil || len(files) == 0 {
			t.Fatal(folder, err)
		}
		words = append(words, files...)
	}
	if out, err := exec.Command(judge.Require(t, "javac"), words...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return []string{judge.Require(t, "java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes + path, "Main", stack}
}

// jdkTokens are what the JDK's own signatures are asked for besides.
var jdkTokens = []token{
	{name: "PrefixList", variant: "inclusive", want: admitted},
	{name: "token not signed", variant: "token-unsigned", want: badSignature},
	{name: "SHA-1", variant: "sha1", kind: "rsa", want: refusedSHA1},
	{name: "SHA-1 with the switch", variant: "sha1", kind: "rsa", sts: "sha1", want: admitted},
}

func TestJDK(t *testing.T) {
	apart(t)
	judge.Require(t, "javac")
	command := compile(t, "Jdk", "", "java")
	t.Run("consumer", func(t *testing.T) {
		c := consumer{command: append(command[:len(command):len(command)], "consume", "request.xml"), kinds: kinds, tokens: join(tokens, inner, jdkTokens),
			calls: []call{{name: "PrefixList", variant: "inclusive", want: admitted}, {name: "assertion signed too", variant: "assertion-signed", want: admitted}, {name: "SHA-1", variant: "sha1", kind: "rsa", want: refusedSHA1}}}
		c.consume(t)
	})
	t.Run("provider", func(t *testing.T) {
		(&provider{command: command, kinds: kinds}).provide(t)
	})
}

func join(lists ...[]token) (all []token) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}
