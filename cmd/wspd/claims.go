package main

import (
	"encoding/json"
	"strconv"

	"github.com/go-jose/go-jose/v4/jwt"

	"sceau/wsp"
)

// claims are what a token says beside the registered claims. Names are those of the standards where they have one. The tags say how they are
// written too: appendClaims does as they do.
type claims struct {
	Confirmation thumbprint       `json:"cnf,omitzero"` // RFC 7800, RFC 8705 section 3.1
	Method       wsp.Confirmation `json:"confirmation_method"`
	Qualifier    string           `json:"sub_qualifier,omitempty"`
	Holder       holderClaim      `json:"holder,omitzero"`
	Assertion    assertionClaim   `json:"assertion"`
	Operation    *operationClaim  `json:"operation,omitempty"`
	Body         string           `json:"body_sha256,omitempty"` // of what is passed on, base64url
	Attributes   []attributeClaim `json:"attributes"`
}

type thumbprint struct {
	X5T string `json:"x5t#S256,omitempty"`
}

type holderClaim struct {
	Kind        string `json:"kind"`
	Type        string `json:"type,omitempty"`
	Identifier  string `json:"identifier,omitempty"`
	Application string `json:"application,omitempty"`
}

type assertionClaim struct {
	ID           string           `json:"id"`
	Issuer       string           `json:"issuer"`
	TokenType    string           `json:"token_type"`
	NotOnOrAfter *jwt.NumericDate `json:"not_on_or_after"`
}

type operationClaim struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type attributeClaim struct {
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	Values    []string `json:"values"`
}

// appendClaims appends both as one JSON object, octet by octet as encoding/json writes it. That took 3 µs in a loop, and 10 between the other work
// of a request.
func appendClaims(dst []byte, r *jwt.Claims, c *claims) []byte {
	dst = appendText(append(dst, `{"iss":`...), r.Issuer)
	dst = appendText(append(dst, `,"sub":`...), r.Subject)
	dst = append(dst, `,"aud":`...)
	if len(r.Audience) == 1 {
		dst = appendText(dst, r.Audience[0])
	} else {
		dst = appendTexts(dst, r.Audience)
	}
	if r.Expiry != nil {
		dst = appendDate(append(dst, `,"exp":`...), r.Expiry)
	}
	dst = appendDate(append(dst, `,"nbf":`...), r.NotBefore)
	dst = appendDate(append(dst, `,"iat":`...), r.IssuedAt)
	dst = appendText(append(dst, `,"jti":`...), r.ID)
	if c.Confirmation != (thumbprint{}) {
		dst = append(appendText(append(dst, `,"cnf":{"x5t#S256":`...), c.Confirmation.X5T), '}')
	}
	dst = appendText(append(dst, `,"confirmation_method":`...), string(c.Method))
	dst = appendSome(dst, `,"sub_qualifier":`, c.Qualifier)
	if h := c.Holder; h != (holderClaim{}) {
		dst = appendText(append(dst, `,"holder":{"kind":`...), h.Kind)
		dst = appendSome(dst, `,"type":`, h.Type)
		dst = appendSome(dst, `,"identifier":`, h.Identifier)
		dst = append(appendSome(dst, `,"application":`, h.Application), '}')
	}
	dst = appendText(append(dst, `,"assertion":{"id":`...), c.Assertion.ID)
	dst = appendText(append(dst, `,"issuer":`...), c.Assertion.Issuer)
	dst = appendText(append(dst, `,"token_type":`...), c.Assertion.TokenType)
	dst = append(appendDate(append(dst, `,"not_on_or_after":`...), c.Assertion.NotOnOrAfter), '}')
	if o := c.Operation; o != nil {
		dst = appendText(append(dst, `,"operation":{"namespace":`...), o.Namespace)
		dst = append(appendText(append(dst, `,"name":`...), o.Name), '}')
	}
	dst = appendSome(dst, `,"body_sha256":`, c.Body)
	dst = appendList(append(dst, `,"attributes":`...), c.Attributes, func(dst []byte, a attributeClaim) []byte {
		dst = appendText(append(dst, `{"name":`...), a.Name)
		dst = appendText(append(dst, `,"namespace":`...), a.Namespace)
		return append(appendTexts(append(dst, `,"values":`...), a.Values), '}')
	})
	return append(dst, '}')
}

// appendText appends a JSON string. What may want an escape is left to encoding/json.
func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // no string is refused
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}

// appendSome appends a member that is left out when it is empty.
func appendSome(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendText(append(dst, name...), text)
}

func appendTexts(dst []byte, texts []string) []byte { return appendList(dst, texts, appendText) }

func appendList[T any](dst []byte, list []T, one func([]byte, T) []byte) []byte {
	if list == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, v)
	}
	return append(dst, ']')
}

// appendDate appends seconds since 1970, whole as jwt.NewNumericDate makes them.
func appendDate(dst []byte, date *jwt.NumericDate) []byte {
	if date == nil {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, int64(*date), 10)
}
