package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"software.sslmate.com/src/go-pkcs12"

	"sceau/certs"
	"sceau/internal/minipki"
	"sceau/internal/softhsm"
	"sceau/internal/testpki"
	"sceau/policy"
	"sceau/soap"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/wsp"
	"sceau/wsp/echo"
)

// TestMain lets scripts run the real main under the name wsc.
func TestMain(m *testing.M) {
	testscript.Main(softhsm.M{M: m}, map[string]func(){"wsc": main})
}

// TestScripts drives the real program against the real STS and a guarded service, on
// loopback.
func TestScripts(t *testing.T) {
	w := newWorld(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for name, value := range w.env {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": checkStatus,
			"mode":   checkMode,
			"edit":   edit,
		},
	})
}

// checkStatus is the script command "status N ARGUMENT...": wsc ends with status N.
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: status N ARGUMENT...")
	}
	got := "0"
	if err := ts.Exec("wsc", args[1:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("wsc %s: status %s instead of %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// checkMode is "mode FILE 0600": the file's permissions.
func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := info.Mode().String(); neg || got != args[1] {
		ts.Fatalf("%s has %s", args[0], got)
	}
}

// edit is "edit FROM TO OLD NEW": a copy with one replacement.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	if neg || len(args) != 4 || !strings.Contains(text, args[2]) {
		ts.Fatalf("usage: edit FROM TO OLD NEW, OLD being in FROM")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Replace(text, args[2], args[3], 1)), 0o600))
}

// A world is what a consumer lives among: keys and certificates in files, an STS, a
// guarded service, and servers that fail. It has the clock of the machine, as the
// program has.
type world struct {
	t       *testing.T
	dir     string
	from    time.Time
	citizen *minipki.Authority
	ehealth *minipki.Authority
	env     map[string]string
	stsKey  crypto.Signer
	stsDER  []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), from: time.Now().Add(-time.Hour).Truncate(time.Second), env: map[string]string{}}
	w.citizen = w.authority("C", "BE", "CN", "TEST Citizen CA", "serialNumber", "202601")
	w.ehealth = w.authority("C", "BE", "CN", "TEST eHealth issuing CA 001")
	eid := minipki.EID(minipki.Person{GivenNames: "Alice Test", Surname: "Example", SSIN: testpki.AliceSSIN})
	w.leaf("alice-eid", w.citizen, eid)
	w.leaf("alice-ehealth", w.ehealth, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.AliceSSIN, Name: "ALICE EXAMPLE"}))
	w.leaf("bob-ehealth", w.ehealth, minipki.EHealth(minipki.Holder{Type: "SSIN", Value: testpki.BobSSIN, Name: "BOB SAMPLE"}))
	expired := eid
	expired.NotBefore, expired.NotAfter = w.from.Add(-2*time.Hour), w.from
	w.leaf("expired-eid", w.citizen, expired)
	platform := minipki.EHealth(minipki.Holder{Type: "CBE", Value: testpki.ServiceCBE, Name: "EXAMPLE PLATFORM", Application: testpki.ServiceID})
	w.leaf("other-sts", w.ehealth, platform)
	w.stsKey, w.stsDER = w.leaf("sts", w.ehealth, platform)
	serverKey, serverDER := w.leaf("server", w.ehealth, minipki.TLSServer("localhost", "127.0.0.1"))
	w.file("ehealth-ca.pem", minipki.CertificatePEM(w.ehealth.DER()))
	w.file("passphrase", []byte("secret of Alice\n"))
	w.file("wrong-passphrase", []byte("secret of Bob\n"))
	w.env["PKI"] = w.dir

	service := w.service()
	w.serve("STS", service)
	w.serve("SERVICE", w.guard())
	w.serve("REDIRECT", http.RedirectHandler("https://elsewhere.example/", http.StatusFound))
	w.serve("PAGE", http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(out, "<html>Bad Gateway</html>")
	}))
	w.serve("LATE", http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
	}))
	dead := httptest.NewServer(nil)
	dead.Close()
	w.env["DEAD"] = dead.URL

	secure := httptest.NewUnstartedServer(service)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{serverDER}, PrivateKey: serverKey}}, MinVersion: tls.VersionTLS12}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	w.env["SECURE"] = secure.URL
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) file(name string, content []byte) {
	w.t.Helper()
	w.check(os.WriteFile(filepath.Join(w.dir, name), content, 0o600))
}

