package certs

import (
	"strconv"
)

// Content octets of the attribute types that this package reads.
const (
	oidCommonName   = "\x55\x04\x03"
	oidSurname      = "\x55\x04\x04"
	oidSerialNumber = "\x55\x04\x05"
	oidCountry      = "\x55\x04\x06"
	oidOrganization = "\x55\x04\x0a"
	oidUnit         = "\x55\x04\x0b"
	oidGivenName    = "\x55\x04\x2a"
	oidEmail        = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"
)

// typeOfKeyword gives the attribute type of a keyword in capitals: those of RFC
// 1779, 2253 and 4514, of Java, .NET and OpenSSL. SN is the surname: clients of
// the wire document write it so.
func typeOfKeyword(keyword []byte) string {
	switch string(keyword) {
	case "CN", "COMMONNAME":
		return oidCommonName
	case "SN", "SURNAME":
		return oidSurname
	case "SERIALNUMBER":
		return oidSerialNumber
	case "C", "COUNTRY", "COUNTRYNAME":
		return oidCountry
	case "L", "LOCALITY", "LOCALITYNAME":
		return "\x55\x04\x07"
	case "ST", "S", "STATEORPROVINCENAME":
		return "\x55\x04\x08"
	case "STREET", "STREETADDRESS":
		return "\x55\x04\x09"
	case "O", "ORGANIZATION", "ORGANIZATIONNAME":
		return oidOrganization
	case "OU", "ORGANIZATIONALUNIT", "ORGANIZATIONALUNITNAME":
		return oidUnit
	case "T", "TITLE":
		return "\x55\x04\x0c"
	case "DESCRIPTION":
		return "\x55\x04\x0d"
	case "BUSINESSCATEGORY":
		return "\x55\x04\x0f"
	case "POSTALCODE":
		return "\x55\x04\x11"
	case "GN", "G", "GIVENNAME":
		return oidGivenName
	case "INITIALS":
		return "\x55\x04\x2b"
	case "GENERATION", "GENERATIONQUALIFIER":
		return "\x55\x04\x2c"
	case "DNQ", "DNQUALIFIER":
		return "\x55\x04\x2e"
	case "PSEUDONYM":
		return "\x55\x04\x41"
	case "ORGANIZATIONIDENTIFIER":
		return "\x55\x04\x61"
	case "E", "EMAIL", "EMAILADDRESS":
		return oidEmail
	case "UID", "USERID":
		return "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"
	case "DC", "DOMAINCOMPONENT":
		return "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"
	}
	return ""
}

// keywordOf gives the keyword that the platform writes for an attribute type, if
// it has one, and whether RFC 1779 names it, so that Java's RFC1779 form has it too.
func keywordOf(oid string) (keyword string, rfc1779 bool) {
	switch oid {
	case oidCommonName:
		return "CN", true
	case oidCountry:
		return "C", true
	case "\x55\x04\x07":
		return "L", true
	case "\x55\x04\x08":
		return "ST", true
	case oidOrganization:
		return "O", true
	case oidUnit:
		return "OU", true
	case "\x55\x04\x09":
		return "STREET", true
	case oidSurname:
		return "SURNAME", false
	case oidSerialNumber:
		return "SERIALNUMBER", false
	case "\x55\x04\x0c":
		return "T", false
	case oidGivenName:
		return "GIVENNAME", false
	case "\x55\x04\x2b":
		return "INITIALS", false
	case "\x55\x04\x2c":
		return "GENERATION", false
	case "\x55\x04\x2e":
		return "DNQ", false
	case oidEmail:
		return "EMAILADDRESS", false
	case "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01":
		return "UID", false
	case "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19":
		return "DC", false
	}
	return "", false
}

// validObjectID tells whether content octets are an object identifier in DER
// whose arcs fit 63 bits.
func validObjectID(oid []byte) bool {
	if len(oid) == 0 || len(oid) > maxObjectID {
		return false
	}
	arc, first := uint64(0), true
	for _, c := range oid {
		if first && c == 0x80 || arc >= 1<<56 {
			return false
		}
		arc = arc<<7 | uint64(c&0x7f)
		if first = c&0x80 == 0; first {
			arc = 0
		}
	}
	return first
}

// appendDotted appends the dotted form of a valid object identifier.
func appendDotted(dst []byte, oid string) []byte {
	arc, head := uint64(0), true
	for i := range len(oid) {
		arc = arc<<7 | uint64(oid[i]&0x7f)
		if oid[i]&0x80 != 0 {
			continue
		}
		if head {
			top := min(arc/40, 2)
			dst = strconv.AppendUint(dst, top, 10)
			arc -= top * 40
			head = false
		}
		dst = append(dst, '.')
		dst = strconv.AppendUint(dst, arc, 10)
		arc = 0
	}
	return dst
}

// appendObjectID appends the content octets of a dotted object identifier, at
// least two arcs, without leading zeros; ok is false when it is none.
func appendObjectID(dst, dotted []byte) (out []byte, ok bool) {
	start := len(dst)
	var top uint64
	arcs := 0
	for len(dotted) > 0 {
		end := 0
		var arc uint64
		for end < len(dotted) && dotted[end] >= '0' && dotted[end] <= '9' {
			if arc >= 1<<59 {
				return nil, false
			}
			arc = arc*10 + uint64(dotted[end]-'0')
			end++
		}
		if end == 0 || end > 1 && dotted[0] == '0' || end < len(dotted) && (dotted[end] != '.' || end == len(dotted)-1) {
			return nil, false
		}
		dotted = dotted[min(end+1, len(dotted)):]
		switch arcs++; arcs {
		case 1:
			if top = arc; top > 2 {
				return nil, false
			}
			continue
		case 2:
			if top < 2 && arc >= 40 || arc >= 1<<58 {
				return nil, false
			}
			arc += top * 40
		}
		shift := 0
		for arc>>(shift+7) != 0 {
			shift += 7
		}
		for ; shift > 0; shift -= 7 {
			dst = append(dst, byte(arc>>shift)|0x80)
		}
		dst = append(dst, byte(arc&0x7f))
	}
	return dst, arcs >= 2 && validObjectID(dst[start:])
}
