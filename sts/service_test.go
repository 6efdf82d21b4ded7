package sts_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"sceau/internal/testpki"
	"sceau/sts"
	"sceau/sts/ststest"
)

func ask(f *ststest.Fixture, message []byte) (int, string) {
	a := f.Service.AttributeQuery(context.Background(), &sts.Message{Body: message}, nil)
	return a.Status, string(a.Body)
}

func TestModes(t *testing.T) {
	pki := testpki.Load()
	for name, q := range map[string]ststest.Query{
		"session":        {Identity: &pki.AliceEID, Holder: &pki.AliceEHealth},
		"session P-256":  {Identity: &pki.AliceEIDP256, Holder: &pki.AliceEHealthP256},
		"session P-384":  {Identity: &pki.AliceEIDP384, Holder: &pki.AliceEHealth},
		"eID only":       {Identity: &pki.AliceEID, Holder: &pki.AliceEID},
		"fallback":       {Identity: &pki.AliceEHealth, Holder: &pki.AliceEHealthP256},
		"fallback, same": {Identity: &pki.AliceEHealth, Holder: &pki.AliceEHealth},
	} {
		t.Run(name, func(t *testing.T) {
			f := ststest.New(t, nil)
			message := f.Message(t, q)
			keep(t, name, "success", "what is asked in this mode", message)
			status, body := ask(f, message)
			if status != http.StatusOK || !strings.Contains(body, `Value="samlp:Success"`) || !strings.Contains(body, "<AttributeValue>"+testpki.AliceNIHII+"</AttributeValue>") {
				t.Fatalf("%d\n%s", status, body)
			}
		})
	}
}
