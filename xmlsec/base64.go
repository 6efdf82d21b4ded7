package xmlsec

import (
	"bytes"
	"encoding/base64"
	"slices"
)

var strictBase64 = base64.StdEncoding.Strict()

// AppendBase64 decodes base64 text (RFC 4648 section 4, padded) and appends the
// octets to dst. White space is passed over, the carriage returns that Java leaves
// as &#13; included. Anything else that is not base64 is an *Error with BadBase64.
func AppendBase64(dst, text []byte) ([]byte, error) {
	if bytes.IndexByte(text, ' ') >= 0 || bytes.IndexByte(text, '\t') >= 0 {
		stripped := make([]byte, 0, len(text))
		for _, b := range text {
			if b != ' ' && b != '\t' {
				stripped = append(stripped, b)
			}
		}
		text = stripped
	}
	// The decoder itself passes over CR and LF.
	n := strictBase64.DecodedLen(len(text))
	dst = slices.Grow(dst, n)
	m, err := strictBase64.Decode(dst[len(dst):len(dst)+n], text)
	if err != nil {
		return nil, refuse(BadBase64, "")
	}
	return dst[:len(dst)+m], nil
}
