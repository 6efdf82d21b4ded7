package client

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// TestParse: a form is read as net/http reads it, whatever length was announced.
func TestParse(t *testing.T) {
	const most = 9000
	o := &Options{MaxBody: most}
	for _, body := range []string{
		"", "a=b", "a=b&a=c&resource=x%20y+z", "a=%zz&b=c", "a;b=c", "=&&", "assertion=" + strings.Repeat("x", 8000),
		"a=" + strings.Repeat("x", most-2), "a=" + strings.Repeat("x", most-1), strings.Repeat("a=b&", most),
	} {
		for _, length := range []int64{int64(len(body)), -1, 0, 1, 1 << 50} {
			request := func(body string) (form, both any, err error) {
				r := httptest.NewRequest("POST", "/token", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.ContentLength = length
				err = o.parse(r)
				if again := o.parse(r); again != nil {
					t.Errorf("a form is read again: %v", again)
				}
				return r.PostForm, r.Form, err
			}
			want := httptest.NewRequest("POST", "/token", strings.NewReader(body))
			want.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			refused := want.ParseForm() != nil || len(body) > most
			form, both, err := request(body)
			if (err != nil) != refused {
				t.Errorf("%.20q of %d octets, %d announced: %v", body, len(body), length, err)
			}
			if err == nil && (!reflect.DeepEqual(form, any(want.PostForm)) || !reflect.DeepEqual(both, any(want.Form))) {
				t.Errorf("%.20q: %v, want %v", body, form, want.PostForm)
			}
		}
	}
	r := httptest.NewRequest("POST", "/token", nil)
	r.Body = nil
	if o.parse(r) == nil {
		t.Error("no body is a form")
	}
}
