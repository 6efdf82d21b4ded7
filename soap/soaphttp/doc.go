// Package soaphttp serves SOAP 1.1 over HTTP (SOAP 1.1 section 6, WS-I Basic Profile
// 1.1 section 3.4) on fasthttp, and alone imports it.
//
// A Server routes by path. A POST goes to the endpoint's Service; GET with ?wsdl
// gives its WSDL, and with ?xsd=NAME a schema that the WSDL imports; OPTIONS on any
// path is answered with the Date that clients set their clocks by. What HTTP can refuse,
// it refuses before a byte of XML is read: a body too large, another media type
// (multipart and XOP included, attacks.md D9), another charset (D7), a content encoding
// (Z6), more requests at once than admitted.
//
// Under more load than it can carry it refuses at once, with SOA-02002 and Retry-After: requests that would wait
// too long for a processor, and large bodies beyond the memory that there is for them. So nobody waits
// without bound, and its memory is at most, for each connection, what a goroutine, the headers, a body of 16 KiB and
// an answer that the peer does not take need, and MaxLargeBodies for all bodies that are longer, besides
// what it costs to answer those that a processor or a source is at work on. Who is refused in the middle of a request is read on for a moment, so that the answer is not
// lost in a reset of the connection.
//
// A Service that panics over one message answers it with a fault; the others go on.
//
// The bytes of a request belong to fasthttp and die when the Service returns.
package soaphttp
