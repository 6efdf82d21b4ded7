// Package directory is the accounts of an establishment in its directory, OpenLDAP or Active Directory: who they are, and whose
// password it is. It is an [authn.Accounts] and a [password.Verifier]; how the directory is reached, with TLS, pools and limits,
// is [sceau/attrs/ldapsource].
//
//	accounts, err := directory.Open(directory.Config{
//		Directory: ldapsource.Config{ID: "people", Servers: …, TLS: …, BindDN: …, PasswordFile: …, BaseDN: …, Scope: …},
//		Filter:    "(objectClass=inetOrgPerson)",
//		Username:  "uid", ID: "entryUUID",
//		Names:     directory.Names{Given: "givenName", Family: "sn", Display: "displayName", Email: "mail"},
//		Identifiers: map[string]string{"ssin": "employeeNumber", "principal": "krbPrincipalName"},
//	})
//
// # Who is found
//
// One search below the base, for the entry that satisfies the filter and has the value, which is escaped (RFC 4515 section 3). None,
// or several, is nobody. What leads to an account must stand in the entry octet for octet, whatever the directory's matching
// forgives, but for a user name, where the case of letters does not matter. What leads to it by ID is its ID.
//
// An account without an ID is nobody: an application would know him by a name that another may get (EXI FI 21). objectGUID is
// written as Microsoft's tools do; of other binary values the octets in hexadecimal digits are the ID.
//
// # Who is locked
//
//	userAccountControl     bit 2 (ACCOUNTDISABLE)                                    Active Directory
//	accountExpires         the instant, in 100 ns since 1601; 0 and 2⁶³-1 are never  Active Directory
//	pwdAccountLockedTime   000001010000Z, the lock of an administrator               OpenLDAP, by Behera's draft
//	shadowExpire           the day, since 1970; negative is never                    RFC 2307
//	nsAccountLock          TRUE                                                      389 Directory Server
//
// A value that cannot be read locks. What someone's wrong passwords lock for a while (lockoutTime, another pwdAccountLockedTime)
// is judged by the directory when it verifies a password, and keeps no card out: everybody could lock everybody. Grant the bind
// DN these attributes: one that it may not read is silently not there.
//
// # A password
//
// It is verified by a bind as the entry that was found, on a connection of its own, once. The directory's own counters count it. Where
// there is no entry, or its account is closed, the bind is one as an entry that is not there: without it the time of a refusal would
// tell which names the directory knows. A directory that takes long to compute a hash takes that long for entries alone; the quantum
// of [sceau/oidc/means/password] hides it.
package directory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sceau/attrs/ldapsource"
	"sceau/oidc/authn"
	"sceau/oidc/means/limit"
	"sceau/oidc/means/password"
	"sceau/oidc/means/totp"
)

// Config says where the accounts are, and which attributes of the entries say what of them.
type Config struct {
	// Directory says how it is reached, as whom, and below which base. Its filters, mappings and time to live do not count.
	Directory ldapsource.Config

	// Filter is what else holds of the entry of a person: (objectClass=person). Empty: nothing.
	Filter string

	// Username is the attribute of the name that people type: uid, sAMAccountName.
	Username string

	// ID is the attribute whose value never changes and is never given again: entryUUID, objectGUID.
	ID string

	Names  Names
	Groups string // memberOf; may be empty

	// EmailVerified says that the addresses are the establishment's own, which it gives to people.
	EmailVerified bool

	// Identifiers are the attributes of what else names a person, by the Key of authn.Identifier: ssin, rpps, nihii, principal; "sub", a space
	// and the issuer for the sub that another provider knows him by.
	Identifiers map[string]string

	// Code is the attribute of the sealed secret of one-time codes, in base64; Seal opens it. Both or neither.
	Code string
	Seal *totp.Seal
}

// Names are attributes. Each may be empty.
type Names struct{ Given, Family, Display, Email string }

