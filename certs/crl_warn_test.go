package certs_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sceau/certs"
	"sceau/internal/testpki"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestWarnsBeforeItIsLate: an operator reads of a list that is not renewed before
// anybody is refused, once for each change, and of its end.
func TestWarnsBeforeItIsLate(t *testing.T) {
	pki := testpki.Load()
	dir := files(t, sign(t, pki.CitizenCA, list()))
	for _, tt := range []struct {
		policy certs.Revocation
		want   []string // lines in their order, within two days
	}{
		{certs.Revocation{}, []string{"level=WARN msg=\"CRL ends soon", "level=ERROR msg=\"no usable CRL"}},
		{certs.Revocation{Mode: certs.Grace, Grace: 6 * time.Hour}, []string{"level=WARN msg=\"CRL ends soon", "level=WARN msg=\"CRL is not fresh", "level=ERROR msg=\"no usable CRL"}},
		{certs.Revocation{Mode: certs.Off}, []string{"level=WARN msg=\"CRL ends soon", "level=WARN msg=\"CRL is not fresh"}},
	} {
		t.Run(tt.policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said lockedBuffer
				c := anchored(pki.CitizenCA, tt.policy)
				c.CRL.Files, c.Log = []string{dir}, logTo(&said)
				began := time.Now()
				c.Now = func() time.Time { return testpki.Now().Add(time.Since(began)) }
				v, err := certs.NewVerifier(c)
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				time.Sleep(48 * time.Hour)
				synctest.Wait()
				text := said.String()
				for _, want := range tt.want {
					_, rest, found := strings.Cut(text, want)
					if !found {
						t.Fatalf("%q is missing, or not in its place, in\n%s", want, said.String())
					}
					text = rest
				}
				if n := strings.Count(said.String(), "level=WARN") + strings.Count(said.String(), "level=ERROR"); n != len(tt.want)+strings.Count(said.String(), "revocation is not checked") {
					t.Errorf("%d warnings\n%s", n, said.String())
				}
			})
		})
	}
}
