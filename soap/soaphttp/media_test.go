package soaphttp

import (
	"strings"
	"testing"
)

// FuzzMediaType: whatever is taken for SOAP 1.1 says text/xml, and no charset but UTF-8.
func FuzzMediaType(f *testing.F) {
	for _, seed := range []string{"text/xml", "text/xml; charset=utf-8", `Text/XML ;charset = "UTF-8"`, "text/xml;charset=utf-16", "multipart/related", ";;=", `text/xml;charset="`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if !isSOAP11([]byte(header)) {
			return
		}
		lower := strings.ToLower(header)
		if !strings.HasPrefix(strings.TrimSpace(lower), "text/xml") {
			t.Errorf("%q", header)
		}
		for _, parameter := range strings.Split(lower, ";")[1:] {
			name, value, _ := strings.Cut(parameter, "=")
			if strings.TrimSpace(name) == "charset" && strings.Trim(strings.TrimSpace(value), `"`) != "utf-8" {
				t.Errorf("%q", header)
			}
		}
	})
}
