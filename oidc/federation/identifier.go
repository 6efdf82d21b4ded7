package federation

import (
	"net/netip"
	"net/url"
	"strings"
)

const (
	wellKnown     = "/.well-known/openid-federation"
	maxIdentifier = 1024
)

// identified checks an entity identifier (1.2, 9) and returns its host in lower case. Identifiers are compared octet by octet
// (String Operations), so what could be written in two ways is not normalized but refused: two names of one entity would be a way
// around naming constraints and around what is kept by name.
func identified(id string) (host string, err error) {
	u, ok := address(id)
	if !ok || u.RawQuery != "" || u.ForceQuery || u.RawFragment != "" || u.RawPath != "" || strings.Contains(u.Path, "//") || strings.Contains(id, "%") ||
		strings.Contains(u.Path, "/.") {
		return "", refuse(BadIdentifier, id, "want https://host[:port][/path]")
	}
	return u.Hostname(), nil
}

// configurationURL is where the entity says who it is (9).
func configurationURL(id string) string { return strings.TrimSuffix(id, "/") + wellKnown }

// endpoint says whether text is the address of a federation endpoint: https, no fragment (5.1.1).
func endpoint(text string) bool {
	_, ok := address(text)
	return ok
}

func address(text string) (*url.URL, bool) {
	if text == "" || len(text) > maxIdentifier || strings.ContainsAny(text, "#\\ \t\r\n") {
		return nil, false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || !strings.HasPrefix(text, "https://") || u.User != nil || u.Opaque != "" {
		return nil, false
	}
	h := u.Hostname()
	if h == "" || h != strings.ToLower(h) || strings.HasSuffix(h, ".") || strings.HasPrefix(h, ".") || strings.HasSuffix(u.Host, ":") ||
		strings.Contains(h, "..") || strings.Contains(h, "%") {
		return nil, false
	}
	for i := range len(h) {
		if h[i] >= 0x80 {
			return nil, false
		}
	}
	return u, true
}

// within says whether a host is in the subtree of a name constraint (6.2.2; RFC 5280 4.2.1.10 for URIs): ".example.com" holds every
// host below example.com and not that host; "host.example.com" holds that host alone.
func within(host, constraint string) bool {
	constraint = strings.ToLower(constraint)
	if strings.HasPrefix(constraint, ".") {
		return len(host) > len(constraint) && strings.HasSuffix(host, constraint)
	}
	return host == constraint
}

func numeric(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
