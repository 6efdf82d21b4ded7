package echo

import (
	"net/http"
	"strconv"
	"time"

	"sceau/soap"
	"sceau/wsp"
	"sceau/xmlsec/c14n"
)

// Namespace is that of the elements of the answer.
const Namespace = "urn:sceau:echo:1.0"

// Handler gives the service, guarded.
func Handler(guard *wsp.Guard) http.Handler { return guard.Handler(http.HandlerFunc(serve)) }

func serve(w http.ResponseWriter, r *http.Request) {
	answer := Append(nil, wsp.CallerFrom(r.Context()))
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.Write(answer) // a client that went away is its own affair
}

// Append appends the whole answer to a caller, a SOAP message, to dst. Nobody is
// answered that he is nobody, with an empty Caller and Content.
func Append(dst []byte, caller *wsp.Caller) []byte {
	dst = soap.AppendOpen(dst)
	dst = append(dst, `<echo:EchoResponse xmlns:echo="`+Namespace+`">`...)
	if caller.IsZero() {
		dst = append(dst, `<echo:Caller></echo:Caller>`...)
	} else {
		dst = appendCaller(dst, caller)
	}
	dst = append(dst, `<echo:Content>`...)
	dst = caller.AppendBody(dst) // canonical: it brings its own declarations
	dst = append(dst, `</echo:Content></echo:EchoResponse>`...)
	return soap.AppendClose(dst)
}

func appendCaller(dst []byte, caller *wsp.Caller) []byte {
	_, until := caller.Validity()
	dst = append(dst, `<echo:Caller AssertionID="`...)
	dst = c14n.AppendValue(dst, caller.AssertionID())
	dst = append(dst, `" NotOnOrAfter="`...)
	dst = until.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `"><echo:Subject NameQualifier="`...)
	subject := caller.Subject()
	dst = c14n.AppendValue(dst, subject.Qualifier)
	dst = append(dst, `">`...)
	dst = c14n.AppendText(dst, subject.Name)
	dst = append(dst, `</echo:Subject><echo:Holder Kind="`...)
	holder := caller.Holder()
	kind, identifier := holder.Identifier()
	dst = c14n.AppendValue(dst, holder.Kind().String())
	dst = append(dst, `" Type="`...)
	dst = c14n.AppendValue(dst, string(kind))
	dst = append(dst, `">`...)
	dst = c14n.AppendText(dst, identifier)
	dst = append(dst, `</echo:Holder>`...)
	for a := range caller.Attributes() {
		dst = append(dst, `<echo:Attribute Name="`...)
		dst = c14n.AppendValue(dst, a.Name)
		dst = append(dst, `" Namespace="`...)
		dst = c14n.AppendValue(dst, a.Namespace)
		dst = append(dst, `">`...)
		for value := range a.Values() {
			dst = append(dst, `<echo:Value>`...)
			dst = c14n.AppendText(dst, value)
			dst = append(dst, `</echo:Value>`...)
		}
		dst = append(dst, `</echo:Attribute>`...)
	}
	return append(dst, `</echo:Caller>`...)
}
