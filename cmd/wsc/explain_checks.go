package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sceau/certs"
	"sceau/soap"
	"sceau/sts"
	"sceau/wsc"
	"sceau/wsp"
	"sceau/xmlsec"
)

// The checks of a request before its query is reached, in the order of the STS.
const (
	checkXML       = "well-formed XML, without document type"
	checkEnvelope  = "a SOAP 1.1 message with one element in its Body"
	checkBlocks    = "no header block that must be understood and is not"
	checkSecurity  = "one Security header, with one Timestamp, one token and one signature"
	checkTimestamp = "a Timestamp that can be read"
	checkFresh     = "the Timestamp is of now"
	checkToken     = "the signature is of the profile and refers to the token beside it"
	checkSender    = "the certificate of the sender is trusted and valid"
	checkSignature = "the signature is by an admitted algorithm and verifies"
	checkCovers    = "the signature covers Body, Timestamp and certificate"
	checkBody      = "the body is a samlp:Request"
)

// The checks of its query.
const (
	queryForm           = "an attribute query of SAML 1.1, in the form of its schema"
	queryFresh          = "the request was issued now"
	queryConfirmed      = "holder-of-key is claimed as on the wire, about the sender by himself"
	queryHolder         = "the certificate of the holder is trusted and valid"
	queryInner          = "the holder signed the request, where he is another than the sender"
	querySubject        = "the subjects are that of the sender's certificate"
	queryIssuer         = "the issuer of the claims is the sender"
	queryWindow         = "the wanted validity is a window that has not ended"
	queryIdentification = "the identification attributes are those of the certificates"
	queryAsked          = "attributes are asked for"
	queryKnown          = "every attribute that is asked for is known"
)

func requestChecks() []check {
	checks := []check{
		{checkXML, "the sender wrote no XML, or XML that nobody should send"},
		{checkEnvelope, "send SOAP 1.1, text/xml, with the samlp:Request alone in the Body"},
		{checkBlocks, "leave the other header blocks out, or mustUnderstand"},
		{checkSecurity, "one wsse:Security with wsu:Timestamp, wsse:BinarySecurityToken and ds:Signature"},
		{checkTimestamp, "Created and Expires in UTC, Created first"},
		{checkFresh, "compare the clocks (wsc clock), and send the message when it is made: it is good for a minute"},
		{checkToken, "KeyInfo refers to the X509v3 token in the same header; exclusive canonicalization, no other transform"},
		{checkSender, "a valid eID or eHealth certificate of an authority that the STS trusts; its operator has stsd cert explain"},
		{checkSignature, "nothing may change the message after it was signed, a pretty-printer neither; the algorithm is SHA-2"},
		{checkCovers, "sign Body, Timestamp and BinarySecurityToken, each by its wsu:Id"},
		{checkBody, "send a samlp:Request, with no SOAPAction or that of the service"},
	}
	for _, name := range []string{queryForm, queryFresh, queryConfirmed, queryHolder, queryInner, querySubject, queryIssuer, queryWindow, queryIdentification, queryAsked, queryKnown} {
		checks = append(checks, check{name: name}) // the code has the advice
	}
	return checks
}

// requestReasons says which check a refusal of package soap is of.
var requestReasons = map[soap.Reason]string{
	soap.Malformed: checkXML, soap.NotSOAP: checkEnvelope, soap.VersionMismatch: checkEnvelope, soap.BadEnvelope: checkEnvelope, soap.NoBody: checkEnvelope,
	soap.NotUnderstood: checkBlocks, soap.NoSecurity: checkSecurity, soap.BadSecurity: checkSecurity, soap.UnsupportedToken: checkToken, soap.BadToken: checkToken,
	soap.BadTimestamp: checkTimestamp, soap.Expired: checkFresh, soap.NotYetValid: checkFresh, soap.UntrustedToken: checkSender,
	soap.UnsupportedAlgorithm: checkToken, soap.BadSignature: checkSignature, soap.NotCovered: checkCovers,
}

