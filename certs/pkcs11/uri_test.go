package pkcs11_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sceau/certs/pkcs11"
)

func TestParseURI(t *testing.T) {
	slot := uint(7)
	tests := []struct {
		name, text string
		want       pkcs11.URI // zero is refused
	}{
		{"RFC 7512 section 3", "pkcs11:object=my-pubkey;type=private", pkcs11.URI{Object: "my-pubkey"}},
		{"escapes", "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;id=%69%00%ff;object=a/b:c?pin-source=file:/etc/token_pin",
			pkcs11.URI{Token: "The Software PKCS#11 Softtoken", ID: "i\x00\xff", Object: "a/b:c", PINSource: "/etc/token_pin"}},
		{"everything", "PKCS11:token=t;manufacturer=m;model=o;serial=s;slot-id=7;object=k;id=%01?module-path=/usr/lib/p.so&pin-source=pin",
			pkcs11.URI{Token: "t", Manufacturer: "m", Model: "o", Serial: "s", Slot: &slot, Object: "k", ID: "\x01", ModulePath: "/usr/lib/p.so", PINSource: "pin"}},
		{"file with an authority", "pkcs11:object=k?pin-source=file:///p", pkcs11.URI{Object: "k", PINSource: "/p"}},
		{"PIN in the URI: a secret in a file that many read", "pkcs11:object=k?pin-value=1234", pkcs11.URI{}},
		{"PIN of a program", "pkcs11:object=k?pin-source=|/bin/echo", pkcs11.URI{}},
		{"unknown attribute: what it excludes would be taken", "pkcs11:object=k;library-version=3", pkcs11.URI{}},
		{"vendor attribute", "pkcs11:object=k?x-pin=1", pkcs11.URI{}},
		{"twice: two readers, two keys", "pkcs11:object=k;object=l", pkcs11.URI{}},
		{"query attribute in the path", "pkcs11:module-path=/m", pkcs11.URI{}},
		{"path attribute in the query", "pkcs11:token=t?object=k", pkcs11.URI{}},
		{"a public key", "pkcs11:object=k;type=public", pkcs11.URI{}},
		{"empty value", "pkcs11:object=", pkcs11.URI{}},
		{"no value", "pkcs11:object", pkcs11.URI{}},
		{"bad escape", "pkcs11:object=%zz", pkcs11.URI{}},
		{"NUL in a name: C would stop there", "pkcs11:object=k%00l", pkcs11.URI{}},
		{"slot out of range", "pkcs11:slot-id=4294967296", pkcs11.URI{}},
		{"longer than it may be once it is escaped", "pkcs11:object=" + strings.Repeat("\xe5", 2000), pkcs11.URI{}},
		{"another scheme", "file:/k", pkcs11.URI{}},
		{"too long", "pkcs11:object=" + strings.Repeat("k", 5000), pkcs11.URI{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pkcs11.ParseURI(tt.text)
			if refused := reflect.DeepEqual(tt.want, pkcs11.URI{}); refused != (err != nil) || !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("%+v, %v", got, err)
			}
			if err != nil && !errors.Is(err, pkcs11.ErrURI) {
				t.Error(err)
			}
			if err != nil && strings.Contains(err.Error(), "1234") {
				t.Errorf("tells the PIN: %v", err)
			}
		})
	}
}

// TestOpenWantsAName: a URI that does not name one key opens none.
func TestOpenWantsAName(t *testing.T) {
	for _, text := range []string{"pkcs11:object=k;token=t?pin-source=p", "pkcs11:object=k?module-path=/m&pin-source=p",
		"pkcs11:token=t?module-path=/m&pin-source=p", "pkcs11:token=t;object=k?module-path=/m"} {
		uri, err := pkcs11.ParseURI(text)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := pkcs11.Open(pkcs11.Config{URI: uri}); key != nil || !errors.Is(err, pkcs11.ErrURI) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzParseURI: what is read is written to the same, and nothing is read from what is refused.
func FuzzParseURI(f *testing.F) {
	f.Add("pkcs11:token=t;slot-id=1;object=%20k;id=%01%ff?module-path=/m&pin-source=file:/p")
	f.Add("pkcs11:pin-value=1")
	f.Add("pkcs11:?&;=")
	f.Add("pkcs11:object=" + strings.Repeat("\xe5", 2000))
	f.Add("pkcs11:object=k?pin-source=file:file:p")
	f.Add("pkcs11:object=k?pin-source=file:|p")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := pkcs11.ParseURI(text)
		if err != nil {
			if !reflect.DeepEqual(u, pkcs11.URI{}) {
				t.Fatalf("refused, and read %+v", u)
			}
			return
		}
		again, err := pkcs11.ParseURI(u.String())
		if err != nil || !reflect.DeepEqual(u, again) {
			t.Fatalf("%q: %+v, then from %q: %+v, %v", text, u, u.String(), again, err)
		}
	})
}
