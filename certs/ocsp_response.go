package certs

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// ocspResponse is a basic response as it was read: nothing in it is proven. It
// aliases the DER.
type ocspResponse struct {
	der         []byte
	certificate []byte // the first that came with it, or nil
	name        []byte // of the responder, DER; or
	keyHash     []byte // the SHA-1 of its key
	producedAt  time.Time
	nonce       []byte // value of the extension, or nil
	singles     []ocspSingle
}

// ocspSingle is what a response says of one certificate.
type ocspSingle struct {
	id         ocspCertID
	status     int // ocsp.Good, ocsp.Revoked, ocsp.Unknown
	thisUpdate time.Time
	nextUpdate time.Time // zero when the response bears none
}

func errOCSP(what string) error { return refuse(Malformed, errors.New("OCSP: "+what)) }

// explicit is the tag of an EXPLICIT field.
func explicit(n uint8) asn1.Tag { return asn1.Tag(n).Constructed().ContextSpecific() }

// parseOCSP reads an OCSPResponse (RFC 6960 section 4.2.1), all of it and nothing
// more. [ocsp.ParseResponse] reads it again when its signer is known: it leaves
// out the CertID, the nonce and the extensions that this is here for.
func parseOCSP(der []byte) (*ocspResponse, error) {
	in := cryptobyte.String(der)
	var outer, wrapped, bytes, kind, content cryptobyte.String
	var status int
	var present bool
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Enum(&status) ||
		!outer.ReadOptionalASN1(&wrapped, &present, explicit(0)) || !outer.Empty() {
		return nil, errOCSP("not an OCSPResponse")
	}
	if status != int(ocsp.Success) {
		return nil, refuseStatus(ocsp.ResponseStatus(status))
	}
	if !present || !wrapped.ReadASN1(&bytes, asn1.SEQUENCE) || !wrapped.Empty() ||
		!bytes.ReadASN1(&kind, asn1.OBJECT_IDENTIFIER) || !bytes.ReadASN1(&content, asn1.OCTET_STRING) || !bytes.Empty() {
		return nil, errOCSP("not an OCSPResponse")
	}
	if string(kind) != oidOCSPBasic {
		return nil, refuse(Unsupported, errors.New("OCSP: a response that is not basic"))
	}
	r := &ocspResponse{der: der}
	return r, r.readBasic(content)
}

// refuseStatus says why a responder gave no answer (RFC 6960 section 2.3). What
// may pass is Unavailable: the responder is left in peace for a while.
func refuseStatus(status ocsp.ResponseStatus) error {
	err := fmt.Errorf("OCSP: the responder says %s", status)
	switch status {
	case ocsp.TryLater, ocsp.InternalError:
		return refuse(Unavailable, err)
	}
	return refuse(Unsupported, err)
}

// readBasic reads a BasicOCSPResponse.
func (r *ocspResponse) readBasic(content cryptobyte.String) error {
	var basic, data, algorithm, wrapped, certificates, first cryptobyte.String
	var signature []byte
	var present bool
	if !content.ReadASN1(&basic, asn1.SEQUENCE) || !content.Empty() || !basic.ReadASN1(&data, asn1.SEQUENCE) ||
		!basic.ReadASN1(&algorithm, asn1.SEQUENCE) || !basic.ReadASN1BitStringAsBytes(&signature) ||
		!basic.ReadOptionalASN1(&wrapped, &present, explicit(0)) || !basic.Empty() {
		return errOCSP("not a BasicOCSPResponse")
	}
	if present {
		if !wrapped.ReadASN1(&certificates, asn1.SEQUENCE) || !wrapped.Empty() {
			return errOCSP("certificates")
		}
		for !certificates.Empty() {
			var one cryptobyte.String
			if !certificates.ReadASN1Element(&one, asn1.SEQUENCE) {
				return errOCSP("certificates")
			}
			if first == nil {
				first = one
			}
		}
		r.certificate = first
	}
	return r.readData(data)
}

