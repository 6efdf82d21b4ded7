package main

import (
	"crypto/x509"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// FuzzClientCertificate: what is read of a header is one certificate, or nothing.
func FuzzClientCertificate(f *testing.F) {
	p := newPKI(f)
	f.Add(escaped(p.holder))
	f.Add(escaped(p.holder) + escaped(p.sts))
	f.Add("-----BEGIN%20CERTIFICATE-----%0AAAAA%0A-----END%20CERTIFICATE-----%0A")
	f.Add("%zz")
	f.Fuzz(func(t *testing.T, value string) {
		der, err := shownCertificate([]string{value})
		if err != nil {
			if der != nil {
				t.Fatal("octets beside an error")
			}
			return
		}
		if _, err := x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzSessionToken: no text opens a session but one of ours, as it was signed. (The last character of base64 has bits that mean nothing.)
func FuzzSessionToken(f *testing.F) {
	r := start(f, authorizing)
	m, now := r.current.Load().minter, time.Now()
	caller, err := r.current.Load().guard.Admit(r.call(f), now)
	if err != nil {
		f.Fatal(err)
	}
	token, _, err := m.session(caller, "1", duration(time.Minute), now)
	if err != nil {
		f.Fatal(err)
	}
	honest, err := m.open(token, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(token[:len(token)-1])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Add(strings.ToUpper(token))
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := m.open(text, now); err == nil && !reflect.DeepEqual(s, honest) || err != nil && s != nil {
			t.Fatalf("%q: %v, %v", text, s, err)
		}
	})
}

// TestGuide: the configuration of the guide, with what it leaves out, is one.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guard.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(listen.*?)```").FindAllSubmatch(guide, -1)
	if len(blocks) != 1 {
		t.Fatal(len(blocks), "configurations")
	}
	rest := guarded[strings.Index(guarded, "issuers:"):strings.Index(guarded, "audit:")]
	if _, err := parseConfig([]byte(string(blocks[0][1]) + rest)); err != nil {
		t.Error(err)
	}
}
