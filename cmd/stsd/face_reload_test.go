package main

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// TestFaceWithdrawn: a face that the file no longer names is there until a restart, and until then an authority is told of it.
func TestFaceWithdrawn(t *testing.T) {
	plain := ""
	v, _ := startDemoServerWith(t, func(dir, config string) string {
		var bound []net.Listener
		for range 3 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			bound = append(bound, l)
		}
		if err := (&demo{dir: dir}).prepareOIDC(bound[0], bound[1], bound[2]); err != nil {
			t.Fatal(err)
		}
		for _, l := range bound {
			l.Close()
		}
		plain = config
		return config + "oidc: oidc.yaml\n"
	})
	texts := func() int {
		v.mu.RLock()
		defer v.mu.RUnlock()
		return len(v.faceTexts)
	}
	if texts() != 2 {
		t.Fatalf("%d texts", texts())
	}
	if err := os.WriteFile(v.path, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	v.hangup <- syscall.SIGHUP
	v.waitLog(t, "only after a restart")
	if texts() != 2 {
		t.Errorf("%d texts of a face that is in force", texts())
	}
}
