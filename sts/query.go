package sts

import (
	"bytes"
	"errors"
	"time"

	"sceau/saml"
	"sceau/soap"
)

// Actions of the platform's WSDLs. A client may send none, an empty one, or that of
// an older WSDL; the body element alone decides what is done.
const actionPrefix = "urn:be:fgov:ehealth:sts:protocol:v1:"

var queryActions = [...]string{"RequestSecurityToken", "RequestSecureToken", "AttributeQuery"}

// actionFits reports whether a SOAPAction may stand with an attribute query: absent,
// empty, or one of the names that clients are seen to send. One that names another
// operation is refused, so that nobody behind or before us is made to believe it
// (attacks.md W23).
func actionFits(action []byte) bool {
	action = bytes.Trim(action, `" `)
	if len(action) == 0 {
		return true
	}
	name := bytes.TrimPrefix(action, []byte(actionPrefix)) // MyCareNet's WSDL has no prefix
	for _, known := range queryActions {
		if string(name) == known {
			return true
		}
	}
	return false
}

// A dispatchError is a message that is signed as it should be and is not for us.
type dispatchError struct{ cause string }

func (e *dispatchError) Error() string { return "sts: " + e.cause }

// faultOf returns what a stranger is told about a failure before the query was known.
func faultOf(failure error) soap.Fault {
	var dispatch *dispatchError
	if errors.As(failure, &dispatch) {
		return soap.Fault{Code: soap.FaultClient, SOA: soap.SOAWSDL}
	}
	return soap.FaultOf(failure)
}

// query reads the samlp:Request from the signed body, the only body there is.
func (r *road) query(signed *soap.Signed, message *Message) (*saml.Request, error) {
	r.stage = "query"
	r.event.MessageDigest = signed.Digest()
	body := signed.Body()
	if !body.Is(saml.NamespaceProtocol, "Request") {
		return nil, &dispatchError{"the body is no samlp:Request"}
	}
	if !actionFits(message.Action) {
		return nil, &dispatchError{"the SOAPAction names another operation"}
	}
	r.answered = true
	r.request.RequestID = saml.RequestIDOf(body)
	r.event.RequestID = r.request.RequestID
	if err := saml.ParseRequest(body, &r.request); err != nil {
		r.request.RequestID = saml.RequestIDOf(body)
		var reading *saml.Error
		if errors.As(err, &reading) {
			return nil, readingRefusal(reading)
		}
		return nil, refuseFor(RequestMalformed, err)
	}
	if len(r.request.Designators()) > r.MaxDesignators {
		return nil, refuse(RequestMalformed, "too many designators")
	}
	if !r.around(r.request.IssueInstant) {
		return nil, refuse(RequestNotFresh, "IssueInstant of the request")
	}
	return &r.request, nil
}

// around reports whether a moment that the client wrote is now, as far as message
// lifetimes and clocks admit.
func (r *road) around(at time.Time) bool {
	t := &r.Security.Timestamp
	return !at.After(r.now.Add(t.Skew)) && at.After(r.now.Add(-t.Skew-t.MaxLifetime))
}
