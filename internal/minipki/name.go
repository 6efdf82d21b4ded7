package minipki

import (
	"encoding/asn1"
	"fmt"
	"strconv"
	"strings"
)

// Attribute is one attribute of a distinguished name.
type Attribute struct {
	Type  string // dotted object identifier
	Value string // the text, or, with a Tag, the very content octets
	Tag   int    // ASN.1 string tag; zero chooses PrintableString, else UTF8String
}

// RDN is one relative distinguished name; more than one attribute makes it multi-valued.
type RDN []Attribute

// Name is a distinguished name in DER order: the country first, the common name last.
type Name []RDN

// oidOf gives the dotted object identifier of the keywords that DN knows.
func oidOf(keyword string) (string, bool) {
	switch keyword {
	case "CN":
		return "2.5.4.3", true
	case "SN":
		return "2.5.4.4", true
	case "serialNumber":
		return "2.5.4.5", true
	case "C":
		return "2.5.4.6", true
	case "L":
		return "2.5.4.7", true
	case "ST":
		return "2.5.4.8", true
	case "O":
		return "2.5.4.10", true
	case "OU":
		return "2.5.4.11", true
	case "GN":
		return "2.5.4.42", true
	case "E":
		return "1.2.840.113549.1.9.1", true
	case "DC":
		return "0.9.2342.19200300.100.1.25", true
	case "UID":
		return "0.9.2342.19200300.100.1.1", true
	}
	return keyword, strings.Contains(keyword, ".")
}

// DN makes a name from pairs of type and value in DER order, as in
// DN("C", "BE", "CN", "Example"). A type is a keyword (CN SN serialNumber C L ST
// O OU GN E DC UID) or a dotted object identifier; a type that begins with "+"
// joins the RDN before it. It panics when the pairs are not that: they are
// written in the program.
func DN(pairs ...string) Name {
	if len(pairs)%2 != 0 {
		panic("minipki.DN: an attribute type without a value")
	}
	var n Name
	for i := 0; i < len(pairs); i += 2 {
		keyword, joins := strings.CutPrefix(pairs[i], "+")
		oid, ok := oidOf(keyword)
		if !ok {
			panic("minipki.DN: unknown attribute type " + strconv.Quote(keyword))
		}
		a := Attribute{Type: oid, Value: pairs[i+1]}
		if joins && len(n) > 0 {
			n[len(n)-1] = append(n[len(n)-1], a)
			continue
		}
		n = append(n, RDN{a})
	}
	return n
}

// attributeTypeAndValue, rdnSET: the X.501 structures; encoding/asn1 writes a
// type whose name ends in SET as a SET OF, sorted as DER demands.
type attributeTypeAndValue struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type rdnSET []attributeTypeAndValue

// DER writes the name as an extension has it.
func (n Name) DER() ([]byte, error) { return n.marshal() }

// marshal writes the name as DER.
func (n Name) marshal() ([]byte, error) {
	seq := make([]rdnSET, 0, len(n))
	for _, r := range n {
		set := make(rdnSET, 0, len(r))
		for _, a := range r {
			oid, err := parseOID(a.Type)
			if err != nil {
				return nil, err
			}
			set = append(set, attributeTypeAndValue{oid, asn1.RawValue{Tag: a.tag(), Bytes: []byte(a.Value)}})
		}
		seq = append(seq, set)
	}
	return asn1.Marshal(seq)
}

func (a Attribute) tag() int {
	if a.Tag != 0 {
		return a.Tag
	}
	for _, r := range a.Value {
		printable := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" '()+,-./:=?", r)
		if !printable {
			return asn1.TagUTF8String
		}
	}
	return asn1.TagPrintableString
}

// parseOID reads a dotted object identifier.
func parseOID(dotted string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		arc, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("minipki: object identifier %q: %w", dotted, err)
		}
		oid = append(oid, arc)
	}
	return oid, nil
}
