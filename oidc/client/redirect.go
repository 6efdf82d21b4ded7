package client

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// maxURI bounds an address in octets.
const maxURI = 2048

// checkRedirect tells what is wrong with an address to which browsers are sent (attacks.md O3).
func checkRedirect(text string, native bool) error {
	u, err := parseURI(text)
	if err != nil {
		return err
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if !native {
			return errors.New("http is for native applications on their own machine: https")
		}
		if _, ip := loopbackIP(u); !ip && u.Hostname() != "localhost" {
			return errors.New("http leads nowhere but to the own machine: 127.0.0.1, [::1] or localhost")
		}
		return nil
	}
	return errors.New("the scheme is https, or http for native applications")
}

// checkHTTPS tells what is wrong with an address of the client that the server contacts or shows.
func checkHTTPS(text string) error {
	u, err := parseURI(text)
	if err == nil && u.Scheme != "https" {
		err = errors.New("the scheme is https")
	}
	return err
}

// parseURI reads an absolute hierarchical address in which nothing is hidden from one reader that another sees.
func parseURI(text string) (*url.URL, error) {
	if text == "" || len(text) > maxURI {
		return nil, errors.New("an address of 1 to 2048 octets")
	}
	for i := range len(text) {
		// Browsers take a backslash for a slash, and drop tabs and line ends. A host in other letters than ASCII is written in
		// Punycode, by whoever can see which one he means.
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\\\"<>^`{|}*", c) >= 0 {
			return nil, errors.New("a character that an address does not have: no wildcard, no blank, ASCII only")
		}
	}
	if strings.Contains(text, "#") {
		return nil, errors.New("an address without a fragment")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not an address")
	}
	if u.Opaque != "" || u.Host == "" || u.Hostname() == "" {
		return nil, errors.New("an absolute address with a host")
	}
	if u.User != nil || strings.Contains(u.Host, "@") {
		return nil, errors.New("an address without a user")
	}
	if strings.Contains(u.Host, "%") || strings.HasSuffix(u.Host, ":") {
		return nil, errors.New("a host, or a host and a port")
	}
	if u.Scheme+"://"+u.Host != text[:min(len(text), len(u.Scheme)+3+len(u.Host))] || u.Host != strings.ToLower(u.Host) {
		return nil, errors.New("scheme and host in lower case")
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return nil, errors.New("a path in which no segment is one dot or two")
		}
	}
	return u, nil
}

// loopbackIP gives the host of an address when it is a loopback address in figures.
func loopbackIP(u *url.URL) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(u.Hostname())
	return ip, err == nil && (ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback())
}

// AllowsRedirect tells whether a redirect_uri is one of the client's: octet for octet (RFC 9700 section 4.1.3). Only the port of
// a native client's loopback address that was registered without one is free (RFC 8252 section 7.3).
func (c *Client) AllowsRedirect(uri string) bool {
	if uri == "" {
		return false
	}
	for _, registered := range c.registration.RedirectURIs {
		if uri == registered || c.native() && sameButPort(registered, uri) {
			return true
		}
	}
	return false
}

// AllowsPostLogoutRedirect tells whether a post_logout_redirect_uri is one of the client's, octet for octet.
func (c *Client) AllowsPostLogoutRedirect(uri string) bool {
	if uri == "" {
		return false
	}
	for _, registered := range c.registration.PostLogoutRedirectURIs {
		if uri == registered || c.native() && sameButPort(registered, uri) {
			return true
		}
	}
	return false
}

// sameButPort tells whether uri is registered with a port put in, where that is a loopback address in figures without one.
func sameButPort(registered, uri string) bool {
	u, err := url.Parse(registered)
	if err != nil || u.Scheme != "http" || u.Port() != "" {
		return false
	}
	if _, ip := loopbackIP(u); !ip {
		return false
	}
	head := "http://" + u.Host
	rest, ok := strings.CutPrefix(uri, head+":")
	if !ok {
		return false
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > 5 || rest[0] == '0' {
		return false
	}
	port := 0
	for _, d := range rest[:digits] {
		port = 10*port + int(d-'0')
	}
	return port <= 65535 && rest[digits:] == registered[len(head):]
}
