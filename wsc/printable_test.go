package wsc

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		" a \r\n\t b ":             "a b",
		"a\x1b[31mb":               "a[31mb",
		"a\u009b31m\u202eb":        "a31mb",
		"é\u0000\u200bx":           "éx",
		strings.Repeat("é", 1000):  strings.Repeat("é", (maxText-1)/2),
		strings.Repeat("a b", 500): strings.Repeat("a b", 500)[:maxText-1],
	} {
		got := Printable([]byte(in))
		if len(got) > maxText || !utf8.ValidString(got) || got != want && len(in) < 100 || len(in) >= 100 && !strings.HasPrefix(want, got[:len(got)-2]) {
			t.Errorf("Printable(%.20q) = %.20q (%d bytes)", in, got, len(got))
		}
	}
}

func TestReasons(t *testing.T) {
	for r := BadConfig; r <= MissingAttribute; r++ {
		if strings.HasPrefix(r.String(), "reason ") {
			t.Errorf("reason %d has no text", r)
		}
		kinds := 0
		for _, is := range []bool{r.Ours(), r.Transport(), r.Refused()} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("%v is of %d kinds", r, kinds)
		}
	}
	if Reason(0).Ours() || Reason(0).Refused() || Reason(200).String() != "reason 200" {
		t.Error("the zero Reason, or an unknown one")
	}
	e := &Error{Reason: NotXML, Detail: "detail", Err: errNoCertificate}
	if e.Error() != "wsc: answer is not XML: detail: KeyInfo without X509Certificate" || e.Unwrap() != errNoCertificate {
		t.Error(e)
	}
	s := &StatusError{Code: "Requester", SubCode: "RequestDenied", Message: "REQ-13: no", AuditID: "7", CorrelationID: "8"}
	if s.Error() != "wsc: the STS refused the query: Requester/RequestDenied: REQ-13: no (audit id 7) (correlation id 8)" {
		t.Error(s)
	}
}
