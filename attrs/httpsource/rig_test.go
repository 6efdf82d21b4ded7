package httpsource

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sceau/attrs"
	"sceau/attrs/remote"
	"sceau/internal/minipki"
	"sceau/internal/toxic"
)

const (
	alice  = "00000000097"
	nobody = "00000000485"
	secret = "a.secret-token_of~the+tests/=="
)

// Attributes of the catalogue that the tests map.
var (
	doctor  = find(attrs.PersonSSIN + ":doctor:boolean")
	nurse   = find(attrs.PersonSSIN + ":nurse:boolean")
	nihii11 = find("urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11")
	surname = find("urn:be:fgov:person:ssin:ehealth:1.0:surname")
	midwife = find("urn:be:fgov:person:ssin:ehealth:1.0:fpsph:midwife:boolean")
	holder  = find("urn:be:fgov:ehealth:1.0:pharmacy:nihii-number:person:ssin:ehealth:1.0:pharmacy-holder:boolean")
)

func find(name string) *attrs.Definition {
	d, ok := attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified})
	if !ok {
		panic(name)
	}
	return d
}

// document is what the service knows about Alice.
const document = `{
  "name": {"family": "Example"},
  "recognition": {"doctor": true, "nurse": null},
  "sectors": [ "hospital", 7 ],
  "numbers": [
    {"profession": "nurse", "number": "71000041002", "from": null, "until": null},
    {"profession": "doctor", "number": "71000040001", "from": "2026-01-01T00:00:00Z", "until": "2027-01-01T01:00:00+01:00"},
    {"profession": "doctor", "number": "71000042001", "from": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z"}
  ]
}`

const unknownPerson = `{"code": "UNKNOWN_PERSON"}`

// answering is a service that answers like the real one.
func answering(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.URL.Path != "/v1/persons/"+alice {
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(unknownPerson))
		return
	}
	w.Write([]byte(document))
}

// config is a configuration to the service, with most rules.
func config(base string) Config {
	return Config{
		ID: "service", URLs: map[attrs.SubjectType]string{attrs.SubjectSSIN: base + "/v1/persons/{ssin}?view=all"},
		NotFound: []int{404}, NotFoundAt: "/code", NotFoundIs: []string{"UNKNOWN_PERSON"},
		Mappings: []Mapping{
			{Definition: doctor, Value: "/recognition/doctor"},
			{Definition: nurse, Value: "$.recognition.nurse"},
			{Definition: surname, Value: "$['name'].family"},
			{Definition: midwife, Rule: ByList, Value: "/sectors", True: []string{"7"}, False: []string{"hospital"}},
			{Definition: nihii11, Items: "/numbers", Where: "/profession", Is: []string{"doctor"}, Value: "/number", NotBefore: "/from", NotOnOrAfter: "/until"},
		},
		TTL: 24 * time.Hour, Timeout: 10 * time.Second, Now: testNow,
	}
}

var (
	all       = []*attrs.Definition{doctor, nurse, surname, midwife, nihii11}
	answersOf = map[string]string{alice: "true false Example true 71000040001", nobody: "false false  false "}
)

func testNow() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC) }

func open(tb testing.TB, c Config) *Source {
	tb.Helper()
	s, err := Open(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// serve starts a service that ends with the test.
func serve(tb testing.TB, handler http.HandlerFunc) *httptest.Server {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

func query(ssin string, wanted ...*attrs.Definition) *attrs.Query {
	by, ok := attrs.EHealth().Find(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification})
	if !ok {
		panic("no SSIN")
	}
	return &attrs.Query{Subjects: []attrs.Keyed{{By: by, Value: ssin}}, Definitions: wanted, At: testNow()}
}

// told gives answers as text: the wire values of each, joined.
func told(answers []attrs.Certified) string {
	var list []string
	for i := range answers {
		var values []string
		answers[i].WireValues(func(v string) bool { values = append(values, v); return true })
		list = append(list, strings.Join(values, ","))
	}
	return strings.Join(list, " ")
}

// noLeak demands that the test leaves no goroutine, after all that it cleans up.
func noLeak(tb testing.TB) {
	tb.Helper()
	ignore := goleak.IgnoreCurrent()
	options := append(toxic.Leftovers(), ignore)
	tb.Cleanup(func() { goleak.VerifyNone(tb, options...) })
}

// discreet demands that an error holds no number of a person, no address with one, and no secret.
func discreet(t *testing.T, err error) {
	t.Helper()
	for _, personal := range []string{alice, nobody, "/v1/persons", "Example", "71000041001", secret, "UNKNOWN"} {
		if strings.Contains(err.Error(), personal) {
			t.Errorf("%q in %v", personal, err)
		}
	}
}

// A pki is an authority with a server and a client.
type pki struct{ dir string }

func newPKI(tb testing.TB) *pki {
	tb.Helper()
	p := &pki{tb.TempDir()}
	for _, name := range []string{"ca", "other-ca"} {
		key, err := minipki.GenerateKey(minipki.P256)
		if err != nil {
			tb.Fatal(err)
		}
		ca, err := minipki.NewRoot(minipki.CA(minipki.DN("CN", "TEST "+name), testNow().Add(-time.Hour), testNow().Add(time.Hour)), key)
		if err != nil {
			tb.Fatal(err)
		}
		p.write(tb, name+".pem", minipki.CertificatePEM(ca.DER()))
		client := minipki.TLSServer("client")
		client.ExtKeyUsage = []string{minipki.ClientAuth}
		for leaf, t := range map[string]minipki.Template{"server": minipki.TLSServer("127.0.0.1"), "client": client} {
			key, err := minipki.GenerateKey(minipki.P256)
			if err != nil {
				tb.Fatal(err)
			}
			der, err := ca.Issue(t, key.Public())
			if err != nil {
				tb.Fatal(err)
			}
			text, err := minipki.KeyPEM(key)
			if err != nil {
				tb.Fatal(err)
			}
			p.write(tb, name+"-"+leaf+".pem", minipki.CertificatePEM(der))
			p.write(tb, name+"-"+leaf+".key", text)
		}
	}
	return p
}

func (p *pki) write(tb testing.TB, name string, octets []byte) {
	tb.Helper()
	if err := os.WriteFile(p.file(name), octets, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

// client is the TLS of a source with a certificate.
func (p *pki) client() remote.TLS {
	return remote.TLS{CAFile: p.file("ca.pem"), CertificateFile: p.file("ca-client.pem"), KeyFile: p.file("ca-client.key")}
}

// serveTLS starts a service that demands certificates of its clients.
func (p *pki) serveTLS(tb testing.TB, handler http.HandlerFunc) *httptest.Server {
	tb.Helper()
	pair, err := tls.LoadX509KeyPair(p.file("ca-server.pem"), p.file("ca-server.key"))
	if err != nil {
		tb.Fatal(err)
	}
	text, err := os.ReadFile(p.file("ca.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(text)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, Time: testNow}
	server.StartTLS()
	tb.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}
