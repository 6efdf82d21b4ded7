package interop

import (
	"os/exec"
	"testing"

	"sceau/internal/judge"
)

func TestPHP(t *testing.T) {
	apart(t)
	php := judge.Require(t, "php")
	if err := exec.Command(php, "-r", "exit(extension_loaded('soap') && extension_loaded('dom') && extension_loaded('openssl') ? 0 : 1);").Run(); err != nil {
		lacking(t, "php-soap or php-xml")
	}
	t.Run("consumer", func(t *testing.T) {
		c := consumer{command: []string{php, "-d", "error_reporting=E_ALL", "php/consumer.php", "request.xml"}, kinds: kinds,
			tokens: join(tokens, inner, []token{
				{name: "token not signed", variant: "token-unsigned", want: badSignature},
				{name: "ECDSA in DER", variant: "der", kind: "p256", want: badSignature},
			}),
			calls: []call{{name: "ECDSA in DER", variant: "der", kind: "p256", want: badSignature}}}
		c.consume(t)
	})
	t.Run("provider", func(t *testing.T) {
		(&provider{command: []string{php, "php/provider.php"}, kinds: kinds}).provide(t)
	})
}
