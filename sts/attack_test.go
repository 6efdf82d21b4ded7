package sts_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"sceau/internal/attack"
	"sceau/internal/judge"
	"sceau/internal/testpki"
	"sceau/sts"
	"sceau/sts/ststest"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// TestAttacks sends every attack of internal/attack through the whole service: on the
// header signature as anybody who captured a message can make them, and on the inner
// signature as somebody with a good eID of his own can. Nothing is certified, no
// source is asked, and each is on record.
func TestAttacks(t *testing.T) {
	pki := testpki.Load()
	for _, keys := range []struct {
		name             string
		identity, holder *testpki.Leaf
	}{{"RSA", &pki.AliceEID, &pki.AliceEHealth}, {"P-256", &pki.AliceEIDP256, &pki.AliceEHealthP256}} {
		q := ststest.Query{Identity: keys.identity, Holder: keys.holder}
		make := ststest.New(t, nil)
		message, request := make.Message(t, q), make.Request(t, q)

		header, err := attack.Message(message)
		if err != nil {
			t.Fatal(err)
		}
		wrapped, err := attack.Enveloped(message)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := attack.Enveloped(request)
		if err != nil {
			t.Fatal(err)
		}
		all := append(header, wrapped...)
		for _, v := range inner {
			sealed, err := attack.Seal(v.Message, keys.identity.DER, keys.identity.Key, testpki.Now())
			if err != nil {
				// Not even a message can be made of it: the parser refuses the content, and
				// would whoever made the message.
				wrapper := append(append([]byte("<r>"), v.Message...), "</r>"...)
				if _, err := xmltext.Parse(wrapper, xmltext.DefaultLimits()); err == nil {
					t.Fatalf("%s: not sealed, but well-formed", v.Name)
				}
				continue
			}
			v.Message, v.Name = sealed, v.Name+", sealed"
			all = append(all, v)
		}
		if len(all) < 60 {
			t.Fatalf("only %d attacks", len(all))
		}
		f := ststest.New(t, nil)
		for _, v := range all {
			t.Run(keys.name+"/"+v.Name, func(t *testing.T) {
				refusedWhole(t, f, &sts.Message{Body: v.Message}, v.Gain)
			})
		}
	}
}

// refusedWhole requires that a message is refused, that nothing was looked up for it
// and that its record is there.
func refusedWhole(t *testing.T, f *ststest.Fixture, message *sts.Message, gain string) string {
	t.Helper()
	before, asked := f.Journal.Head().Seq, f.Source.Asked.Load()
	a := f.Service.AttributeQuery(context.Background(), message, nil)
	body := string(a.Body)
	if strings.Contains(body, "<Assertion") || strings.Contains(body, "samlp:Success") {
		t.Fatalf("certified; it would have gained: %s\n%s", gain, body)
	}
	if f.Source.Asked.Load() != asked {
		t.Errorf("a source was asked")
	}
	if f.Journal.Head().Seq != before+1 {
		t.Errorf("not exactly one record")
	}
	if !strings.Contains(body, a.Audit.String()) {
		t.Errorf("the answer does not bear the audit id: %s", body)
	}
	if a.Status == http.StatusOK && !strings.Contains(body, "<samlp:StatusMessage>REQ-") {
		t.Errorf("no StatusMessage: %s", body)
	}
	return body
}

// TestActionSpoofing: W23, and the forms of SOAPAction that clients send.
func TestActionSpoofing(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, nil)
	q := ststest.Query{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealth}
	const prefix = "urn:be:fgov:ehealth:sts:protocol:v1:"
	for _, action := range []string{"", `""`, `"` + prefix + `RequestSecurityToken"`, prefix + "RequestSecurityToken",
		`"` + prefix + `RequestSecureToken"`, prefix + "AttributeQuery", "AttributeQuery", `"RequestSecurityToken"`} {
		a := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: f.Message(t, q), Action: []byte(action)}, nil)
		if !bytes.Contains(a.Body, []byte("samlp:Success")) {
			t.Errorf("SOAPAction %s: %s", action, a.Body)
		}
	}
	for _, action := range []string{prefix + "Challenge", "Challenge", "urn:other:RequestSecurityToken", prefix, `"x`} {
		body := refusedWhole(t, ststest.New(t, nil), &sts.Message{Body: f.Message(t, q), Action: []byte(action)}, "an operation that was not asked")
		if !strings.Contains(body, "SOA-03005") {
			t.Errorf("SOAPAction %s: %s", action, body)
		}
	}
}

// TestBitFlips changes every bit of a signed message, one at a time in every byte of
// Timestamp, token, signature and Body: none is certified with other content. (P-256 keys
// keep it quick; with -short, under the race detector, and of the message with an inner
// signature, one bit of each byte.)
func TestBitFlips(t *testing.T) {
	pki := testpki.Load()
	f := ststest.New(t, func(_ *ststest.Fixture, c *sts.Config) {
		c.Security.Replay = ststest.Forgetful{}
		c.Journal = ststest.Discard{}
	})
	for _, q := range []ststest.Query{
		{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEIDP256},
		{Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256}, // with an inner signature
	} {
		warm(t, f, q) // certificates are recalled by their base64: no bit of it may pass
		flipBits(t, f, f.Message(t, q), testing.Short() || judge.RaceEnabled || q.Identity != q.Holder)
	}
}

// flipBits changes every bit, or one of each byte when some is true.
func flipBits(t *testing.T, f *ststest.Fixture, message []byte, some bool) {
	t.Helper()
	from := bytes.Index(message, []byte("<wsu:Timestamp"))
	good := 0
	for i := from; i < len(message); i++ {
		for bit := range 8 {
			if some && (i+bit)%8 != 0 {
				continue
			}
			changed := bytes.Clone(message)
			changed[i] ^= 1 << bit
			a := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: changed}, nil)
			if !bytes.Contains(a.Body, []byte("samlp:Success")) {
				continue
			}
			// What may be certified is the same query: a change that no signature
			// speaks of, as in the namespace prefix of an unsigned wrapper.
			good++
			if !bytes.Contains(a.Body, []byte(testpki.AliceNIHII)) || !bytes.Contains(a.Body, []byte(testpki.AliceSSIN)) {
				t.Fatalf("byte %d bit %d: certified something else", i, bit)
			}
			if signedParts(t, message) != signedParts(t, changed) {
				t.Fatalf("byte %d bit %d (%q): a change in a signed part was not seen", i, bit, message[i-5:i+5])
			}
		}
	}
	t.Logf("%d changes outside the signed parts left the message good", good)
}

// signedParts returns the canonical forms of what the header signature covers: Body,
// Timestamp and token. A change that they do not show (the name of a prefix that is
// declared and not used) changes nothing.
func signedParts(t *testing.T, message []byte) string {
	t.Helper()
	d, err := xmltext.Parse(message, xmltext.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	security := d.Root().FirstElement().FirstElement()
	var all []byte
	for _, n := range []xmltext.Node{d.Root().FirstElement().NextElement(), security.FirstElement(), security.FirstElement().NextElement()} {
		if all, err = c14n.Append(all, n, c14n.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	return string(all)
}
