// Package echo is a small guarded service: it answers what a web service provider
// learns of a call. The body element comes back, with who called and with which
// attributes. The demonstration, cmd/wspd and tests use it.
//
//	http.Serve(listener, echo.Handler(guard))
//
// The answer is one EchoResponse element in the namespace [Namespace]:
//
//	<EchoResponse>
//	  <Caller AssertionID="…" NotOnOrAfter="…">
//	    <Subject NameQualifier="…">…</Subject>
//	    <Holder Kind="ehealth-person" Type="SSIN">…</Holder>
//	    <Attribute Name="…" Namespace="…"><Value>true</Value></Attribute>
//	  </Caller>
//	  <Content>the body element</Content>
//	</EchoResponse>
//
// It tells a caller about himself and nobody else, and keeps nothing.
package echo