func (w *world) key() crypto.Signer {
	k, err := minipki.GenerateKey(minipki.P256)
	w.check(err)
	return k
}

func (w *world) authority(pairs ...string) *minipki.Authority {
	a, err := minipki.NewRoot(minipki.CA(minipki.DN(pairs...), w.from.Add(-24*time.Hour), w.from.Add(240*time.Hour)), w.key())
	w.check(err)
	return a
}

// leaf writes NAME.crt with the certificate and the authority, NAME.key, NAME.pem with
// both, and NAME.p12.
func (w *world) leaf(name string, issuer *minipki.Authority, template minipki.Template) (crypto.Signer, []byte) {
	w.t.Helper()
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = w.from, w.from.Add(200*time.Hour)
	}
	key := w.key()
	der, err := issuer.Issue(template, key.Public())
	w.check(err)
	text, err := minipki.KeyPEM(key)
	w.check(err)
	certificates := minipki.CertificatePEM(der, issuer.DER())
	w.file(name+".crt", certificates)
	w.file(name+".key", text)
	w.file(name+".pem", append(slices.Clone(text), certificates...))
	certificate, err := x509.ParseCertificate(der)
	w.check(err)
	box, err := pkcs12.Modern.Encode(key, certificate, nil, "secret of Alice")
	w.check(err)
	w.file(name+".p12", box)
	return key, der
}

func (w *world) serve(name string, handler http.Handler) {
	server := httptest.NewServer(handler)
	w.t.Cleanup(server.Close)
	w.env[name] = server.URL
}

// verifier trusts our authorities; none of them has a CRL.
func (w *world) verifier() *certs.Verifier {
	w.t.Helper()
	off := certs.Revocation{Mode: certs.Off}
	citizens := []*certs.Authority{{Certificate: w.citizen.DER(), Revocation: off}}
	ehealth := []*certs.Authority{{Certificate: w.ehealth.DER(), Revocation: off}}
	eid, fallback := certs.BelgianEID(), certs.EHealthPlatform(certs.RoleIdentity)
	eid.Roots, fallback.Roots = citizens, ehealth
	eidHolder := eid
	eidHolder.Role = certs.RoleHolder
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = ehealth
	issuer := certs.TokenIssuer()
	issuer.Pinned = [][]byte{w.stsDER}
	v, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{eid, fallback, eidHolder, holder, issuer}, Log: slog.New(slog.DiscardHandler)})
	w.check(err)
	w.t.Cleanup(v.Close)
	return v
}

// service is the real STS; it gives no nurse's attribute to anybody.
func (w *world) service() http.Handler {
	fixture := ststest.New(w.t, func(_ *ststest.Fixture, c *sts.Config) {
		key, err := certs.NewSigner(w.stsKey, [][]byte{w.stsDER}, time.Now())
		w.check(err)
		c.Signer, err = sts.NewTokenSigner(key, 0)
		w.check(err)
		c.SignerNotAfter = key.Certificate().NotAfter()
		c.Certificates, c.Now = w.verifier(), time.Now
		c.Policy = ststest.Permit{Maximum: 12 * time.Hour, Denied: []string{ststest.NurseBoolean}, OnDenied: policy.Refuse}
	})
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		message, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			out.WriteHeader(http.StatusNoContent)
			return
		}
		answer := fixture.Service.AttributeQuery(context.Background(), &sts.Message{Body: message}, nil)
		out.Header().Set("Content-Type", "text/xml; charset=utf-8")
		out.WriteHeader(answer.Status)
		_, _ = out.Write(answer.Body)
	})
}

// guard admits holders of tokens of our STS to an echo service.
func (w *world) guard() http.Handler {
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: w.verifier(), Issuers: []string{sts.IssuerName}, Replay: soap.NewMemoryReplay(1000),
		HolderRoles: []certs.Role{certs.RoleHolder}, Skew: time.Minute, Log: slog.New(slog.DiscardHandler),
	})
	w.check(err)
	w.t.Cleanup(guard.Close)
	return echo.Handler(guard)
}
