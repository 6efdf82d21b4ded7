package page

import (
	"net/url"
	"slices"
	"strings"
)

// address returns an address as it may stand in a page, and whether it may: relative to the host, http or https, or the private-use
// scheme of a native application, which RFC 8252 7.1 has hold a dot. That excludes javascript: and data:, and "//host" too.
func address(text string) (string, bool) {
	if text == "" || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) {
		return "", false // browsers drop tabs and line ends, and read \ as /
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", false
	}
	switch {
	case u.Scheme == "https" || u.Scheme == "http":
		if u.Host == "" {
			return "", false
		}
	case u.Scheme == "":
		if u.Host != "" || strings.HasPrefix(text, "//") {
			return "", false
		}
	case !strings.Contains(u.Scheme, "."):
		return "", false
	}
	return u.String(), true
}

// LeadsToWallet says whether an address may lead to a digital wallet: https, a private-use scheme with a dot, or one of those that
// OpenID for Verifiable Presentations and its profiles gave to wallets.
func LeadsToWallet(text string) bool {
	if text == "" || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || strings.Contains(u.Scheme, ".") || u.Scheme == "haip" || u.Scheme == "haip-vp" || strings.HasSuffix(u.Scheme, "openid4vp")
}

// source returns the source expression (CSP 3, 2.3.1) that stands for where an address is, and whether there is one.
func source(text string) (string, bool) {
	text, ok := address(text)
	if !ok {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return "", false
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return u.Scheme + ":", true
	}
	// Neither a wildcard nor what would end the expression or the directive. An IPv6 address is no host-char: it has no expression.
	if strings.ContainsFunc(u.Host, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' && c != ':'
	}) {
		return "", false
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), true
}

// sources are the source expressions of addresses, each once, in their order.
func sources(addresses []string) []string {
	var list []string
	for _, text := range addresses {
		if expression, ok := source(text); ok && !slices.Contains(list, expression) {
			list = append(list, expression)
		}
	}
	return list
}

// telephone is the address of a telephone number: what is not of a number is left out.
func telephone(number string) string {
	digits := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c == '+' {
			return c
		}
		return -1
	}, number)
	if digits == "" {
		return ""
	}
	return "tel:" + digits
}
