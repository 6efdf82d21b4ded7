// Package ststest gives tests and benchmarks a whole Service over the PKI of
// internal/testpki: a static source of attributes, a policy that permits what the
// test says, a real audit journal, and messages to ask it with.
//
//	fixture := ststest.New(t, nil)
//	message := fixture.Message(ststest.Query{Identity: &pki.AliceEID, Holder: &pki.AliceEHealth})
//	answer := fixture.Service.AttributeQuery(ctx, &sts.Message{Body: message}, nil)
//
// The clock is testpki.Now unless the configuration is changed.
package ststest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/testpki"
	"sceau/policy"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
	"sceau/xmlsec"
)

// Names of attributes that the fixture's source knows of Alice.
const (
	DoctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"
	DoctorNIHII   = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
	NurseBoolean  = "urn:be:fgov:person:ssin:nurse:boolean"
)

// A Fixture is a Service with what stands around it.
type Fixture struct {
	Config       sts.Config
	Service      *sts.Service
	Certificates *certs.Verifier
	Journal      *audit.Journal
	JournalDir   string
	Source       *Source
	sequence     atomic.Uint64
}

// A Source counts how often it is asked and fails when told to.
type Source struct {
	attrs.Source
	Asked atomic.Int64
	Fail  atomic.Pointer[error]
}

// Resolve implements attrs.Source.
func (s *Source) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	s.Asked.Add(1)
	if err := s.Fail.Load(); err != nil {
		return dst, attrs.Unavailable(ctx, s.ID(), *err)
	}
	return s.Source.Resolve(ctx, q, dst)
}

// New returns a fixture. change may alter the configuration before the Service is
// made of it.
func New(tb testing.TB, change func(*Fixture, *sts.Config)) *Fixture {
	tb.Helper()
	pki := testpki.Load()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	f := &Fixture{JournalDir: tb.TempDir(), Certificates: certstest.Verifier(tb)}
	var err error
	f.Journal, err = audit.Open(audit.Config{Dir: f.JournalDir, Logger: quiet, Now: testpki.Now})
	fatal(tb, err)
	tb.Cleanup(func() { f.Journal.Close() })

	static, err := attrs.NewStatic("test-registry", testpki.Now, facts())
	fatal(tb, err)
	f.Source = &Source{Source: static}
	resolver, err := attrs.NewResolver(attrs.Config{Catalogue: attrs.EHealth(), Routes: []attrs.Route{{Source: f.Source}},
		Budget: 5 * time.Second, CacheEntries: 1000, CacheTTL: time.Minute})
	fatal(tb, err)
	tb.Cleanup(resolver.Close)

	f.Config = sts.DefaultConfig()
	f.Config.Security.Replay = soap.NewMemoryReplay(1 << 20)
	f.Config.Certificates, f.Config.Catalogue, f.Config.Attributes = f.Certificates, attrs.EHealth(), resolver
	f.Config.Policy = Permit{Maximum: 24 * time.Hour}
	f.Config.Journal, f.Config.Now, f.Config.Environment = f.Journal, testpki.Now, "Test"
	f.SignWith(tb, &pki.STS)
	if change != nil {
		change(f, &f.Config)
	}
	f.Service, err = sts.New(f.Config)
	fatal(tb, err)
	return f
}

// SignWith makes a leaf of the test PKI the signer of assertions.
func (f *Fixture) SignWith(tb testing.TB, leaf *testpki.Leaf) {
	tb.Helper()
	key, err := certs.NewSigner(leaf.Key, [][]byte{leaf.DER}, testpki.Now())
	fatal(tb, err)
	f.Config.Signer, err = sts.NewTokenSigner(key, 0)
	fatal(tb, err)
	f.Config.SignerNotAfter = key.Certificate().NotAfter()
}

func facts() []attrs.StaticFact {
	alice := attrs.Subject{Type: "ssin", Value: testpki.AliceSSIN}
	fact := func(name, value string) attrs.StaticFact {
		definition, _ := attrs.EHealth().Find(attrs.Designator{Name: name, Namespace: attrs.NamespaceCertified})
		return attrs.StaticFact{Subject: alice, Definition: definition, Fact: attrs.Fact{Value: value}}
	}
	return []attrs.StaticFact{fact(DoctorBoolean, "true"), fact(DoctorNIHII, testpki.AliceNIHII), fact(NurseBoolean, "false")}
}

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Permit is a PDP that permits everything for Maximum, except the attributes whose
// names are in Denied.
type Permit struct {
	Maximum  time.Duration
	Denied   []string
	OnDenied policy.OnDenied
}

// Release implements policy.PDP.
func (p Permit) Release(_ context.Context, r *policy.ReleaseRequest, d *policy.Release) error {
	d.Decisions, d.Profiles = d.Decisions[:0], append(d.Profiles[:0], "test")
	d.MaximumValidity, d.OnDenied = p.Maximum, p.OnDenied
	for _, a := range r.Attributes {
		if slices.Contains(p.Denied, a.Name) {
			d.Decisions = append(d.Decisions, policy.Deny("test-deny"))
		} else {
			d.Decisions = append(d.Decisions, policy.Permit("test-permit"))
		}
	}
	return nil
}

