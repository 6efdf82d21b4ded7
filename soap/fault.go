package soap

import (
	"errors"

	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
)

// A FaultCode is a SOAP 1.1 faultcode: a QName.
type FaultCode struct{ Namespace, Prefix, Local string }

// Standard fault codes: SOAP 1.1 section 4.4.1, SOAP Message Security 1.0 section 12.
var (
	FaultVersionMismatch      = FaultCode{NamespaceEnvelope, "soapenv", "VersionMismatch"}
	FaultMustUnderstand       = FaultCode{NamespaceEnvelope, "soapenv", "MustUnderstand"}
	FaultClient               = FaultCode{NamespaceEnvelope, "soapenv", "Client"}
	FaultServer               = FaultCode{NamespaceEnvelope, "soapenv", "Server"}
	FaultUnsupportedToken     = FaultCode{xmlsec.NamespaceWSSE, "wsse", "UnsupportedSecurityToken"}
	FaultUnsupportedAlgorithm = FaultCode{xmlsec.NamespaceWSSE, "wsse", "UnsupportedAlgorithm"}
	FaultInvalidSecurity      = FaultCode{xmlsec.NamespaceWSSE, "wsse", "InvalidSecurity"}
	FaultInvalidSecurityToken = FaultCode{xmlsec.NamespaceWSSE, "wsse", "InvalidSecurityToken"}
	FaultFailedAuthentication = FaultCode{xmlsec.NamespaceWSSE, "wsse", "FailedAuthentication"}
	FaultFailedCheck          = FaultCode{xmlsec.NamespaceWSSE, "wsse", "FailedCheck"}
	FaultTokenUnavailable     = FaultCode{xmlsec.NamespaceWSSE, "wsse", "SecurityTokenUnavailable"}
	FaultMessageExpired       = FaultCode{xmlsec.NamespaceWSU, "wsu", "MessageExpired"}
)

// NamespaceSOA is the namespace of the platform's error detail.
const NamespaceSOA = "urn:be:fgov:ehealth:errors:soa:v1"

// A SOACode is an error code of the platform, with its text.
type SOACode struct {
	Code, Text string
	// Retry tells a client that the same message may succeed later.
	Retry bool
	// Ours says that the service, not the message, is at fault.
	Ours bool
}

// The codes of the platform (their texts are fixed: clients compare and show them).
var (
	SOAServiceError     = SOACode{Code: "SOA-00001", Text: "Service error", Ours: true}
	SOANotAuthenticated = SOACode{Code: "SOA-01001", Text: "Service call not authenticated"}
	SOANotAuthorized    = SOACode{Code: "SOA-01002", Text: "Service call not authorized"}
	SOANotAvailable     = SOACode{Code: "SOA-02001", Text: "Service not available. Please contact service desk", Ours: true}
	SOATemporarily      = SOACode{Code: "SOA-02002", Text: "Service temporarily not available. Please try later", Retry: true, Ours: true}
	SOAMalformed        = SOACode{Code: "SOA-03001", Text: "Malformed message"}
	SOANotSOAP          = SOACode{Code: "SOA-03002", Text: "Message must be SOAP"}
	SOANoBody           = SOACode{Code: "SOA-03003", Text: "Message must contain SOAP body"}
	SOAWSI              = SOACode{Code: "SOA-03004", Text: "WS-I compliance failure"}
	SOAWSDL             = SOACode{Code: "SOA-03005", Text: "WSDL compliance failure"}
	SOAXSD              = SOACode{Code: "SOA-03006", Text: "XSD compliance failure"}
	SOAContent          = SOACode{Code: "SOA-03007", Text: "Message content validation failure"}
)

// A Fault is what a stranger is told: a standard code, one safe sentence, and the
// platform's code in the detail. It says which class of check failed, never why
// (attacks.md H7).
type Fault struct {
	Code FaultCode
	SOA  SOACode
	// Business makes the detail a BusinessError instead of a SystemError.
	Business bool
	// Environment is one of Development, Test, Integration, Acceptation, Simulation
	// and Production; empty leaves it out.
	Environment string
	// ID is the audit id of the request: by it the operator finds the cause.
	ID string
}

