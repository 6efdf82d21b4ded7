package certs

import (
	"encoding/hex"
	"strings"
)

// String writes the name as the eHealth server does (wire document 3.2): the
// last RDN first, ", " between RDNs, " + " within one, the keywords that RFC
// 1779 has and SERIALNUMBER, GIVENNAME, SURNAME and some more, OID.1.2.3 for
// other types; a value with a special character in quotes. The text of a
// certificate's name is made once: this does not allocate.
func (n Name) String() string {
	if n.text == "" {
		n.render()
	}
	return n.text
}

// JavaRFC1779 writes the name as Java's X500Principal.getName("RFC1779") does:
// like String, with OID.2.5.4.5 and the like for whatever RFC 1779 does not name.
func (n Name) JavaRFC1779() string {
	if n.java == "" {
		n.render()
	}
	return n.java
}

// render makes both texts.
func (n *Name) render() {
	n.text = string(n.appendText(nil, false))
	n.java = n.text
	if java := n.appendText(nil, true); string(java) != n.text {
		n.java = string(java)
	}
}

func (n *Name) appendText(dst []byte, rfc1779 bool) []byte {
	for i := len(n.rdns) - 1; i >= 0; i-- {
		if i < len(n.rdns)-1 {
			dst = append(dst, ", "...)
		}
		for j, a := range n.rdns[i] {
			if j > 0 {
				dst = append(dst, " + "...)
			}
			if keyword, standard := keywordOf(a.oid); keyword != "" && (standard || !rfc1779) {
				dst = append(dst, keyword...)
			} else {
				dst = appendDotted(append(dst, "OID."...), a.oid)
			}
			dst = append(dst, '=')
			dst = a.appendValue(dst)
		}
	}
	return dst
}

func (a *attribute) appendValue(dst []byte) []byte {
	if a.opaque {
		return hex.AppendEncode(append(dst, '#'), []byte(a.value))
	}
	if !needsQuotes(a.value) {
		return append(dst, a.value...)
	}
	dst = append(dst, '"')
	for i := range len(a.value) {
		if c := a.value[i]; c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, a.value[i])
	}
	return append(dst, '"')
}

// needsQuotes: a special character of RFC 1779 anywhere, a space at an end, or
// two spaces together. An empty value needs none.
func needsQuotes(value string) bool {
	return strings.ContainsAny(value, `,+=<>#;\"`) ||
		strings.HasPrefix(value, " ") || strings.HasSuffix(value, " ") || strings.Contains(value, "  ")
}