// codeChecks says which check a code is of. REQ-01 is queryInner once the holder is known.
var codeChecks = map[sts.Code]string{
	sts.VersionUnsupported: queryForm, sts.RequestMalformed: queryForm, sts.QueryUnsupported: queryForm, sts.RequestNotFresh: queryFresh,
	sts.ConfirmationFailed: queryConfirmed, sts.HolderNotTrusted: queryHolder, sts.SubjectMismatch: querySubject, sts.IssuerMismatch: queryIssuer,
	sts.WindowInvalid: queryWindow, sts.IdentificationFailed: queryIdentification, sts.NothingAsked: queryAsked, sts.AttributeUnknown: queryKnown,
}

// codeAdvice says what a client can do about a code.
var codeAdvice = map[sts.Code]string{
	sts.VersionUnsupported:   "MajorVersion and MinorVersion are 1",
	sts.RequestMalformed:     "follow the schema of SAML 1.1: ds:Signature first, then AttributeQuery",
	sts.QueryUnsupported:     "send an AttributeQuery",
	sts.RequestNotFresh:      "IssueInstant is the moment of sending, in UTC: compare the clocks (wsc clock)",
	sts.ConfirmationFailed:   "holder-of-key, with the holder's certificate in KeyInfo and one unsigned assertion about the sender; where two certificates are used the holder's key signs the samlp:Request, after which it may not change",
	sts.HolderNotTrusted:     "the holder's certificate is a valid one of an authority that the STS trusts for it; its operator has stsd cert explain",
	sts.SubjectMismatch:      "NameIdentifier is the subject and NameQualifier the issuer of the certificate that signs the message, in both subjects",
	sts.IssuerMismatch:       "Issuer of the assertion about the sender is the subject of his certificate, or a name that the STS was told of (--client-name)",
	sts.WindowInvalid:        "NotBefore is now, NotOnOrAfter after it, both in UTC, and there is no audience",
	sts.IdentificationFailed: "the values of identification attributes are those of the certificates, and each that is asked for is given",
	sts.NothingAsked:         "add AttributeDesignators",
	sts.AttributeUnknown:     "look up AttributeName and AttributeNamespace: one of them is misspelt, or the STS does not know it",
	sts.AttributeDenied:      "ask the operator of the STS for a profile that has the attribute",
	sts.SourceUnavailable:    "try later: a register did not answer the STS",
	sts.IssuanceFailed:       "try later, and tell the operator of the STS the audit id",
}

// adviceOf is for a StatusMessage.
func adviceOf(message string) string {
	for _, code := range sts.Codes() {
		if strings.HasPrefix(message, code.String()) {
			return codeAdvice[code]
		}
	}
	return ""
}

// The checks of a call, in the order of the guard.
const (
	callToken     = "the signature is of the profile and refers to the assertion beside it"
	callAssertion = "an assertion in the shape of the wire"
	callIssuer    = "the issuer of the assertion is the expected one"
	callWindow    = "the assertion is valid at the moment"
	callAudience  = "the assertion is for this service"
	callConfirmed = "the subject is confirmed by holder-of-key"
	callSigned    = "the assertion has one signature, over itself, of the profile"
	callSTS       = answerSTS
	callIntact    = answerIntact
	callHolder    = queryHolder
	callSignature = "the message is signed with the holder's key by an admitted algorithm, and nothing changed it"
	callCovers    = "the signature covers Body and Timestamp"
	callOpen      = "the message was not seen before, and the caller is admitted"
)