// faults says what each reason is to a stranger. All that has to do with who sent a
// message (token, signature, replay) is one platform code, SOA-01001, on which the
// connectors try another data centre.
var faults = [...]Fault{
	Malformed:            {Code: FaultClient, SOA: SOAMalformed},
	NotSOAP:              {Code: FaultClient, SOA: SOANotSOAP},
	VersionMismatch:      {Code: FaultVersionMismatch, SOA: SOANotSOAP},
	BadEnvelope:          {Code: FaultClient, SOA: SOAWSI},
	NoBody:               {Code: FaultClient, SOA: SOANoBody},
	NotUnderstood:        {Code: FaultMustUnderstand, SOA: SOAWSI},
	NoSecurity:           {Code: FaultInvalidSecurity, SOA: SOANotAuthenticated},
	BadSecurity:          {Code: FaultInvalidSecurity, SOA: SOANotAuthenticated},
	UnsupportedToken:     {Code: FaultUnsupportedToken, SOA: SOANotAuthenticated},
	BadToken:             {Code: FaultInvalidSecurityToken, SOA: SOANotAuthenticated},
	BadTimestamp:         {Code: FaultInvalidSecurity, SOA: SOANotAuthenticated},
	Expired:              {Code: FaultMessageExpired, SOA: SOANotAuthenticated},
	NotYetValid:          {Code: FaultInvalidSecurity, SOA: SOANotAuthenticated},
	UntrustedToken:       {Code: FaultFailedAuthentication, SOA: SOANotAuthenticated},
	UnsupportedAlgorithm: {Code: FaultUnsupportedAlgorithm, SOA: SOANotAuthenticated},
	BadSignature:         {Code: FaultFailedCheck, SOA: SOANotAuthenticated},
	NotCovered:           {Code: FaultFailedCheck, SOA: SOANotAuthenticated},
	Replayed:             {Code: FaultFailedCheck, SOA: SOANotAuthenticated},
	ReplayStateFull:      {Code: FaultServer, SOA: SOATemporarily},
	NoReplayState:        {Code: FaultServer, SOA: SOATemporarily},
}

// FaultOf returns the fault for an error of this package, and a Server fault for any
// other error.
func FaultOf(err error) Fault {
	var e *Error
	if errors.As(err, &e) && int(e.Reason) < len(faults) && faults[e.Reason].Code.Local != "" {
		return faults[e.Reason]
	}
	return Fault{Code: FaultServer, SOA: SOAServiceError}
}

const (
	envelopeOpen  = `<soapenv:Envelope xmlns:soapenv="` + NamespaceEnvelope + `"><soapenv:Body>`
	envelopeClose = `</soapenv:Body></soapenv:Envelope>`
)

// AppendOpen and AppendClose write what stands around the body element of an answer
// without header.
func AppendOpen(dst []byte) []byte { return append(dst, envelopeOpen...) }

// AppendClose ends what AppendOpen began.
func AppendClose(dst []byte) []byte { return append(dst, envelopeClose...) }

// AppendFault writes a whole SOAP message with a fault. Its detail has the form that
// the platform's clients read: unqualified Origin, Code and Message, a qualified
// Environment. The zero Fault is written as a failure of the service.
func AppendFault(dst []byte, f Fault) []byte {
	if f.Code == (FaultCode{}) {
		f.Code, f.SOA = FaultServer, SOAServiceError
	}
	dst = append(dst, envelopeOpen...)
	dst = append(dst, "<soapenv:Fault><faultcode"...)
	if f.Code.Namespace != NamespaceEnvelope {
		dst = append(dst, " xmlns:"+f.Code.Prefix+`="`+f.Code.Namespace+`"`...)
	}
	dst = append(dst, ">"+f.Code.Prefix+":"+f.Code.Local+"</faultcode><faultstring>"+f.SOA.Code+": "+f.SOA.Text+"</faultstring>"...)
	element := "soa:SystemError"
	if f.Business {
		element = "soa:BusinessError"
	}
	dst = append(dst, "<detail><"+element+` xmlns:soa="`+NamespaceSOA+`"`...)
	if f.ID != "" {
		dst = append(dst, ` Id="`...)
		dst = c14n.AppendValue(dst, f.ID)
		dst = append(dst, '"')
	}
	origin := "Consumer"
	if f.SOA.Ours {
		origin = "Provider"
	}
	dst = append(dst, `><Origin>`+origin+"</Origin><Code>"+f.SOA.Code+`</Code><Message xml:lang="en">`+f.SOA.Text+"</Message>"...)
	if f.SOA.Retry {
		dst = append(dst, "<Retry>true</Retry>"...)
	}
	if f.Environment != "" {
		dst = append(dst, "<soa:Environment>"...)
		dst = c14n.AppendText(dst, f.Environment)
		dst = append(dst, "</soa:Environment>"...)
	}
	dst = append(dst, "</"+element+"></detail></soapenv:Fault>"...)
	return append(dst, envelopeClose...)
}

// SOACodes returns the platform's codes in the order of their numbers.
func SOACodes() []SOACode {
	return []SOACode{SOAServiceError, SOANotAuthenticated, SOANotAuthorized, SOANotAvailable, SOATemporarily,
		SOAMalformed, SOANotSOAP, SOANoBody, SOAWSI, SOAWSDL, SOAXSD, SOAContent}
}
