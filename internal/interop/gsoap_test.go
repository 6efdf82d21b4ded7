package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"sceau/internal/judge"
	"sceau/internal/testpki"
)

// gsoapShare is where Debian's gsoap puts its imports and plugins.
const gsoapShare = "/usr/share/gsoap"

// gsoap builds one of the programs in folder gsoap with the wsse plugin of Debian: a client
// (-C) or a server (-S) of soapcpp2.
func gsoap(t *testing.T, name, flag string, sources ...string) string {
	t.Helper()
	compiler := judge.Require(t, "gcc")
	dir := t.TempDir()
	for _, file := range []string{name + ".c", name + ".gsoap.h"} {
		content, err := os.ReadFile(filepath.Join("gsoap", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tailor(t, "import/wsse.h", filepath.Join(dir, "wsse-any.h"), []edit{
		{`(?m)^#import "saml[12]\.h".*\n`, ""},
		{`(?m)^.*struct saml1__AssertionType\*.*\n`, ""},
		{`(?m)^.*struct saml2__AssertionType\*.*$`, "\t_XML __any;"},
	})
	// The header may leave SAML out, the plugin forgets that these two constants are of it.
	tailor(t, "plugin/wsseapi.c", filepath.Join(dir, "wsseapi.c"), []edit{{`(?m)^const char \*saml[12]_URI = .*\n`, ""}})
	for _, words := range [][]string{
		{judge.Require(t, "soapcpp2"), "-c", flag, "-L", "-x", "-w", "-I" + gsoapShare + "/import:" + gsoapShare, name + ".gsoap.h"},
		append(append([]string{compiler, "-std=gnu17", "-O1", "-w", "-DWITH_IPV6", "-DWITH_OPENSSL", "-DWITH_GZIP", "-DWITH_DOM", "-I.", "-I" + gsoapShare + "/plugin",
			"-o", name, name + ".c", "soapC.c", "wsseapi.c", gsoapShare + "/plugin/smdevp.c", gsoapShare + "/plugin/mecevp.c"}, sources...),
			"-lgsoapssl", "-lssl", "-lcrypto", "-lz", "-pthread"),
	} {
		command := exec.Command(words[0], words[1:]...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", words[0], err, out)
		}
	}
	return filepath.Join(dir, name)
}

type edit struct{ pattern, with string }

// tailor copies a file of gSOAP with edits, each of which must apply.
func tailor(t *testing.T, from, to string, edits []edit) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(gsoapShare, from))
	if err != nil {
		lacking(t, "the Debian package gsoap")
	}
	for _, e := range edits {
		edited := regexp.MustCompile(e.pattern).ReplaceAll(content, []byte(e.with))
		if bytes.Equal(edited, content) {
			t.Fatalf("%s has no %s", from, e.pattern)
		}
		content = edited
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGSOAP: the plugin signs the header alone, so its consumer asks in fallback, with one
// certificate in both places and no signature inside.
func TestGSOAP(t *testing.T) {
	apart(t)
	judge.Require(t, "soapcpp2")
	if _, err := os.Stat("/usr/include/stdsoap2.h"); err != nil {
		lacking(t, "the Debian package libgsoap-dev")
	}
	t.Run("consumer", func(t *testing.T) {
		program := gsoap(t, "consumer", "-C", "soapClient.c")
		c := consumer{command: []string{program}, kinds: []string{"rsa"}, identity: "alice-ehealth",
			tokens: join(tokens, []token{
				{name: "PrefixList", variant: "inclusive", want: admitted},
				{name: "token not signed", variant: "token-unsigned", want: badSignature},
				{name: "another holder, and no signature of his", identity: "alice-eid", want: notConfirmed},
				{name: "SHA-1", variant: "sha1", want: refusedSHA1},
			}),
			calls: []call{{name: "PrefixList", variant: "inclusive", want: admitted}}}
		c.consume(t)
		t.Run("p256", func(t *testing.T) {
			// The plugin writes what OpenSSL gives it: DER, where RFC 6931 2.3.6 wants r and s.
			w, p := meet(t), run(t, program)
			alice := w.pki.path("alice-ehealth", "p256")
			if got := p.ask(t, "token", w.sts["p256"], testpki.AliceSSIN, alice, alice, filepath.Join(t.TempDir(), "token.xml"), "-"); got != badSignature {
				t.Errorf("%s instead of %s", got, badSignature)
			}
		})
	})
	t.Run("provider", func(t *testing.T) {
		(&provider{command: []string{gsoap(t, "provider", "-S", "soapServer.c", gsoapShare+"/custom/struct_timeval.c")}, kinds: kinds}).provide(t)
	})
}
