package certs_test

import (
	"bufio"
	"crypto"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sceau/certs"
	"sceau/internal/judge"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
)

// opensslPKI is an authority of today: openssl answers by the clock on the wall.
type opensslPKI struct {
	ca                          *minipki.Authority
	good, revoked, held, nobody []byte
	responderKey                string // files
	responder, caKey, caPEM     string
	index                       string
}

func newOpensslPKI(t *testing.T) *opensslPKI {
	t.Helper()
	key := func(kind minipki.KeyKind) crypto.Signer {
		k, err := minipki.GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	p := &opensslPKI{}
	caKey, delegateKey := key(minipki.RSA2048), key(minipki.P256)
	var err error
	if p.ca, err = minipki.NewRoot(minipki.CA(minipki.DN("C", "BE", "CN", "TEST OCSP Citizen CA"), from, to), caKey); err != nil {
		t.Fatal(err)
	}
	leaf := func(serial int64) []byte {
		template := alice()
		template.Serial = big.NewInt(serial)
		return issue(t, p.ca, template, testpki.Load().OtherKeyP256().Public())
	}
	p.good, p.revoked, p.held, p.nobody = leaf(0x1001), leaf(0x1002), leaf(0x1003), leaf(0x1004)
	delegate := issue(t, p.ca, minipki.OCSPResponder(minipki.DN("C", "BE", "CN", "TEST responder")), delegateKey.Public())
	dir := t.TempDir()
	write := func(name string, content []byte, err error) string {
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	pem, err := minipki.KeyPEM(delegateKey)
	p.responderKey = write("responder.key", pem, err)
	pem, err = minipki.KeyPEM(caKey)
	p.caKey = write("ca.key", pem, err)
	p.responder = write("responder.pem", minipki.CertificatePEM(delegate), nil)
	p.caPEM = write("ca.pem", minipki.CertificatePEM(p.ca.DER()), nil)
	stamp := func(at time.Time) string { return at.UTC().Format("060102150405Z") }
	p.index = write("index.txt", []byte(
		"V\t"+stamp(to)+"\t\t1001\tunknown\t/CN=good\n"+
			"R\t"+stamp(to)+"\t"+stamp(from)+",keyCompromise\t1002\tunknown\t/CN=revoked\n"+
			"R\t"+stamp(to)+"\t"+stamp(from)+",certificateHold\t1003\tunknown\t/CN=held\n"), nil)
	return p
}

// listening is how openssl tells where it listens.
var listening = regexp.MustCompile(`^ACCEPT .*:(\d+)( |$)`)

// respond starts openssl as a responder and gives its address.
func respond(t *testing.T, arguments ...string) string {
	t.Helper()
	program := judge.Require(t, "openssl")
	command := exec.Command(program, append([]string{"ocsp", "-port", "0", "-nmin", "10"}, arguments...)...)
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := command.Wait()
		writer.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(reader)
	port := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		var all strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&all, lines.Text())
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				port <- found[1]
			}
		}
		if !strings.Contains(all.String(), "ACCEPT") {
			t.Errorf("openssl ocsp: %s", all.String())
		}
		close(port)
	}()
	t.Cleanup(func() {
		command.Process.Kill()
		<-ended
		<-drained
	})
	return "http://127.0.0.1:" + <-port + "/"
}

// TestOCSPOfOpenSSL: openssl answers good, revoked, on hold and unknown, signed by
// a delegate and by the authority itself, with our nonce echoed.
func TestOCSPOfOpenSSL(t *testing.T) {
	judge.Require(t, "openssl")
	p := newOpensslPKI(t)
	for name, tt := range map[string]struct {
		arguments []string
		nonce     bool
		pinned    bool
	}{
		"a delegate, with a nonce":           {[]string{"-rsigner", p.responder, "-rkey", p.responderKey}, true, false},
		"a delegate, by its key":             {[]string{"-rsigner", p.responder, "-rkey", p.responderKey, "-resp_key_id"}, false, false},
		"a delegate that is pinned":          {[]string{"-rsigner", p.responder, "-rkey", p.responderKey, "-resp_no_certs"}, true, true},
		"the authority itself, with a nonce": {[]string{"-rsigner", p.caPEM, "-rkey", p.caKey}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := certs.OCSP{Mode: certs.OCSPHard, Nonce: tt.nonce, Wait: 10 * time.Second}
			if tt.pinned {
				ders, err := certs.ReadCertificates(p.responder)
				if err != nil {
					t.Fatal(err)
				}
				o.Signers = ders
			}
			o.Responders = []string{respond(t, append([]string{"-index", p.index, "-CA", p.caPEM}, tt.arguments...)...)}
			c := asking(p.ca, off, time.Now, nil, o)
			c.OCSP.Transport = nil
			v := newVerifier(t, c)
			defer v.Close()
			for _, one := range []struct {
				name string
				der  []byte
				want certs.Reason
			}{
				{"good", p.good, 0}, {"revoked", p.revoked, certs.Revoked}, {"on hold", p.held, certs.Revoked}, {"unknown", p.nobody, certs.RevocationUnknown},
			} {
				if _, reason := asks(t, v, one.der, time.Now()); reason != one.want {
					t.Errorf("%s: %v, want %v", one.name, reason, one.want)
				}
			}
			s := v.Status(time.Now()).Authorities[0].OCSP
			if s.Good != 1 || s.Revoked != 2 || s.Unknown != 1 || s.Responders[0].Failures != 0 || s.Responders[0].LastError != nil {
				t.Errorf("%+v", s)
			}
		})
	}
}
