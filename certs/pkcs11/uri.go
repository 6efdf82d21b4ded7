package pkcs11

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

const (
	scheme = "pkcs11:"
	maxURI = 4096
)

// A URI names a token and a key on it (RFC 7512). What is empty is not said. At least one
// of Object and ID, one of Token, Serial and Slot, and ModulePath are needed for a key.
type URI struct {
	Token, Manufacturer, Model, Serial string // of the token
	Object                             string // CKA_LABEL of the key
	ID                                 string // CKA_ID of the key, octets
	Slot                               *uint  // the number of the slot

	ModulePath string // the shared library
	PINSource  string // a file with the PIN; one line end at its end does not count
}

// IsURI tells whether text is meant as one.
func IsURI(text string) bool {
	return len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme)
}

// ParseURI reads a URI. An attribute that is not known is refused, since what it would
// have excluded would not be (RFC 7512 section 2.3); so are one said twice, a pin-value,
// since configuration files are read by many, and a type other than private.
func ParseURI(text string) (URI, error) {
	var u URI
	refuse := func(format string, args ...any) (URI, error) {
		return URI{}, fmt.Errorf("%w: "+format, append([]any{ErrURI}, args...)...)
	}
	if !IsURI(text) || len(text) > maxURI {
		return refuse("want pkcs11: and at most %d octets", maxURI)
	}
	path, query, _ := strings.Cut(text[len(scheme):], "?")
	seen := map[string]bool{}
	for i, part := range []struct{ text, separator string }{{path, ";"}, {query, "&"}} {
		if part.text == "" {
			continue
		}
		for _, attribute := range strings.Split(part.text, part.separator) {
			name, raw, ok := strings.Cut(attribute, "=")
			if !ok || seen[name] {
				return refuse("attribute %q without a value, or twice", name)
			}
			seen[name] = true
			if name == "pin-value" {
				return refuse("no pin-value here: put the PIN into a file and name it with pin-source")
			}
			value, err := url.PathUnescape(raw)
			if err != nil || value == "" || strings.ContainsRune(value, 0) && name != "id" {
				return refuse("value of %s", name)
			}
			if !u.set(name, value, i == 1) {
				return refuse("attribute %s=%s is not taken", name, raw)
			}
		}
	}
	if len(u.String()) > maxURI {
		return refuse("over %d octets when it is escaped", maxURI)
	}
	return u, nil
}

// set takes an attribute; false is one that is not known there, or a value out of range.
func (u *URI) set(name, value string, inQuery bool) bool {
	if inQuery {
		switch name {
		case "module-path":
			u.ModulePath = value
		case "pin-source":
			if rest, ok := strings.CutPrefix(value, "file:"); ok {
				value = strings.TrimPrefix(rest, "//")
			} else if strings.HasPrefix(value, "|") {
				return false // a program, in some implementations
			}
			u.PINSource = value
		default:
			return false
		}
		return value != ""
	}
	switch name {
	case "token":
		u.Token = value
	case "manufacturer":
		u.Manufacturer = value
	case "model":
		u.Model = value
	case "serial":
		u.Serial = value
	case "object":
		u.Object = value
	case "id":
		u.ID = value
	case "slot-id":
		n, err := strconv.ParseUint(value, 10, 32)
		slot := uint(n)
		u.Slot = &slot
		return err == nil
	case "type":
		return value == "private"
	default:
		return false
	}
	return true
}

// String writes the URI; ParseURI reads the same from it.
func (u URI) String() string {
	var path, query []string
	add := func(list *[]string, name, value string) {
		if value != "" {
			*list = append(*list, name+"="+escape(value))
		}
	}
	add(&path, "token", u.Token)
	add(&path, "manufacturer", u.Manufacturer)
	add(&path, "model", u.Model)
	add(&path, "serial", u.Serial)
	if u.Slot != nil {
		add(&path, "slot-id", strconv.FormatUint(uint64(*u.Slot), 10))
	}
	add(&path, "object", u.Object)
	if u.ID != "" {
		path = append(path, "id=%"+strings.ToUpper(strings.Join(pairs(hex.EncodeToString([]byte(u.ID))), "%")))
	}
	add(&query, "module-path", u.ModulePath)
	source := u.PINSource
	if strings.HasPrefix(source, "file:") || strings.HasPrefix(source, "|") {
		source = "file://" + source // else it would be read as what it is not
	}
	add(&query, "pin-source", source)
	text := scheme + strings.Join(path, ";")
	if len(query) > 0 {
		text += "?" + strings.Join(query, "&")
	}
	return text
}

// escape leaves what every part of a URI of RFC 7512 may hold as it is.
func escape(value string) string {
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~:/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func pairs(digits string) (list []string) {
	for i := 0; i < len(digits); i += 2 {
		list = append(list, digits[i:i+2])
	}
	return list
}

// forKey refuses a URI that does not name one key.
func (u *URI) forKey() error {
	switch {
	case u.ModulePath == "":
		return fmt.Errorf("%w: no module-path", ErrURI)
	case u.Token == "" && u.Serial == "" && u.Slot == nil:
		return fmt.Errorf("%w: it names no token: token, serial or slot-id", ErrURI)
	case u.Object == "" && u.ID == "":
		return fmt.Errorf("%w: it names no key: object or id", ErrURI)
	case u.PINSource == "":
		return fmt.Errorf("%w: no pin-source", ErrURI)
	}
	return nil
}
