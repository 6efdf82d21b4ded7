// Package wsdl is the description of the SAML 1.1 security token service for programs
// that make clients out of descriptions: a WSDL 1.1 document, and the XML schemas of its
// messages.
//
// The names are those of the platform's description, version 1.2 (wire document 1.1), so
// that a client made of that one speaks to this service and the other way round. The
// text is our own.
//
//	?wsdl            Document: one operation, document/literal over SOAP 1.1
//	?xsd=protocol    Schemas: samlp:Request and samlp:Response
//	?xsd=assertion   what stands in them
//	?xsd=xmldsig     the signatures in them
//
// The schemas are a profile of SAML 1.1 and XML Signature: they describe what the service
// reads and writes and nothing else of those standards. Whatever is valid under them is
// valid under the schemas of OASIS and W3C; the tests hold messages against both.
//
// The WS-SecurityPolicy stands on the input message alone: the answer is not signed as a
// message, only the assertion in it is. Its algorithm suite is Basic256, as the platform
// names it; that suite means SHA-1, which this service refuses unless its configuration
// says otherwise, so the document says beside it what to sign with.
package wsdl
