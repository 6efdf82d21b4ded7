package httpsource

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sceau/attrs"
	"sceau/attrs/remote"
)

// maxSubjectBytes bounds one number of a subject; the longest that is one has eleven digits.
const maxSubjectBytes = 256

// A template is the address and body of the request about a subject. It is immutable.
type template struct {
	text   []string // one more than the places
	places []place
	body   *node // nil: none
	parts  []string
}

// A place is where a number of the subject stands in the address.
type place struct {
	part  int
	query bool // the value of a query parameter; otherwise a segment of the path
}

// parseTemplate reads the address of requests about subjects of the type, and the body if there is one. Each number must stand
// in one of them.
func parseTemplate(t attrs.SubjectType, address, body string) (*template, error) {
	p := &template{parts: strings.Split(string(t), "/")}
	used := map[int]bool{}
	if err := p.parseAddress(address, used); err != nil {
		return nil, fmt.Errorf("URL for %s: %w", t, err)
	}
	if body != "" {
		var err error
		if p.body, err = parseJSON([]byte(body), maxBodyDepth); err == nil {
			err = p.checkBody(p.body, used)
		}
		if err != nil {
			return nil, fmt.Errorf("body for %s: %w", t, err)
		}
	}
	for i, part := range p.parts {
		if !used[i] {
			return nil, fmt.Errorf("request for %s: {%s} stands nowhere", t, part)
		}
	}
	return p, nil
}

// parseAddress reads an address: scheme and host stand fast, a placeholder is a whole segment of the path or the whole value
// of a query parameter.
func (p *template) parseAddress(address string, used map[int]bool) error {
	if err := checkAddress(strings.NewReplacer("{", "", "}", "").Replace(address)); err != nil {
		return err
	}
	scheme, rest, _ := strings.Cut(address, "://")
	begin := strings.IndexByte(rest, '/')
	if begin < 0 || strings.ContainsAny(scheme+rest[:begin], "{}?") {
		return errors.New("scheme, host and a path are fixed")
	}
	literal := scheme + "://" + rest[:begin]
	put := func(piece string, query bool) error {
		name, isPlace := strings.CutPrefix(piece, "{")
		if isPlace {
			name, isPlace = strings.CutSuffix(name, "}")
		}
		if !isPlace {
			if strings.ContainsAny(piece, "{}") {
				return errors.New("a placeholder is a whole segment of the path or a whole value of the query")
			}
			literal += piece
			return nil
		}
		part := slices.Index(p.parts, name)
		if part < 0 {
			return fmt.Errorf("a placeholder that is none of %s", strings.Join(p.parts, ", "))
		}
		used[part] = true
		p.text, p.places = append(p.text, literal), append(p.places, place{part, query})
		literal = ""
		return nil
	}
	path, query, hasQuery := strings.Cut(rest[begin+1:], "?")
	for _, segment := range strings.Split(path, "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." || strings.ContainsAny(plain, `/\`) {
			return errors.New("a segment of the path that leads elsewhere")
		}
		literal += "/"
		if err := put(segment, false); err != nil {
			return err
		}
	}
	if hasQuery {
		for i, parameter := range strings.Split(query, "&") {
			name, value, ok := strings.Cut(parameter, "=")
			if !ok || name == "" || strings.ContainsAny(name, "{}") || strings.Contains(value, "=") {
				return errors.New("a query is name=value, with & between; names are fixed")
			}
			literal += string("?&"[min(i, 1)]) + name + "="
			if err := put(value, true); err != nil {
				return err
			}
		}
	}
	p.text = append(p.text, literal)
	return nil
}

// checkAddress refuses an address that is not one of a server to which secrets and numbers of persons may go.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("no URL")
	case u.Host == "" || u.Hostname() == "" || u.User != nil || u.Opaque != "" || strings.Contains(address, "#"):
		return errors.New("want https://host/path, without user and fragment")
	case u.Scheme == "http" && !remote.Loopback(u.Hostname()):
		return errors.New("http only on loopback; https elsewhere")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("want https")
	}
	for _, r := range address {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`|", r) {
			return errors.New("a character that must be percent-encoded (RFC 3986)")
		}
	}
	return nil
}

// checkBody finds the placeholders of a body: strings that are one, whole.
func (p *template) checkBody(n *node, used map[int]bool) error {
	for _, name := range n.names {
		if strings.ContainsAny(name, "{}") {
			return errors.New("a placeholder in a name")
		}
	}
	for _, m := range n.members {
		if err := p.checkBody(m, used); err != nil {
			return err
		}
	}
	if n.kind != text || !strings.ContainsAny(n.text, "{}") {
		return nil
	}
	part := p.partOf(n.text)
	if part < 0 {
		return fmt.Errorf("a string with a placeholder is that alone, and one of %s", strings.Join(p.parts, ", "))
	}
	used[part] = true
	return nil
}

// partOf gives the part of the subject whose placeholder s is, or -1.
func (p *template) partOf(s string) int {
	return slices.IndexFunc(p.parts, func(part string) bool { return s == "{"+part+"}" })
}

var errSubject = errors.New("the subject is none that can stand in a request")

// numbers splits the number of a subject into those of its parts.
func (p *template) numbers(subject string) ([]string, error) {
	values := strings.SplitN(subject, "/", len(p.parts))
	if len(values) != len(p.parts) {
		return nil, errSubject
	}
	for _, v := range values {
		if v == "" || len(v) > maxSubjectBytes || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) || strings.ContainsRune(v, utf8.RuneError) {
			return nil, errSubject
		}
	}
	return values, nil
}

// address puts the numbers into their places, escaped (H6). What could leave its segment is refused: many servers and the proxies
// before them decode %2F and %5C before they look for segments, and take dots away, whoever wrote them.
func (p *template) address(numbers []string) (string, error) {
	var b strings.Builder
	for i, at := range p.places {
		b.WriteString(p.text[i])
		v := numbers[at.part]
		if at.query {
			b.WriteString(url.QueryEscape(v))
			continue
		}
		if v == "." || v == ".." || strings.ContainsAny(v, `/\%`) {
			return "", errSubject
		}
		b.WriteString(url.PathEscape(v))
	}
	b.WriteString(p.text[len(p.places)])
	return b.String(), nil
}

// content is the body of the request, nil for none.
func (p *template) content(numbers []string) []byte {
	if p.body == nil {
		return nil
	}
	var out bytes.Buffer
	p.body.write(&out, func(s string) string {
		if part := p.partOf(s); part >= 0 {
			return numbers[part]
		}
		return s
	})
	return out.Bytes()
}
