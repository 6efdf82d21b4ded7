package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// reasonSet is a ReasonFlags (RFC 5280 section 4.2.1.13): bit n stands for the flag n.
type reasonSet uint16

// allReasons are the flags keyCompromise (1) to aACompromise (8); flag 0 is unused.
const allReasons reasonSet = 1<<9 - 2

// read reads the content octets of a ReasonFlags, whose tag is implicit.
func (r *reasonSet) read(content []byte) bool {
	var bits asn1.BitString
	if len(content) == 0 || content[0] > 7 || len(content) == 1 && content[0] != 0 {
		return false
	}
	bits.Bytes, bits.BitLength = content[1:], 8*(len(content)-1)-int(content[0])
	*r = 0
	for n := 1; n <= 8; n++ {
		*r |= reasonSet(bits.At(n)) << n
	}
	return true
}

// distributionPoint is one DistributionPoint of a certificate (RFC 5280 section
// 4.2.1.13): which partition of its issuer's list may speak for it, and of what.
type distributionPoint struct {
	names   []string // GeneralNames in DER, compared octet for octet
	reasons reasonSet
}

const oidCRLDistributionPoints = "2.5.29.31"

// readDistributionPoints reads the points of a certificate at which its own issuer
// publishes. A point of another CRL issuer is passed over: it is one of an
// indirect list, which never counts here (K2).
func readDistributionPoints(c *x509.Certificate) ([]distributionPoint, error) {
	var points []distributionPoint
	for i := range c.Extensions {
		if c.Extensions[i].Id.String() != oidCRLDistributionPoints {
			continue
		}
		in := cryptobyte.String(c.Extensions[i].Value)
		var list cryptobyte.String
		if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
			return nil, errPoint
		}
		for !list.Empty() {
			point, own, err := readDistributionPoint(&list, c.RawIssuer)
			if err != nil {
				return nil, err
			}
			if own {
				points = append(points, point)
			}
		}
	}
	return points, nil
}

var errPoint = refuse(Malformed, errors.New("CRL distribution point"))

// contextTag is the implicit tag [n], of a primitive.
func contextTag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// readDistributionPoint reads one point; own tells whether the issuer itself publishes there.
func readDistributionPoint(list *cryptobyte.String, issuer []byte) (point distributionPoint, own bool, err error) {
	var fields, name, reasons, publisher cryptobyte.String
	var hasName, hasReasons, hasPublisher bool
	if !list.ReadASN1(&fields, cbasn1.SEQUENCE) ||
		!fields.ReadOptionalASN1(&name, &hasName, contextTag(0).Constructed()) ||
		!fields.ReadOptionalASN1(&reasons, &hasReasons, contextTag(1)) ||
		!fields.ReadOptionalASN1(&publisher, &hasPublisher, contextTag(2).Constructed()) || !fields.Empty() {
		return point, false, errPoint
	}
	point.reasons = allReasons
	if hasReasons && !point.reasons.read(reasons) {
		return point, false, errPoint
	}
	self := directoryName(issuer)
	own = true
	if hasPublisher {
		publishers, ok := readGeneralNames(publisher)
		if !ok {
			return point, false, errPoint
		}
		own = len(publishers) == 1 && publishers[0] == self
	}
	switch {
	case hasName:
		var ok bool
		if point.names, ok = readPointName(name, issuer); !ok {
			return point, false, errPoint
		}
	case hasPublisher: // section 6.3.3 (b) (2) (i): the issuer's name stands for the point's
		point.names = []string{self}
	default:
		return point, false, errPoint // section 4.2.1.13: one of the two must be there
	}
	return point, own, nil
}

// readPointName reads a DistributionPointName. A name relative to the CRL issuer
// becomes the whole name that it means.
func readPointName(in cryptobyte.String, issuer []byte) ([]string, bool) {
	var full, relative cryptobyte.String
	var hasFull, hasRelative bool
	if !in.ReadOptionalASN1(&full, &hasFull, contextTag(0).Constructed()) ||
		!in.ReadOptionalASN1(&relative, &hasRelative, contextTag(1).Constructed()) ||
		!in.Empty() || hasFull == hasRelative {
		return nil, false
	}
	if hasFull {
		return readGeneralNames(full)
	}
	rest := cryptobyte.String(issuer)
	var rdns cryptobyte.String
	if !rest.ReadASN1(&rdns, cbasn1.SEQUENCE) {
		return nil, false
	}
	var whole cryptobyte.Builder
	whole.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(rdns)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(relative) })
	})
	name, err := whole.Bytes()
	return []string{directoryName(name)}, err == nil
}

// readGeneralNames splits the content of GeneralNames into its names.
func readGeneralNames(in cryptobyte.String) (names []string, ok bool) {
	for !in.Empty() {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !in.ReadAnyASN1Element(&element, &tag) || tag&^0x3f != contextTag(0) {
			return nil, false
		}
		names = append(names, string(element))
	}
	return names, len(names) > 0
}

// directoryName writes a Name in DER as the GeneralName that it is.
func directoryName(name []byte) string {
	var b cryptobyte.Builder
	b.AddASN1(contextTag(4).Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(name) })
	return string(b.BytesOrPanic())
}
