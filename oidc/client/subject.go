package client

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"sceau/certs"
)

// A subject is whose certificate a client authenticates with: exactly one of these.
type subject struct {
	name  certs.Name
	dns   string
	uri   string
	ip    netip.Addr
	email string
}

func (r SubjectRegistration) isZero() bool { return r == SubjectRegistration{} }

// readSubject reads a registered subject; key is the configuration key that is wrong.
func readSubject(r SubjectRegistration) (s subject, key string, err error) {
	said := 0
	for _, text := range []string{r.SubjectDN, r.SANDNS, r.SANURI, r.SANIP, r.SANEmail} {
		if text != "" {
			said++
		}
	}
	if said != 1 {
		return s, "", errors.New("exactly one of subject-dn, san-dns, san-uri, san-ip and san-email")
	}
	switch {
	case r.SubjectDN != "":
		if s.name, err = certs.ParseName([]byte(r.SubjectDN)); err == nil && s.name.IsZero() {
			err = errors.New("a name with at least one part")
		}
		return s, "subject-dn", err
	case r.SANDNS != "":
		s.dns = strings.ToLower(r.SANDNS)
		if !hostName(s.dns) {
			err = errors.New("a host name in ASCII without a wildcard")
		}
		return s, "san-dns", err
	case r.SANURI != "":
		s.uri = r.SANURI
		if u, e := url.Parse(r.SANURI); e != nil || !u.IsAbs() || u.String() != r.SANURI {
			err = errors.New("an absolute URI as the certificate has it")
		}
		return s, "san-uri", err
	case r.SANIP != "":
		if s.ip, err = netip.ParseAddr(r.SANIP); err != nil || s.ip.Zone() != "" || s.ip.Is4In6() {
			err = errors.New("an IP address")
		}
		return s, "san-ip", err
	}
	s.email = r.SANEmail
	if local, domain, ok := strings.Cut(s.email, "@"); !ok || local == "" || !hostName(strings.ToLower(domain)) {
		err = errors.New("a mail address")
	}
	return s, "san-email", err
}

func hostName(text string) bool {
	if text == "" || len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// is tells whether a certificate is the subject's. The zero subject is nobody.
func (s *subject) is(c *certs.Certificate) bool {
	switch {
	case !s.name.IsZero():
		return c.Subject().Equal(s.name)
	case s.dns != "":
		for _, name := range c.X509().DNSNames {
			if strings.ToLower(name) == s.dns {
				return true
			}
		}
	case s.uri != "":
		for _, u := range c.X509().URIs {
			if u.String() == s.uri {
				return true
			}
		}
	case s.ip.IsValid():
		for _, octets := range c.X509().IPAddresses {
			if ip, ok := netip.AddrFromSlice(octets); ok && ip.Unmap() == s.ip {
				return true
			}
		}
	case s.email != "":
		for _, mail := range c.X509().EmailAddresses {
			if sameMail(mail, s.email) {
				return true
			}
		}
	}
	return false
}

// sameMail compares mailboxes: the local part as it stands, the domain without regard to case (RFC 5280 section 7.5).
func sameMail(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i > 0 && j > 0 && a[:i] == b[:j] && strings.EqualFold(a[i:], b[j:])
}