// A Query is what Message asks.
type Query struct {
	Identity, Holder *testpki.Leaf
	// Asked are names of certified attributes; nil asks for DoctorBoolean and
	// DoctorNIHII. The identification attributes are asked for besides.
	Asked []string
	// Valid is the wanted validity; zero means 8 hours.
	Valid time.Duration
	// At is the moment the message is made; zero means testpki.Now.
	At time.Time
	// Unsigned leaves out the inner signature; it is left out anyway when both
	// certificates are one.
	Unsigned bool
	// SHA1 makes header and inner signature with SHA-1.
	HeaderSHA1, InnerSHA1 bool
	// Change alters the query before it is written and signed.
	Change func(*saml.Query)
}

// Request writes the samlp:Request of a query.
func (f *Fixture) Request(tb testing.TB, q Query) []byte {
	tb.Helper()
	identity, holder := q.Identity.X509(), q.Holder.X509()
	subject, err := certs.ParseCertificate(identity.Raw)
	fatal(tb, err)
	at := q.At
	if at.IsZero() {
		at = testpki.Now()
	}
	if q.Valid == 0 {
		q.Valid = 8 * time.Hour
	}
	if q.Asked == nil {
		q.Asked = []string{DoctorBoolean, DoctorNIHII}
	}
	n := f.sequence.Add(1)
	query := saml.Query{
		RequestID: fmt.Sprintf("request-%d", n), AssertionID: fmt.Sprintf("assertion-%d", n), IssueInstant: at,
		Issuer:    subject.Subject().JavaRFC1779(),
		Subject:   saml.Name{Subject: subject.Subject().JavaRFC1779(), Issuer: subject.Issuer().JavaRFC1779()},
		NotBefore: at, NotOnOrAfter: at.Add(q.Valid), Holder: holder.Raw,
		Identification: []saml.Statement{
			{Name: attrs.CertificateHolderSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{testpki.AliceSSIN}},
			{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification, Values: []string{testpki.AliceSSIN}},
		},
	}
	query.Designators = append(query.Designators, query.Identification...)
	for _, name := range q.Asked {
		query.Designators = append(query.Designators, saml.Statement{Name: name, Namespace: attrs.NamespaceCertified})
	}
	if q.Change != nil {
		q.Change(&query)
	}
	var signer *xmlsec.Signer
	if !q.Unsigned && string(identity.Raw) != string(holder.Raw) {
		config := xmlsec.SignerConfig{Key: q.Holder.Key, KeyInfo: xmlsec.CertificateKeyInfo(holder.Raw)}
		if q.InnerSHA1 {
			config.Method, config.Digest, config.SHA1 = xmlsec.RSASHA1, xmlsec.SHA1, true
		}
		signer, err = xmlsec.NewSigner(config)
		fatal(tb, err)
	}
	request, err := saml.AppendQuery(nil, &query, signer)
	fatal(tb, err)
	return request
}

// Message writes a whole signed message of a query.
func (f *Fixture) Message(tb testing.TB, q Query) []byte {
	tb.Helper()
	return f.Seal(tb, q, f.Request(tb, q))
}

// Seal puts any body element into a message signed by the identity of q.
func (f *Fixture) Seal(tb testing.TB, q Query, body []byte) []byte {
	tb.Helper()
	config := xmlsec.SignerConfig{Key: q.Identity.Key}
	if q.HeaderSHA1 {
		config.Method, config.Digest, config.SHA1 = xmlsec.RSASHA1, xmlsec.SHA1, true
	}
	signer, err := soap.NewMessageSigner(config, "")
	fatal(tb, err)
	at := q.At
	if at.IsZero() {
		at = testpki.Now()
	}
	// One nanosecond counts would not show in milliseconds: messages differ by their
	// RequestID.
	out := soap.Outgoing{Content: body, Created: at, Expires: at.Add(time.Minute), Certificate: q.Identity.DER}
	message, err := out.Append(nil, signer)
	fatal(tb, err)
	return message
}

// Forgetful is a replay state that finds nothing replayed, for benchmarks that answer
// one message many times.
type Forgetful struct{}

// Remember implements soap.ReplayState.
func (Forgetful) Remember([32]byte, time.Time, time.Time) error { return nil }

// Discard is a Recorder that keeps nothing, for tests that count other things.
type Discard struct{}

// Record implements sts.Recorder.
func (Discard) Record(context.Context, *audit.Event) error { return nil }

// Record returns the one record of an audit id.
func (f *Fixture) Record(tb testing.TB, id audit.ID) *audit.Entry {
	tb.Helper()
	var found *audit.Entry
	for entry, err := range audit.List(f.JournalDir, audit.Query{ID: id}) {
		fatal(tb, err)
		if found != nil {
			tb.Fatal("two records of one id")
		}
		copied := *entry
		found = &copied
	}
	if found == nil {
		tb.Fatal("no record")
	}
	return found
}
