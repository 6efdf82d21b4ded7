package wsc_test

import (
	"bytes"
	"testing"

	"sceau/internal/testpki"
	"sceau/wsc"
)

// goldenAnswer is a right answer to the request with the identifier "fuzz", and the
// assertion in it.
func goldenAnswer(t testing.TB, credentials *wsc.Credentials) (answer, assertion []byte) {
	t.Helper()
	sts := newSTS(t)
	sts.respond = func(m *made) []byte {
		answer = m.envelope(m.response())
		return answer
	}
	if _, err := clientOf(t, fuzzID).Token(t.Context(), sts.URL, credentials, doctorRequest()); err != nil {
		t.Fatal(err)
	}
	return answer, sts.assertion
}

func fuzzID(c *wsc.Config) { c.NewID = func() string { return "fuzz" } }

// Whatever comes back: no panic, and a token only where its bytes are those that the
// STS signed.
func FuzzAnswer(f *testing.F) {
	pki := testpki.Load()
	credentials, request := credentialsOf(f, wsc.ModeSession, &pki.AliceEIDP256, &pki.AliceEHealthP256), doctorRequest()
	answer, assertion := goldenAnswer(f, credentials)
	client := clientOf(f, fuzzID)
	f.Add(answer)
	f.Add(bytes.Replace(answer, []byte(">true<"), []byte(">false<"), 1))
	f.Add([]byte(`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>e:Client</faultcode><faultstring>x</faultstring><detail><x Id="1"><Code>SOA-01001</Code><Retry>1</Retry></x></detail></e:Fault></e:Body></e:Envelope>`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		token, err := client.Judge(answer, credentials, request)
		if (token == nil) == (err == nil) {
			t.Fatalf("%v beside %v", token, err)
		}
		if token != nil && !sameSigned(token.Assertion(), assertion) {
			t.Fatalf("believed: %s", token.Assertion())
		}
	})
}

// sameSigned compares what is signed: all but the Signature, in which white space of
// base64 may differ.
func sameSigned(a, b []byte) bool {
	before := func(x []byte) []byte { x, _, _ = bytes.Cut(x, []byte("Signature ")); return x }
	return bytes.Equal(before(a), before(b))
}

// Every single-bit change of an assertion is refused.
func TestEveryBitCounts(t *testing.T) {
	_, assertion := goldenAnswer(t, alice(t))
	client, holder := clientOf(t, nil), signerOf(t, &testpki.Load().AliceEHealth)
	if _, err := client.Open(assertion, holder); err != nil {
		t.Fatal(err)
	}
	for i := range assertion {
		for bit := range 8 {
			if (testing.Short() || raceEnabled) && bit != i%8 {
				continue // one bit of each byte: the race detector makes it ten times slower
			}
			changed := bytes.Clone(assertion)
			changed[i] ^= 1 << bit
			if _, err := client.Open(changed, holder); err == nil {
				t.Errorf("bit %d of byte %d may change: …%s…", bit, i, changed[max(0, i-20):min(len(changed), i+20)])
			}
		}
	}
}
