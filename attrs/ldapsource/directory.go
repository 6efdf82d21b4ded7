package ldapsource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A Directory is the servers of a source for whoever looks for entries himself, and has the passwords of people verified: an
// authentication of persons. It has the connections, limits and rules of a Source. It is safe for concurrent use. Close it after
// use.
type Directory struct{ access }

// OpenDirectory makes a Directory. Of the configuration the filters, the mappings and the time to live do not count.
func OpenDirectory(c Config) (*Directory, error) {
	d := &Directory{}
	if err := d.prepare(c); err != nil {
		return nil, fmt.Errorf("directory %s: %w", c.ID, err)
	}
	d.open()
	return d, nil
}

// A Match is which entry is looked for below the base.
type Match struct {
	// Filter is what else must hold of the entry (RFC 4515), the operator's own; CheckFilter says whether it can be. Empty: nothing.
	Filter string
	// Attribute must have Value. It is put into the filter escaped (H6), and may be binary.
	Attribute, Value string
	// Read are the attributes that are read.
	Read []string
}

// CheckFilter says why a filter cannot be one.
func CheckFilter(filter string) error {
	if filter == "" {
		return nil
	}
	_, err := ldap.CompileFilter(filter)
	return err
}

// CheckAttribute says why a name cannot be one of an attribute.
func CheckAttribute(name string) error {
	if !validDescription(name) {
		return fmt.Errorf("%q is no attribute of LDAP", name)
	}
	return nil
}

// An Entry is what was found. It is read-only.
type Entry struct {
	DN     string // a name of a person: it goes into no log
	values map[string][]string
}

// Values are those of an attribute that was read, none if the entry has none, or may not show it. They may be binary.
func (e *Entry) Values(attribute string) []string { return e.values[strings.ToLower(attribute)] }

// maxMatchBytes bounds a value that is looked for.
const maxMatchBytes = 256

// Find gives the one entry, or nil where there is none. Where there are several the error is ErrSeveral. Every error is a
// [sceau/attrs.Error] and names nobody.
func (d *Directory) Find(ctx context.Context, m Match) (*Entry, error) {
	if m.Value == "" || len(m.Value) > maxMatchBytes {
		return nil, nil
	}
	filter := m.Filter + "(" + m.Attribute + "=" + ldap.EscapeFilter(m.Value) + ")"
	if m.Filter != "" {
		filter = "(&" + filter + ")"
	}
	var found *Entry
	err := d.ask(ctx, func(ctx context.Context, c *connection) error {
		e, err := c.search(ctx, search{base: d.config.BaseDN, scope: d.config.Scope, filter: filter, attributes: m.Read})
		if err != nil || e == nil {
			found = nil
			return err
		}
		if found, err = readBinary(e, m.Read); err != nil {
			return &failure{server: c.server.address.text, doing: "searching", err: err, bad: true, final: true}
		}
		return nil
	})
	if err != nil {
		return nil, d.refused(ctx, nil, err)
	}
	return found, nil
}

// readBinary reads an entry whose values need not be text.
func readBinary(e *ldap.Entry, asked []string) (*Entry, error) {
	out := &Entry{DN: e.DN, values: make(map[string][]string, len(asked))}
	for _, a := range e.Attributes {
		name, _, optional := strings.Cut(a.Name, ";")
		switch {
		case !slices.ContainsFunc(asked, func(want string) bool { return strings.EqualFold(want, name) }):
			return nil, errors.New("the directory answers by a name of an attribute that was not asked: use the name that it uses")
		case optional:
			continue // another description (RFC 4512 section 2.5.2), or a range of more values than anybody needs here
		case len(a.Values) > maxValues:
			return nil, fmt.Errorf("more than %d values", maxValues)
		}
		for _, v := range a.ByteValues {
			if len(v) > maxValueBytes {
				return nil, errors.New("a value that is too large")
			}
			name := strings.ToLower(name)
			out.values[name] = append(out.values[name], string(v))
		}
	}
	return out, nil
}

// ErrRejected says that the directory does not take a password: it is wrong, or expired, or the account is closed. Which of them
// is not told: the directories differ, and a person must not learn it.
var ErrRejected = errors.New("the directory does not take the password")

// Verify has the directory verify a password, by a bind (RFC 4513 section 5.1.3) on a connection of its own. It returns
// ErrRejected where the directory refuses it, or would let nobody do anything with it but change it (the password policy of
// Behera's draft); any other error is an outage, and says nothing of the password.
//
// An empty password or DN is refused without asking: to a directory that is a bind of nobody, which succeeds (RFC 4513 section
// 5.1.2). It is never asked twice: each try counts towards locking the account.
func (d *Directory) Verify(ctx context.Context, dn, password string) error {
	if dn == "" || password == "" {
		return ErrRejected
	}
	err := d.each(ctx, func(ctx context.Context, v *server) error {
		return v.alone(ctx, func(c *connection) error {
			err := c.do(ctx, verifying, func() error { return c.prove(dn, password) })
			var known *failure
			if errors.As(err, &known) {
				known.final = true // the server may have counted it
			}
			return err
		})
	})
	var known *failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known) && known.rejected:
		return ErrRejected
	}
	return d.refused(ctx, nil, err)
}

const verifying = "verifying a password"

// prove binds as the person.
func (c *connection) prove(dn, password string) error {
	result, err := c.ldap.SimpleBind(&ldap.SimpleBindRequest{Username: dn, Password: password,
		Controls: []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}})
	switch {
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax):
		return &failure{server: c.server.address.text, doing: verifying, err: ErrRejected, rejected: true}
	case err != nil:
		return err
	}
	for _, control := range result.Controls {
		// passwordExpired, accountLocked or changeAfterReset beside a success: it serves to change it alone.
		if policy, ok := control.(*ldap.ControlBeheraPasswordPolicy); ok && policy.Error >= 0 {
			return &failure{server: c.server.address.text, doing: verifying, err: ErrRejected, rejected: true}
		}
	}
	return nil
}
