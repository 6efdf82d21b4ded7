package interop

import (
	"os/exec"
	"testing"

	"sceau/internal/judge"
)

// debianPython is the interpreter that has the modules of the Debian packages; another
// one may come first in PATH.
const debianPython = "/usr/bin/python3"

func TestPython(t *testing.T) {
	apart(t)
	judge.Require(t, debianPython)
	if err := exec.Command(debianPython, "-c", "import zeep, xmlsec, lxml, OpenSSL, cryptography").Run(); err != nil {
		lacking(t, "python3-zeep, python3-xmlsec or python3-openssl")
	}
	t.Run("consumer", func(t *testing.T) {
		c := consumer{command: []string{debianPython, "-B", "python/consumer.py", "service.wsdl"}, kinds: kinds,
			tokens: join(tokens, inner, []token{
				{name: "PrefixList", variant: "inclusive", want: admitted},
				{name: "its own signature, which leaves the token out", variant: "stock", want: badSignature},
				{name: "its own signature, with X509Data for a token", variant: "x509-data", want: "fault InvalidSecurity SOA-01001"},
				{name: "its default algorithms", variant: "default", kind: "rsa", want: refusedSHA1},
			}),
			calls: []call{{name: "PrefixList", variant: "inclusive", want: admitted}}}
		c.consume(t)
	})
	t.Run("provider", func(t *testing.T) {
		(&provider{command: []string{debianPython, "-B", "python/provider.py"}, kinds: kinds}).provide(t)
	})
}