func callChecks() []check {
	return append(requestChecks()[:6:6], []check{
		{callToken, "sign with the holder's key, name the AssertionID in KeyInfo, and send no BinarySecurityToken"},
		{callAssertion, "keep the assertion byte for byte as the STS wrote it"},
		{callIssuer, "ask the STS that the service trusts, or say its name with --issuer"},
		{callWindow, "ask for a new token in time; compare the clocks (wsc clock)"},
		{callAudience, "ask for a token for this service; --audience names it here"},
		{callConfirmed, "only holder-of-key tokens are admitted"},
		{callSigned, "keep the assertion byte for byte as the STS wrote it; --sha1 judges for a service that admits SHA-1"},
		{callSTS, "ask the STS that the service trusts; after a rollover the service must know the new certificate"},
		{callIntact, "keep the assertion byte for byte as the STS wrote it: no pretty-printer, no other prefixes"},
		{callHolder, "the token is bound to a valid certificate of an authority that the service trusts"},
		{callSignature, "sign with the key of the certificate in the assertion, and change nothing after"},
		{callCovers, "sign Body and Timestamp, each by its wsu:Id"},
		{callOpen, "the rules are the service's"},
	}...)
}

// callReasons says which check a refusal of the guard is of, once the message was read:
// the first at which it can come up, so that no check is said to hold that was not reached.
var callReasons = map[wsp.Reason]string{
	wsp.Unconfigured: checkXML, wsp.BadMessage: checkXML, wsp.BadSecurity: callToken, wsp.UnsupportedToken: callToken, wsp.MessageExpired: checkFresh, wsp.MessageNotYetValid: checkFresh,
	wsp.BadAssertion: callAssertion, wsp.WrongIssuer: callIssuer, wsp.AssertionNotYetValid: callWindow, wsp.AssertionExpired: callWindow, wsp.WrongAudience: callAudience,
	wsp.UnconfirmedSubject: callConfirmed, wsp.UnsignedAssertion: callSigned, wsp.UntrustedSTS: callSTS, wsp.UnsupportedAlgorithm: callSigned, wsp.BadAssertionSignature: callSigned,
	wsp.UntrustedHolder: callHolder, wsp.BadSignature: callToken, wsp.NotCovered: callCovers,
	wsp.Replayed: callOpen, wsp.ReplayUnavailable: callOpen, wsp.MissingAttribute: callOpen, wsp.Denied: callOpen, wsp.NoDecision: callOpen,
}

// callCheck finds the check of a refusal, -1 for one that no configuration of ours meets.
func callCheck(checks []check, err error) int {
	reason := wsp.ReasonOf(err)
	name := callReasons[reason]
	var message *soap.Error
	switch of := errors.As(err, &message); {
	case of && message.Reason == soap.BadTimestamp:
		name = checkTimestamp
	case of && reason == wsp.UnsupportedAlgorithm:
		name = callToken
	case reason == wsp.BadAssertionSignature && mismatch(err):
		name = callIntact
	case reason == wsp.BadSignature && mismatch(err):
		name = callSignature
	case name == "":
		return -1
	}
	return locate(checks, name)
}

// mismatch reports that a key that was believed did not make the signature, or not over
// this: all checks before that held.
func mismatch(err error) bool {
	var e *xmlsec.Error
	return errors.As(err, &e) && (e.Reason == xmlsec.DigestMismatch || e.Reason == xmlsec.SignatureMismatch)
}

// The checks of an answer, in the order of the client.
const (
	answerOne       = "one assertion at most"
	answerForm      = "a samlp:Response"
	answerOurs      = "it answers the request"
	checkSuccess    = "the STS granted the query"
	answerThere     = "there is an assertion in it"
	answerAlone     = "the assertion stands on its own, in the form of SAML 1.1"
	answerSigned    = "the assertion has one signature, over itself, of the profile"
	answerSTS       = "the assertion is signed by a trusted STS"
	answerIntact    = "the signature of the assertion verifies: nothing changed it"
	answerIssuer    = "the issuer of the assertion is the expected one"
	answerWindow    = "the assertion is valid at the moment"
	answerConfirmed = "the subject is confirmed by holder-of-key"
	answerHolder    = "it is bound to the holder's certificate"
	answerSubject   = "it is about the sender"
	answerComplete  = "it answers every attribute that was asked for"
)

