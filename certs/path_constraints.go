package certs

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxConstraintComparisons bounds the work of the name constraints of a path (Z8,
// Go CVE-2025-58187): a certificate has room for hundreds of subtrees, another for
// as many names.
const maxConstraintComparisons = 10_000

// The tags of a GeneralName (RFC 5280 section 4.2.1.6).
const (
	tagEmail     = 1
	tagDNS       = 2
	tagDirectory = 4
	tagURI       = 6
	tagAddress   = 7
)

// nameConstraints are those of a CA certificate (RFC 5280 section 4.2.1.10).
// crypto/x509 processes DNS names and addresses; directory names, and mailboxes
// and URIs as strictly as the RFC has it, are processed here.
type nameConstraints struct {
	permitted, excluded subtrees
	complete            bool // all of them are processed, here or by crypto/x509
}

// subtrees are the bases of one of the two lists.
type subtrees struct {
	directories []Name
	mailboxes   []string
	hosts       []string // of URIs
}

func (s *subtrees) empty() bool { return len(s.directories)+len(s.mailboxes)+len(s.hosts) == 0 }

// readNameConstraints reads the extension. A form of name that is not processed,
// a base of several spellings, a minimum or a maximum make it incomplete.
func readNameConstraints(der cryptobyte.String) (*nameConstraints, error) {
	var fields cryptobyte.String
	if !der.ReadASN1(&fields, asn1.SEQUENCE) || !der.Empty() || fields.Empty() {
		return nil, errExtension("name constraints")
	}
	n := &nameConstraints{complete: true}
	for i, s := range []*subtrees{&n.permitted, &n.excluded} {
		var list cryptobyte.String
		var present bool
		if !fields.ReadOptionalASN1(&list, &present, asn1.Tag(i).Constructed().ContextSpecific()) || present && list.Empty() {
			return nil, errExtension("name constraints")
		}
		for !list.Empty() {
			processed, err := s.read(&list)
			if err != nil {
				return nil, err
			}
			n.complete = n.complete && processed
		}
	}
	if !fields.Empty() {
		return nil, errExtension("name constraints")
	}
	return n, nil
}

// read reads one GeneralSubtree and tells whether it is processed.
func (s *subtrees) read(list *cryptobyte.String) (processed bool, err error) {
	var subtree, base cryptobyte.String
	var tag asn1.Tag
	if !list.ReadASN1(&subtree, asn1.SEQUENCE) || !subtree.ReadAnyASN1(&base, &tag) {
		return false, errExtension("name constraints")
	}
	switch tag {
	case asn1.Tag(tagDirectory).Constructed().ContextSpecific():
		name, err := parseNameDER(base)
		if err != nil {
			return false, err
		}
		s.directories = append(s.directories, name)
	case asn1.Tag(tagEmail).ContextSpecific():
		if !isMailboxBase(string(base)) {
			return false, nil
		}
		s.mailboxes = append(s.mailboxes, string(base))
	case asn1.Tag(tagURI).ContextSpecific():
		if !isHostBase(string(base)) {
			return false, nil
		}
		s.hosts = append(s.hosts, string(base))
	case asn1.Tag(tagDNS).ContextSpecific(), asn1.Tag(tagAddress).ContextSpecific():
	default:
		return false, nil
	}
	// The RFC has minimum zero, which DER leaves out, and no maximum.
	return subtree.Empty(), nil
}

// checkNames holds every certificate of a path against the name constraints of
// those above it (RFC 5280 section 6.1.3 (b), (c)). A self-issued certificate is
// exempt unless it is the last.
func checkNames(path []*Certificate) error {
	check := constraintCheck{left: maxConstraintComparisons}
	for above := len(path) - 1; above > 0; above-- {
		n := path[above].extensions.constraints
		if n == nil || n.permitted.empty() && n.excluded.empty() {
			continue
		}
		for below := above - 1; below >= 0; below-- {
			if below > 0 && path[below].selfIssued() {
				continue
			}
			if err := check.certificate(n, path[below]); err != nil {
				return err
			}
		}
	}
	return nil
}

// constraintCheck counts the comparisons of one path.
type constraintCheck struct{ left int }

func errConstraint(what string) error {
	return refuse(ConstraintViolated, errors.New("name constraints: "+what))
}

// certificate holds one certificate against one list of constraints.
func (c *constraintCheck) certificate(n *nameConstraints, of *Certificate) error {
	names, err := of.constrainedNames()
	if err != nil {
		return err
	}
	for _, name := range names.directories {
		if err := within(c, "directory name", n.permitted.directories, n.excluded.directories, func(base Name) bool { return name.under(base) }); err != nil {
			return err
		}
	}
	for _, mailbox := range names.mailboxes {
		if len(n.permitted.mailboxes)+len(n.excluded.mailboxes) == 0 {
			break
		}
		local, host, ok := cutMailbox(mailbox)
		if !ok {
			return errConstraint("not a mailbox")
		}
		if err := within(c, "mailbox", n.permitted.mailboxes, n.excluded.mailboxes, func(base string) bool { return mailboxUnder(local, host, base) }); err != nil {
			return err
		}
	}
	for _, host := range names.hosts {
		if len(n.permitted.hosts)+len(n.excluded.hosts) == 0 {
			break
		}
		if _, err := netip.ParseAddr(host); !isHost(host) || err == nil { // section 4.2.1.10: it has no fully qualified domain name
			return errConstraint("URI without a host name")
		}
		if err := within(c, "URI", n.permitted.hosts, n.excluded.hosts, func(base string) bool { return hostUnder(host, base) }); err != nil {
			return err
		}
	}
	return nil
}

// within holds a name of one form against the subtrees of that form.
func within[B any](c *constraintCheck, form string, permitted, excluded []B, under func(base B) bool) error {
	if c.left -= len(permitted) + len(excluded); c.left < 0 {
		return refuse(TooLarge, errors.New("name constraints: more comparisons than are made"))
	}
	admitted := len(permitted) == 0 // nothing is said of this form
	for i := range permitted {
		if admitted = under(permitted[i]); admitted {
			break
		}
	}
	if !admitted {
		return errConstraint(form + " that is not permitted")
	}
	for i := range excluded {
		if under(excluded[i]) {
			return errConstraint(form + " that is excluded")
		}
	}
	return nil
}

// constrainedNames gives the names of a certificate that constraints concern: of
// the subject when it is not empty, and of the subject alternative names. Mailboxes
// of the subject count when the alternative names have none (RFC 5280 section 4.2.1.10).
func (c *Certificate) constrainedNames() (subtrees, error) {
	var names subtrees
	if !c.subject.IsZero() {
		names.directories = append(names.directories, c.subject)
	}
	if names.mailboxes = c.x509.EmailAddresses; len(names.mailboxes) == 0 {
		names.mailboxes = c.subject.mailboxes()
	}
	for _, uri := range c.x509.URIs {
		names.hosts = append(names.hosts, uri.Hostname())
	}
	for i := range c.x509.Extensions {
		if arcOf(c.x509.Extensions[i].Id) != arcSubjectAltName {
			continue
		}
		directories, err := readDirectoryNames(c.x509.Extensions[i].Value)
		if err != nil {
			return subtrees{}, err
		}
		names.directories = append(names.directories, directories...)
	}
	return names, nil
}

// mailboxes gives the values of the emailAddress attributes; one that is no text
// is given as the empty text, which is no mailbox.
func (n Name) mailboxes() []string {
	var found []string
	for _, rdn := range n.rdns {
		for i := range rdn {
			switch {
			case rdn[i].oid != oidEmail:
			case rdn[i].opaque:
				found = append(found, "")
			default:
				found = append(found, rdn[i].value)
			}
		}
	}
	return found
}

// readDirectoryNames gives the directory names among GeneralNames.
func readDirectoryNames(der cryptobyte.String) ([]Name, error) {
	var list cryptobyte.String
	if !der.ReadASN1(&list, asn1.SEQUENCE) || !der.Empty() {
		return nil, errExtension("subject alternative names")
	}
	var names []Name
	for !list.Empty() {
		var value cryptobyte.String
		var tag asn1.Tag
		if !list.ReadAnyASN1(&value, &tag) {
			return nil, errExtension("subject alternative names")
		}
		if tag != asn1.Tag(tagDirectory).Constructed().ContextSpecific() {
			continue
		}
		name, err := parseNameDER(value)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// under tells whether a name lies in the subtree of a base: its first RDNs are
// those of the base, compared as RFC 5280 section 7.1 has it. Every name lies
// under the empty one.
func (n Name) under(base Name) bool {
	return len(n.rdns) >= len(base.rdns) && equalRDNs(base.rdns, n.rdns[:len(base.rdns)], false)
}

// isMailboxBase tells whether mailboxes can be held against a base, isHostBase
// whether hosts can: a base with several spellings would exclude but one of them.
func isMailboxBase(base string) bool {
	_, _, mailbox := cutMailbox(base)
	return mailbox || isHostBase(base)
}

func isHostBase(base string) bool { return base == "" || isHost(strings.TrimPrefix(base, ".")) }

// mailboxUnder: a base is a mailbox, a host, or after a leading period a domain
// without its own host; the empty one is every mailbox (RFC 5280 sections 4.2.1.10, 7.5).
func mailboxUnder(local, host, base string) bool {
	if baseLocal, baseHost, ok := cutMailbox(base); ok {
		return local == baseLocal && strings.EqualFold(host, baseHost)
	}
	return hostUnder(host, base)
}

// hostUnder: a base is a host, or after a leading period a domain without its own
// host; the empty one is every host.
func hostUnder(host, base string) bool {
	if base == "" {
		return true
	}
	if strings.HasPrefix(base, ".") {
		return len(host) > len(base) && strings.EqualFold(host[len(host)-len(base):], base)
	}
	return strings.EqualFold(host, base)
}

// cutMailbox gives the local part and the host of a mailbox whose local part is a
// Dot-string and whose host is a name (RFC 2821 section 4.1.2). Any other, with a
// quoted local part or an address for its host, has more than one spelling, and is
// no mailbox that constraints are held against.
func cutMailbox(mailbox string) (local, host string, ok bool) {
	local, host, ok = strings.Cut(mailbox, "@")
	if !ok || !isHost(host) {
		return "", "", false
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isAtomText(r) }) {
			return "", "", false
		}
	}
	return local, host, true
}

// isAtomText tells whether a character may stand in an atom (RFC 2822 section 3.2.4).
func isAtomText(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isHost tells whether a text is the name of a host: labels of letters, digits,
// hyphens and underscores with periods between them.
func isHost(host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}