// Accounts are the accounts of a directory. It is safe for concurrent use. Close it after use.
type Accounts struct {
	config Config
	reach  reach
	read   []string
	named  []named
	now    func() time.Time
	nobody string // the DN of an entry that is not there
}

// reach is the directory: a *ldapsource.Directory.
type reach interface {
	Find(context.Context, ldapsource.Match) (*ldapsource.Entry, error)
	Verify(ctx context.Context, dn, password string) error
	Health(context.Context) error
	Close() error
}

// named is an attribute that names people, and what it is.
type named struct {
	id        authn.Identifier
	attribute string
}

// Why an entry is nobody's account, or a password proves nothing. They are for operators, and are authn.ErrNoAccount or
// password.ErrRejected too.
var (
	ErrNobody    = errors.New("directory: no entry")
	ErrSeveral   = errors.New("directory: several entries")
	ErrOther     = errors.New("directory: the entry has another value than the one that was asked")
	ErrNoID      = errors.New("directory: the entry has no immutable id")
	ErrLocked    = errors.New("directory: the account is closed")
	ErrPassword  = errors.New("directory: it does not take the password")
	errAmbiguous = errors.New("directory: the entry has more than one value where it must have one")
)

// locks are the attributes that lock an account.
var locks = []string{"userAccountControl", "accountExpires", "pwdAccountLockedTime", "shadowExpire", "nsAccountLock"}

// Open checks the configuration and makes Accounts. No server is asked.
func Open(c Config) (*Accounts, error) {
	wrong := []error{ldapsource.CheckFilter(c.Filter)}
	a := &Accounts{config: c, read: slices.Clone(locks), now: c.Directory.Now}
	if a.now == nil {
		a.now = time.Now
	}
	want := func(attribute, what string) {
		if attribute == "" {
			if what != "" {
				wrong = append(wrong, errors.New("no attribute of the "+what))
			}
			return
		}
		wrong = append(wrong, ldapsource.CheckAttribute(attribute))
		if !slices.ContainsFunc(a.read, func(has string) bool { return strings.EqualFold(has, attribute) }) {
			a.read = append(a.read, attribute)
		}
	}
	want(c.Username, "user name")
	want(c.ID, "immutable id")
	for _, attribute := range []string{c.Names.Given, c.Names.Family, c.Names.Display, c.Names.Email, c.Groups, c.Code} {
		want(attribute, "")
	}
	for _, t := range slices.Sorted(maps.Keys(c.Identifiers)) {
		want(c.Identifiers[t], "identifier "+t)
		switch t {
		case "account", "username":
			wrong = append(wrong, fmt.Errorf("the identifier %s has an attribute of its own", t))
		case "passkey":
			wrong = append(wrong, errors.New("no attribute can be an identifier \"passkey\""))
		default:
			id, err := authn.ParseKey(t)
			wrong = append(wrong, err)
			a.named = append(a.named, named{id, c.Identifiers[t]})
		}
	}
	if (c.Code == "") != (c.Seal == nil) {
		wrong = append(wrong, errors.New("an attribute of sealed secrets and the key to open them go together"))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("directory %s: %w", c.Directory.ID, err)
	}
	opened, err := ldapsource.OpenDirectory(c.Directory)
	if err != nil {
		return nil, err
	}
	a.reach, a.nobody = opened, "cn=nobody-"+rand.Text()+","+c.Directory.BaseDN
	return a, nil
}

// Close ends the connections.
func (a *Accounts) Close() error { return a.reach.Close() }

// Health says why the directory cannot be asked now, or nil.
func (a *Accounts) Health(ctx context.Context) error { return a.reach.Health(ctx) }

// Find implements authn.Accounts.
func (a *Accounts) Find(ctx context.Context, id authn.Identifier) (*authn.Account, error) {
	e, err := a.find(ctx, id)
	if err != nil {
		return nil, noAccount(err)
	}
	account, err := a.account(e)
	if err != nil {
		return nil, noAccount(err)
	}
	return account, nil
}