// readData reads ResponseData: what is signed.
func (r *ocspResponse) readData(data cryptobyte.String) error {
	var version, id, octets, responses cryptobyte.String
	var present bool
	var tag asn1.Tag
	if !data.ReadOptionalASN1(&version, &present, explicit(0)) {
		return errOCSP("version")
	}
	if present {
		var v int
		if !version.ReadASN1Integer(&v) || !version.Empty() || v != 0 {
			return errOCSP("version")
		}
	}
	if !data.ReadAnyASN1(&id, &tag) {
		return errOCSP("responder")
	}
	switch tag {
	case explicit(1):
		r.name = id
	case explicit(2):
		if !id.ReadASN1(&octets, asn1.OCTET_STRING) || !id.Empty() || octets.Empty() {
			return errOCSP("responder")
		}
		r.keyHash = octets
	default:
		return errOCSP("responder")
	}
	if !data.ReadASN1GeneralizedTime(&r.producedAt) {
		return errOCSP("producedAt")
	}
	if !data.ReadASN1(&responses, asn1.SEQUENCE) {
		return errOCSP("responses")
	}
	for !responses.Empty() {
		var single ocspSingle
		if err := single.read(&responses); err != nil {
			return err
		}
		r.singles = append(r.singles, single)
	}
	if err := readOCSPExtensions(&data, func(oid string, value []byte) bool {
		if oid == oidOCSPNonce {
			r.nonce = value
		}
		return oid == oidOCSPNonce
	}); err != nil {
		return err
	}
	if !data.Empty() {
		return errOCSP("more than a ResponseData")
	}
	return nil
}

// read reads a SingleResponse.
func (s *ocspSingle) read(in *cryptobyte.String) error {
	var single, status, wrapped cryptobyte.String
	var tag asn1.Tag
	var present bool
	if !in.ReadASN1(&single, asn1.SEQUENCE) || !s.id.read(&single) || !single.ReadAnyASN1(&status, &tag) {
		return errOCSP("single response")
	}
	switch tag {
	case asn1.Tag(0).ContextSpecific():
		s.status = ocsp.Good
	case explicit(1): // RevokedInfo, under an implicit tag
		s.status = ocsp.Revoked
		var at time.Time
		var reason cryptobyte.String
		var code int
		if !status.ReadASN1GeneralizedTime(&at) || !status.ReadOptionalASN1(&reason, &present, explicit(0)) ||
			present && (!reason.ReadASN1Enum(&code) || !reason.Empty()) || !status.Empty() {
			return errOCSP("revocation")
		}
		status = nil
	case asn1.Tag(2).ContextSpecific():
		s.status = ocsp.Unknown
	default:
		return errOCSP("status")
	}
	if !status.Empty() {
		return errOCSP("status")
	}
	if !single.ReadASN1GeneralizedTime(&s.thisUpdate) || !single.ReadOptionalASN1(&wrapped, &present, explicit(0)) ||
		present && (!wrapped.ReadASN1GeneralizedTime(&s.nextUpdate) || !wrapped.Empty()) {
		return errOCSP("thisUpdate or nextUpdate")
	}
	if err := readOCSPExtensions(&single, func(string, []byte) bool { return false }); err != nil {
		return err
	}
	if !single.Empty() {
		return errOCSP("single response")
	}
	return nil
}

// readOCSPExtensions reads Extensions under the tag [1], where both places have
// them. known takes one and tells whether it understands it; a critical one that
// nobody understands refuses the whole (RFC 6960 section 4.4).
func readOCSPExtensions(in *cryptobyte.String, known func(oid string, value []byte) bool) error {
	var wrapped, extensions cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&wrapped, &present, explicit(1)) {
		return errOCSP("extensions")
	}
	if !present {
		return nil
	}
	if !wrapped.ReadASN1(&extensions, asn1.SEQUENCE) || !wrapped.Empty() {
		return errOCSP("extensions")
	}
	err := eachExtension(extensions, func(oid string, critical bool, value cryptobyte.String) error {
		if !known(oid, value) && critical {
			return refuse(Unsupported, errors.New("OCSP: unknown critical extension"))
		}
		return nil
	})
	if ReasonOf(err) == Malformed { // its words speak of CRLs
		return errOCSP("extensions")
	}
	return err
}