// answerChecks gives those that apply: some are of answers and not of an assertion alone,
// some want to know what was asked.
func answerChecks(soap, response, asked bool) []check {
	all := []check{
		{checkEnvelope, "the server is no STS, or failed before it could answer"},
		{answerOne, "no STS sends two: somebody changed the answer"},
		{answerForm, "the server is no STS of SAML 1.1"},
		{answerOurs, "the answer is to another request: of a proxy that keeps answers, say"},
		{checkSuccess, ""},
		{answerThere, "tell the operator of the STS the audit id"},
		{answerAlone, "keep the assertion byte for byte as the STS wrote it"},
		{answerSigned, "keep the assertion byte for byte as the STS wrote it; --sha1 admits SHA-1"},
		{answerSTS, "if the STS has a new certificate, get it from its operator"},
		{answerIntact, "keep the assertion byte for byte as the STS wrote it: no pretty-printer, no other prefixes"},
		{answerIssuer, "say the right name with --issuer"},
		{answerWindow, "ask for a new token; compare the clocks (wsc clock)"},
		{answerConfirmed, "only holder-of-key tokens are of use"},
		{answerHolder, "the request named another certificate"},
		{answerSubject, "the token is somebody else's: tell the operator of the STS"},
		{answerComplete, "tell the operator of the STS"},
	}
	return slices.DeleteFunc(all, func(c check) bool {
		switch c.name {
		case checkEnvelope:
			return !soap
		case answerOne, answerForm, checkSuccess, answerThere:
			return !response
		case answerOurs, answerComplete:
			return !response || !asked
		case answerHolder, answerSubject:
			return !asked
		}
		return false
	})
}

// answerReasons says which check a refusal of the client is of: the first at which it can
// come up.
var answerReasons = map[wsc.Reason]string{
	wsc.NotXML: checkEnvelope, wsc.TooLarge: checkEnvelope, wsc.NotSOAP: checkEnvelope, wsc.BadStatus: checkEnvelope, wsc.SeveralAssertions: answerOne, wsc.NotResponse: answerForm,
	wsc.WrongInResponseTo: answerOurs, wsc.WrongRecipient: answerOurs, wsc.NoAssertion: answerThere, wsc.NotSelfContained: answerAlone, wsc.BadAssertion: answerAlone, wsc.HasComment: answerSigned,
	wsc.NotSigned: answerSigned, wsc.BadSignature: answerSigned, wsc.UntrustedSigner: answerSTS, wsc.WrongIssuer: answerIssuer, wsc.NotValidNow: answerWindow, wsc.ClockOff: answerWindow,
	wsc.WrongConfirmation: answerConfirmed, wsc.WrongHolder: answerHolder, wsc.WrongSubject: answerSubject, wsc.MissingAttribute: answerComplete,
}

func bothRoles() []certs.Role { return []certs.Role{certs.RoleHolder, certs.RoleIdentity} }

// meaningsOf lists the reasons for which a server of ours writes a fault.
func meaningsOf(f *wsc.Fault) []string {
	var all []string
	add := func(text string, made soap.Fault) {
		if made.Code.Local == f.Code.Local && made.SOA.Code == f.SOACode && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	for r := soap.Malformed; r <= soap.NoReplayState; r++ {
		add(r.String(), soap.FaultOf(&soap.Error{Reason: r}))
	}
	for r := wsp.Unconfigured; r <= wsp.NoDecision; r++ {
		if callReasons[r] != "" {
			add(r.String(), wsp.FaultOf(&wsp.Error{Reason: r}))
		}
	}
	return all
}

func writeList(out io.Writer, title string, all []string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(out, title)
	for _, text := range all {
		fmt.Fprintf(out, "  - %s\n", text)
	}
}
