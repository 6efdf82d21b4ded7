package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sceau/internal/judge"
)

// jars are the libraries of WSS4J as Debian installs them.
func jars(t *testing.T) string {
	t.Helper()
	var path []string
	for _, pattern := range []string{"wss4j-[0-9]*.jar", "xmlsec-[0-9]*.jar", "commons-logging.jar", "commons-codec.jar", "slf4j-api.jar", "slf4j-nop.jar"} {
		found, err := filepath.Glob(filepath.Join("/usr/share/java", pattern))
		if err != nil || len(found) == 0 {
			lacking(t, "/usr/share/java/"+pattern)
		}
		path = append(path, found...)
	}
	return strings.Join(path, ":")
}

// lacking skips a test that wants a library, or fails it where the checks decide.
func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("SCEAU_REQUIRE_EXTERNAL") == "1" {
		t.Fatalf("%s is not installed, and SCEAU_REQUIRE_EXTERNAL=1 wants it", what)
	}
	t.Skipf("%s is not installed", what)
}

func TestWSS4J(t *testing.T) {
	apart(t)
	judge.Require(t, "javac")
	command := compile(t, "Wss4j", jars(t), "java", "wss4j")
	t.Run("consumer", func(t *testing.T) {
		c := consumer{command: append(command[:len(command):len(command)], "consume", "request.xml"), kinds: kinds,
			tokens: join(tokens, inner, []token{
				{name: "without PrefixList", variant: "plain", want: admitted},
				{name: "STR-Transform", variant: "str-transform", want: admitted},
				{name: "token not signed", variant: "token-unsigned", want: badSignature},
				{name: "its default algorithms", variant: "default", kind: "rsa", want: refusedSHA1},
				{name: "its default algorithms with the switch", variant: "default", kind: "rsa", sts: "sha1", want: admitted},
			}),
			calls: []call{
				{name: "without PrefixList", variant: "plain", want: admitted},
				{name: "its default algorithms", variant: "default", kind: "rsa", want: refusedSHA1},
			}}
		c.consume(t)
	})
	t.Run("provider", func(t *testing.T) {
		(&provider{command: command, kinds: kinds}).provide(t)
	})
}
