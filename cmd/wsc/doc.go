// Command wsc is the web service consumer in a shell: it asks a security token
// service for a SAML 1.1 token, calls services with it, gives old clients an endpoint that
// does so for them, and explains messages.
//
//	wsc token --sts URL --identity FILE --holder FILE --trust FILE --app APP1 --out token.xml
//	wsc show token.xml --trust FILE
//	wsc explain request.xml
//	wsc call --url URL --action URI --token token.xml --holder FILE body.xml
//	wsc proxy --to URL --sts URL --identity FILE --holder FILE --trust FILE --app APP1
//	wsc clock --sts URL
//	wsc version
//
// Keys are PEM or PKCS #12 files, or lie on a PKCS #11 token; a passphrase or PIN is read
// from a file, never from the command line. What is written is readable by its owner
// only. docs/wsc.md is the page for people.
//
// # Exit status
//
//	0  done
//	1  a file, key, store or configuration is not in order; nothing was sent
//	2  the command line is wrong
//	3  the server refused: a SAML status or a SOAP fault
//	4  the server could not be reached, or did not answer with SOAP
//	5  what came back, or the assertion that is shown, does not verify; a message that is
//	   explained fails a check
//	6  the server's clock is too far from ours
package main
