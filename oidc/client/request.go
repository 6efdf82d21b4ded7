package client

import (
	"bytes"
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Bounds of a request.
const (
	maxParameters = 100
	maxBasic      = 4 << 10
)

// assertionType is the client_assertion_type of RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// repeatable are the parameters that may stand more than once (RFC 8693 section 2.1, RFC 8707 section 2).
var repeatable = []string{"audience", "resource"}

// Credentials are what a request brings to authenticate, before any of it is believed.
type credentials struct {
	header    bool          // there is an Authorization header
	readings  []credential  // of Basic
	id        string        // client_id of the form
	secret    string        // client_secret
	assertion string        // client_assertion
	certs     [][]byte      // of the connection
	method    presentedWith //
}

// A credential is a client_id with a client_secret.
type credential struct{ id, secret string }

type presentedWith uint8

const (
	byName presentedWith = iota // client_id alone, perhaps with a certificate
	byBasic
	byPost
	byAssertion
)

// read reads what a request brings. It parses the form of r, which a later reader finds parsed.
func (o *Options) read(r *http.Request) (c credentials, err *Error) {
	headers := r.Header.Values("Authorization")
	c.header = len(headers) > 0
	malformed := func(reason Reason, text string) (credentials, *Error) {
		return credentials{}, &Error{Reason: reason, Err: errors.New(text), header: len(headers) > 0}
	}
	if r.Method != http.MethodPost {
		return malformed(Malformed, "not POST")
	}
	// RFC 6749 section 2.3.1: credentials are never in the address; and a reader that joins query and form would see
	// another request than this one.
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return malformed(Malformed, "parameters in the address")
	}
	kinds := r.Header.Values("Content-Type")
	if len(kinds) != 1 {
		return malformed(Malformed, "not one Content-Type")
	}
	kind, parameters, failed := mime.ParseMediaType(kinds[0])
	if failed != nil || kind != "application/x-www-form-urlencoded" {
		return malformed(Malformed, "not a form")
	}
	if charset, said := parameters["charset"]; said && !strings.EqualFold(charset, "utf-8") {
		return malformed(Malformed, "a form in another character set than UTF-8")
	}
	if failed := o.parse(r); failed != nil {
		return malformed(Malformed, "a form that cannot be read")
	}
	if len(r.PostForm) > maxParameters {
		return malformed(Malformed, "too many parameters")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return malformed(Repeated, "a parameter that stands twice")
		}
	}

	c.id, c.secret, c.assertion = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), r.PostForm.Get("client_assertion")
	given := r.PostForm.Get("client_assertion_type")
	methods := 0
	if c.header {
		methods++
		c.method = byBasic
	}
	if c.secret != "" { // RFC 6749 section 3.2: a parameter without a value is none
		methods++
		c.method = byPost
	}
	if c.assertion != "" || given != "" {
		methods++
		c.method = byAssertion
	}
	if methods > 1 || len(headers) > 1 {
		return malformed(SeveralMethods, "more than one way to authenticate")
	}
	switch c.method {
	case byBasic:
		var ok bool
		if c.readings, ok = readBasic(headers[0]); !ok {
			return malformed(UnknownScheme, "neither Basic nor readable")
		}
	case byPost:
		if len(c.secret) > maxSecret {
			return malformed(WrongSecret, "too long")
		}
	case byAssertion:
		if given != assertionType || c.assertion == "" {
			return malformed(BadAssertion, "not a client assertion of the type jwt-bearer")
		}
	}
	c.certs = o.PeerCertificates(r)
	return c, nil
}

// parse reads the form of a body as r.ParseForm does, but into one buffer that grows with what comes: room for what is announced and
// never sent is 64 KiB of ours for 15 octets of a stranger, on each of the streams of a connection of HTTP/2. The address has no
// parameters: read has seen to it.
func (o *Options) parse(r *http.Request) error {
	if r.PostForm != nil || r.Body == nil {
		return r.ParseForm()
	}
	r.Body = http.MaxBytesReader(nil, r.Body, o.MaxBody)
	var b bytes.Buffer
	_, err := b.ReadFrom(r.Body)
	r.PostForm = url.Values{} // whoever reads on finds a form, and does not read the body again
	if err == nil {
		r.PostForm, err = url.ParseQuery(b.String())
	}
	if r.Form == nil {
		r.Form = r.PostForm
	}
	return err
}

// readBasic reads an Authorization header. RFC 6749 section 2.3.1 has client_id and client_secret form-encoded in it; many clients
// send both as they are. The readings are the encoded one and, where it is another, the raw one; each is exact, and none is of
// half and half.
func readBasic(header string) (readings []credential, ok bool) {
	if len(header) > maxBasic {
		return nil, false
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil, false
	}
	octets, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(rest, " "))
	if err != nil || strings.ContainsAny(header, "\r\n") { // encoding/base64 passes over them
		return nil, false
	}
	text := string(octets)
	id, secret, found := strings.Cut(text, ":")
	if !found || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return nil, false
	}
	decodedID, err1 := url.QueryUnescape(id)
	decodedSecret, err2 := url.QueryUnescape(secret)
	if err1 == nil && err2 == nil {
		readings = append(readings, credential{decodedID, decodedSecret})
	}
	if raw := (credential{id, secret}); len(readings) == 0 || readings[0] != raw {
		readings = append(readings, raw)
	}
	return readings, true
}

// handshake gives the certificates of a TLS connection. Go's server has verified that the client has the key of the first, in
// TLS 1.3 and before it by CertificateVerify, whatever its ClientAuth says about trust.
func handshake(r *http.Request) [][]byte {
	if r.TLS == nil {
		return nil
	}
	var all [][]byte
	for _, c := range r.TLS.PeerCertificates {
		all = append(all, c.Raw)
	}
	return all
}