// noAccount makes ErrNoAccount of what is none; an outage stays one.
func noAccount(err error) error {
	for _, known := range []error{ErrNobody, ErrSeveral, ErrOther, ErrNoID} {
		if errors.Is(err, known) {
			return fmt.Errorf("%w: %w", authn.ErrNoAccount, err)
		}
	}
	return err
}

// rejections are why a password proves nothing. Everything else is an outage.
var rejections = []error{ErrNobody, ErrSeveral, ErrOther, ErrNoID, ErrLocked, ErrPassword}

// Verify implements password.Verifier.
func (a *Accounts) Verify(ctx context.Context, username, secret string) (*authn.Account, error) {
	e, err := a.find(ctx, authn.Identifier{Type: "username", Value: username})
	var account *authn.Account
	if err == nil {
		account, err = a.account(e)
	}
	if err == nil && account.Locked {
		err = ErrLocked
	}
	as := a.nobody
	switch {
	case err == nil:
		as = e.DN
	case !slices.ContainsFunc(rejections, func(known error) bool { return errors.Is(err, known) }):
		return nil, err
	}
	switch bound := a.reach.Verify(ctx, as, secret); {
	case bound != nil && !errors.Is(bound, ldapsource.ErrRejected):
		return nil, bound // an outage is one for every name
	case err != nil:
		return nil, &password.Rejection{Cause: err} // whatever the directory says of nobody
	case bound != nil:
		return nil, &password.Rejection{Cause: ErrPassword}
	}
	return account, nil
}

// Secret implements totp.Secrets with the attribute Config.Code.
func (a *Accounts) Secret(ctx context.Context, of *authn.Account) ([]byte, error) {
	if a.config.Code == "" {
		return nil, totp.ErrNotEnrolled
	}
	e, err := a.find(ctx, authn.Identifier{Type: "account", Value: of.ID})
	if err != nil {
		if errors.Is(noAccount(err), authn.ErrNoAccount) {
			return nil, totp.ErrNotEnrolled
		}
		return nil, err
	}
	text, err := single(e, a.config.Code)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, totp.ErrNotEnrolled
	}
	return totp.OpenText(a.config.Seal, of.ID, text)
}

// find finds the entry to which an identifier leads.
func (a *Accounts) find(ctx context.Context, id authn.Identifier) (*ldapsource.Entry, error) {
	attribute, wanted := a.config.Identifiers[id.Key()], id.Value
	same := func(has string) bool { return has == wanted }
	switch id.Key() {
	case "account":
		attribute = a.config.ID
		if octets, binary := binaryID(attribute, wanted); binary {
			wanted = octets
		}
		same = func(has string) bool { return textOfID(attribute, has) == id.Value }
	case "username":
		attribute = a.config.Username
		same = func(has string) bool { return limit.Name(has) == limit.Name(wanted) }
	}
	if attribute == "" || wanted == "" {
		return nil, ErrNobody
	}
	e, err := a.reach.Find(ctx, ldapsource.Match{Filter: a.config.Filter, Attribute: attribute, Value: wanted, Read: a.read})
	switch {
	case errors.Is(err, ldapsource.ErrSeveral):
		return nil, ErrSeveral
	case err != nil:
		return nil, err
	case e == nil:
		return nil, ErrNobody
	case !slices.ContainsFunc(e.Values(attribute), same):
		return nil, ErrOther
	}
	return e, nil
}

