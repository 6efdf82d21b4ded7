package sts_test

import (
	"context"
	"testing"

	"sceau/internal/testpki"
	"sceau/sts"
	"sceau/sts/ststest"
)

func BenchmarkAttributeQuery(b *testing.B) {
	pki := testpki.Load()
	for _, c := range []struct {
		name             string
		identity, holder *testpki.Leaf
		sts              *testpki.Leaf
	}{
		{"RSA-RSA", &pki.AliceEID, &pki.AliceEHealth, &pki.STS},
		{"RSA-P256", &pki.AliceEID, &pki.AliceEHealth, &pki.STSP256},
		{"P256-P256", &pki.AliceEIDP256, &pki.AliceEHealth, &pki.STSP256},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := ststest.New(b, func(f *ststest.Fixture, config *sts.Config) {
				f.SignWith(b, c.sts)
				config.Security.Replay = ststest.Forgetful{}
			})
			message := sts.Message{Body: f.Message(b, ststest.Query{Identity: c.identity, Holder: c.holder})}
			out := f.Service.AttributeQuery(context.Background(), &message, nil)
			f.Certificates.Settle()
			b.ReportAllocs()
			for b.Loop() {
				out = f.Service.AttributeQuery(context.Background(), &message, out.Body[:0])
				if out.Status != 200 {
					b.Fatal(string(out.Body))
				}
			}
		})
	}
}
