package wsp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"sceau/attrs"
	"sceau/certs"
	"sceau/internal/testpki"
	"sceau/soap"
	"sceau/wsp"
)

// In a program of one's own the verifier is made from files: see certs.Config.
func exampleVerifier() *certs.Verifier {
	pki := testpki.Load()
	sts := certs.TokenIssuer()
	sts.Pinned = [][]byte{pki.STS.DER}
	off := certs.Revocation{Mode: certs.Off}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots = []*certs.Authority{{Certificate: pki.EHealthRoot.DER(), Revocation: off}}
	holder.Intermediates = []*certs.Authority{{Certificate: pki.EHealthCA.DER(), Revocation: off}}
	v, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{sts, holder}, Now: testpki.Now, Log: quiet})
	if err != nil {
		panic(err)
	}
	return v
}

// exampleCall is the call of a consumer.
func exampleCall() []byte {
	var t testing.T
	return aliceCall(&t)
}

func ExampleGuard_Admit() {
	verifier := exampleVerifier()
	defer verifier.Close()
	doctor := attrs.Designator{Name: "urn:be:fgov:person:ssin:doctor:boolean", Namespace: attrs.NamespaceCertified}
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: verifier,
		Issuers:      []string{"urn:be:fgov:ehealth:sts:1_0"},
		Replay:       soap.NewMemoryReplay(100_000),
		Require:      []wsp.Requirement{{Designator: doctor, Values: []string{"true"}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()

	message := exampleCall()
	caller, err := guard.Admit(message, testpki.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	isDoctor, _ := caller.Bool(doctor)
	namespace, operation := caller.Operation()
	fmt.Println("doctor:", isDoctor)
	fmt.Println("holder:", caller.Holder().Kind())
	fmt.Println("asks:", namespace, operation)

	// The same message again.
	_, err = guard.Admit(message, testpki.Now())
	fault := wsp.FaultOf(err)
	fmt.Println("again:", wsp.ReasonOf(err), fault.SOA.Code, fault.Code.Local)
	// Output:
	// doctor: true
	// holder: ehealth-person
	// asks: urn:test Echo
	// again: message replayed SOA-01001 FailedCheck
}

func ExampleGuard_Handler() {
	verifier := exampleVerifier()
	defer verifier.Close()
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: verifier,
		Issuers:      []string{"urn:be:fgov:ehealth:sts:1_0"},
		Replay:       soap.NewMemoryReplay(100_000),
		Now:          testpki.Now, // time.Now, when left out
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()

	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := wsp.CallerFrom(r.Context())
		ssin, _ := caller.Value(attrs.Designator{Name: "urn:be:fgov:person:ssin", Namespace: attrs.NamespaceIdentification})
		fmt.Fprintf(w, "person %s", ssin)
	})
	request := httptest.NewRequest(http.MethodPost, "/service", strings.NewReader(string(exampleCall())))
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	answer := httptest.NewRecorder()
	guard.Handler(service).ServeHTTP(answer, request)
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 200 person 00000000097
}

// officeHours is a policy decision point of one rule.
type officeHours struct{}

func (officeHours) Decide(_ context.Context, caller *wsp.Caller) error {
	if caller.Created().Hour() > 18 {
		return errors.New("the office is closed")
	}
	return nil
}

func ExamplePDP() {
	verifier := exampleVerifier()
	defer verifier.Close()
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: verifier,
		Issuers:      []string{"urn:be:fgov:ehealth:sts:1_0"},
		Replay:       soap.NewMemoryReplay(100_000),
		PDP:          officeHours{},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()
	_, err = guard.Admit(exampleCall(), testpki.Now())
	fmt.Println(err)
	fmt.Println(wsp.FaultOf(err).SOA.Text)
	// Output:
	// wsp: denied: the office is closed
	// Service call not authorized
}

// A hospital vouches for its doctors: it signs the message, and the assertion in it.
func ExampleSender() {
	var t testing.T
	verifier := exampleVerifier()
	defer verifier.Close()
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates:  verifier,
		Issuers:       []string{"urn:be:fgov:ehealth:sts:1_0"},
		Replay:        soap.NewMemoryReplay(100_000),
		SenderVouches: []wsp.Sender{{Type: "NIHII-HOSPITAL", Identifier: testpki.HospitalNIHII}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()
	message := vouch(&t, vouchedAssertion(&t), &testpki.Load().Hospital, "id-1", "TS-1", "X509-1", assertionID)
	caller, err := guard.Admit([]byte(message), testpki.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, sender := caller.Holder().Identifier()
	fmt.Println(caller.Confirmation(), sender == testpki.HospitalNIHII)
	// Output:
	// sender-vouches true
}

// printed is a Recorder that keeps nothing.
type printed struct{}

func (printed) Record(_ context.Context, d *wsp.Decision) (string, error) {
	if d.Err != nil {
		fmt.Println("record: refused,", wsp.ReasonOf(d.Err))
	} else {
		fmt.Println("record: admitted,", d.Caller.AssertionID())
	}
	return "decision-1", nil
}

// Judge is for a server of one's own: it records, and says what is answered.
func ExampleGuard_Judge() {
	verifier := exampleVerifier()
	defer verifier.Close()
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: verifier,
		Issuers:      []string{"urn:be:fgov:ehealth:sts:1_0"},
		Replay:       soap.NewMemoryReplay(100_000),
		Recorder:     printed{},
		Now:          testpki.Now, // time.Now, when left out
		Log:          quiet,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer guard.Close()
	message := exampleCall()
	verdict := guard.Judge(context.Background(), message, netip.Addr{})
	fmt.Println(verdict.Admitted(), verdict.ID)
	verdict = guard.Judge(context.Background(), message, netip.Addr{})
	fmt.Println(verdict.Admitted(), verdict.Fault.SOA.Code, verdict.Fault.ID)
	// Output:
	// record: admitted, _0123456789abcdef0123456789abcdef
	// true decision-1
	// record: refused, message replayed
	// false SOA-01001 decision-1
}