// account reads an entry.
func (a *Accounts) account(e *ldapsource.Entry) (*authn.Account, error) {
	id, err := single(e, a.config.ID)
	if err != nil || id == "" {
		return nil, ErrNoID
	}
	c := &a.config
	account := &authn.Account{
		ID: textOfID(c.ID, id), Username: first(e, c.Username),
		GivenName: first(e, c.Names.Given), FamilyName: first(e, c.Names.Family), Name: first(e, c.Names.Display), Email: first(e, c.Names.Email),
		Locked: locked(e, a.now()),
	}
	account.EmailVerified = c.EmailVerified && account.Email != ""
	for _, n := range a.named {
		for _, n.id.Value = range texts(e, n.attribute) {
			account.Identifiers = append(account.Identifiers, n.id)
		}
	}
	if c.Groups != "" {
		account.Groups = texts(e, c.Groups)
	}
	return account, nil
}

// texts are the values of an attribute that are text.
func texts(e *ldapsource.Entry, attribute string) (all []string) {
	for _, v := range e.Values(attribute) {
		if utf8.ValidString(v) {
			all = append(all, v)
		}
	}
	return all
}

func first(e *ldapsource.Entry, attribute string) string {
	if all := texts(e, attribute); attribute != "" && len(all) > 0 {
		return all[0]
	}
	return ""
}

// single gives the value of an attribute that has one at most.
func single(e *ldapsource.Entry, attribute string) (string, error) {
	switch values := e.Values(attribute); len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", errAmbiguous
}

func isGUID(attribute string) bool { return strings.EqualFold(attribute, "objectGUID") }

// guidOrder is the order in which the octets of an objectGUID are written: three numbers are little-endian (MS-DTYP 2.3.4).
var guidOrder = [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

// textOfID writes an ID as text.
func textOfID(attribute, value string) string {
	switch {
	case isGUID(attribute) && len(value) == 16:
		var octets [16]byte
		for i, at := range guidOrder {
			octets[i] = value[at]
		}
		h := hex.EncodeToString(octets[:])
		return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	case isGUID(attribute), !utf8.ValidString(value), strings.HasPrefix(value, "0x"), strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }):
		return "0x" + hex.EncodeToString([]byte(value))
	}
	return value
}

// binaryID reads the text of textOfID where it is not the value itself.
func binaryID(attribute, text string) (value string, binary bool) {
	if isGUID(attribute) && len(text) == 36 && text[8] == '-' {
		written, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		if err != nil || len(written) != 16 {
			return "", true
		}
		var octets [16]byte
		for i, at := range guidOrder {
			octets[at] = written[i]
		}
		if value = string(octets[:]); textOfID(attribute, value) != text {
			return "", true // another spelling of it
		}
		return value, true
	}
	if h, ok := strings.CutPrefix(text, "0x"); ok {
		if octets, err := hex.DecodeString(h); err == nil && textOfID(attribute, string(octets)) == text {
			return string(octets), true
		}
	}
	return "", false
}

// locked says whether the entry is of a closed account.
func locked(e *ldapsource.Entry, now time.Time) bool {
	for _, attribute := range locks {
		v, err := single(e, attribute)
		if err != nil || v != "" && lockedBy(attribute, v, now) {
			return true
		}
	}
	return false
}

// lockedBy says whether a value closes an account. What cannot be read does.
func lockedBy(attribute, v string, now time.Time) bool {
	switch attribute {
	case "pwdAccountLockedTime":
		return v == "000001010000Z" || len(v) < len("20060102150405Z")
	case "nsAccountLock":
		return !strings.EqualFold(v, "FALSE")
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return true
	}
	switch attribute {
	case "userAccountControl":
		return n&2 != 0
	case "accountExpires":
		const never, epoch = 1<<63 - 1, 11644473600 // seconds from 1601 to 1970
		return n < 0 || n != 0 && n != never && !now.Before(time.Unix(n/1e7-epoch, n%1e7*100))
	case "shadowExpire":
		return n >= 0 && now.Unix()/86400 >= n
	}
	return true
}

var (
	_ authn.Accounts    = (*Accounts)(nil)
	_ password.Verifier = (*Accounts)(nil)
	_ totp.Secrets      = (*Accounts)(nil)
)
