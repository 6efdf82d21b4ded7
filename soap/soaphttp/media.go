package soaphttp

import "bytes"

// isSOAP11 reports whether a Content-Type is that of a SOAP 1.1 message in UTF-8:
// text/xml, with a charset of UTF-8 or none (RFC 3023 would have none mean US-ASCII,
// a subset). application/soap+xml is SOAP 1.2; multipart and XOP are refused.
func isSOAP11(contentType []byte) bool {
	mediaType, parameters, _ := bytes.Cut(contentType, []byte{';'})
	if !equalFold(bytes.TrimSpace(mediaType), "text/xml") {
		return false
	}
	for len(parameters) > 0 {
		var parameter []byte
		parameter, parameters, _ = bytes.Cut(parameters, []byte{';'})
		name, value, _ := bytes.Cut(parameter, []byte{'='})
		if !equalFold(bytes.TrimSpace(name), "charset") {
			continue
		}
		value = bytes.TrimSpace(value)
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		if !equalFold(value, "utf-8") {
			return false
		}
	}
	return true
}

// equalFold compares ASCII without regard to case; lower is in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
