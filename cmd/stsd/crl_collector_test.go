package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"sceau/certs"
	"sceau/internal/testpki"
)

// TestCollectorsOfTwoKeys: an authority that has changed its key stands twice in a
// configuration, under one name, and a file may have any name. Neither may take the
// metrics, or the process, away.
func TestCollectorsOfTwoKeys(t *testing.T) {
	pki, dir := testpki.Load(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "list\xe9.crl"), pki.CRLs()[3], 0o600); err != nil {
		t.Skip("the file system has names in UTF-8 only")
	}
	p := certs.BelgianEID()
	for _, der := range [][]byte{pki.CitizenCA.DER(), pki.StrangerCA.DER()} {
		p.Roots = append(p.Roots, &certs.Authority{Certificate: der, OCSP: &certs.OCSP{Mode: certs.OCSPSoft, Responders: []string{"http://ocsp.example"}}})
	}
	v, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{p}, Now: testpki.Now, Log: slog.New(slog.DiscardHandler), CRL: certs.CRLConfig{Files: []string{dir}}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s := &system{verifier: v, now: testpki.Now}
	if a := v.Status(testpki.Now()).Authorities; a[0].Subject != a[1].Subject || len(a[0].Sources)+len(a[1].Sources) == 0 {
		t.Fatalf("%+v", a)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(crlCollector{s}, ocspCollector{s})
	families, err := registry.Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if f.GetName() == "sceau_crl_usable" && len(f.Metric) != 2 {
			t.Errorf("%v", f)
		}
	}
}
