package sts

import (
	"sceau/saml"
)

// A Code is what a consumer is told when a query is refused. The zero Code is none.
type Code uint8

// The codes, in the order in which a request can meet them. REQ-01 is the
// platform's; the others are ours, because no public source lists more of them
// (docs/divergences.md).
const (
	_                    Code = iota
	VersionUnsupported        // REQ-02
	RequestMalformed          // REQ-03
	QueryUnsupported          // REQ-04
	RequestNotFresh           // REQ-05
	ConfirmationFailed        // REQ-01
	HolderNotTrusted          // REQ-06
	SubjectMismatch           // REQ-07
	IssuerMismatch            // REQ-08
	WindowInvalid             // REQ-09
	IdentificationFailed      // REQ-10
	NothingAsked              // REQ-11
	AttributeUnknown          // REQ-12
	AttributeDenied           // REQ-13
	SourceUnavailable         // REQ-14
	IssuanceFailed            // REQ-15
	lastCode
)

type codeEntry struct {
	id, text    string
	status, sub string // SAML 1.1 core 3.4.3.1
}

var codes = [...]codeEntry{
	VersionUnsupported:   {id: "REQ-02", text: "SAML version not supported", status: "VersionMismatch"},
	RequestMalformed:     {id: "REQ-03", text: "Request is malformed", status: "Requester"},
	QueryUnsupported:     {id: "REQ-04", text: "Query is not supported", status: "Requester"},
	RequestNotFresh:      {id: "REQ-05", text: "Checks on IssueInstant failed", status: "Requester"},
	ConfirmationFailed:   {id: "REQ-01", text: "Checks on ConfirmationMethod failed", status: "Requester"},
	HolderNotTrusted:     {id: "REQ-06", text: "Checks on holder-of-key certificate failed", status: "Requester"},
	SubjectMismatch:      {id: "REQ-07", text: "Checks on Subject failed", status: "Requester"},
	IssuerMismatch:       {id: "REQ-08", text: "Checks on Issuer failed", status: "Requester"},
	WindowInvalid:        {id: "REQ-09", text: "Checks on Conditions failed", status: "Requester"},
	IdentificationFailed: {id: "REQ-10", text: "Checks on identification attributes failed", status: "Requester"},
	NothingAsked:         {id: "REQ-11", text: "No attribute was requested", status: "Requester"},
	AttributeUnknown:     {id: "REQ-12", text: "Requested attribute is not known", status: "Requester"},
	AttributeDenied:      {id: "REQ-13", text: "Requested attribute is not permitted", status: "Requester", sub: "RequestDenied"},
	SourceUnavailable:    {id: "REQ-14", text: "Authentic source is not available", status: "Responder"},
	IssuanceFailed:       {id: "REQ-15", text: "Assertion could not be issued", status: "Responder"},
}

// String returns the identifier of the code: "REQ-01".
func (c Code) String() string {
	if c > 0 && c < lastCode {
		return codes[c].id
	}
	return "none"
}

// Message returns the StatusMessage: "REQ-01: Checks on ConfirmationMethod failed".
func (c Code) Message() string {
	if c > 0 && c < lastCode {
		return codes[c].id + ": " + codes[c].text
	}
	return "none"
}

// Codes returns every code in the order in which a request can meet them.
func Codes() []Code {
	var all []Code
	for c := Code(1); c < lastCode; c++ {
		all = append(all, c)
	}
	return all
}

// Status returns the SAML status code and the code inside it, local names both.
func (c Code) Status() (code, sub string) {
	if c > 0 && c < lastCode {
		return codes[c].status, codes[c].sub
	}
	return "Responder", ""
}

// A Refusal is why a query was refused: the code for the consumer and the cause for
// the operator. Cause holds no value of an attribute and no identifier of a person.
type Refusal struct {
	Code  Code
	Cause string
	Err   error
	// sub replaces the second-level status code of the table.
	sub string
}

func (r *Refusal) Error() string {
	s := "sts: " + r.Code.Message()
	if r.Cause != "" {
		s += ": " + r.Cause
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

func (r *Refusal) Unwrap() error { return r.Err }

func refuse(code Code, cause string) error { return &Refusal{Code: code, Cause: cause} }

func refuseFor(code Code, err error) error { return &Refusal{Code: code, Err: err} }

// readingRefusal sorts what saml refuses about a request.
func readingRefusal(err *saml.Error) *Refusal {
	r := &Refusal{Code: RequestMalformed, Err: err}
	switch err.Reason {
	case saml.VersionTooHigh:
		r.Code, r.sub = VersionUnsupported, "RequestVersionTooHigh"
	case saml.VersionTooLow:
		r.Code, r.sub = VersionUnsupported, "RequestVersionTooLow"
	case saml.UnsupportedQuery, saml.UnsupportedMember:
		r.Code = QueryUnsupported
	}
	return r
}
