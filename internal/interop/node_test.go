package interop

import (
	"testing"

	"sceau/internal/judge"
)

func TestNode(t *testing.T) {
	apart(t)
	node := judge.Require(t, "node")
	with := []string{judge.Require(t, "env"), "INTEROP_MODULES=" + judge.NodeModules(t, "node"), node}
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
