package main

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/soap"
	"sceau/sts"
	"sceau/wsc"
	"sceau/wsp"
	"sceau/wsp/echo"
)

// keysRun runs stsd keys on a configuration.
func keysRun(t *testing.T, config string, arguments ...string) string {
	t.Helper()
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append(append([]string{"keys"}, arguments...), "--config", config))
	if err := root.Execute(); err != nil {
		t.Fatalf("keys %v: %v\n%s", arguments, err, out.String())
	}
	return out.String()
}

// withFolder moves the one key of the demonstration into a schedule, under the name old,
// and adds settings to the configuration.
func withFolder(t *testing.T, settings string) func(dir, config string) string {
	return func(dir, config string) string {
		config = strings.Replace(config, "  key: pki/sts.key\n  certificate: pki/sts.pem\n", "  dir: keys\n"+settings, 1)
		path := filepath.Join(dir, "stsd.yaml")
		writeConfig(t, path, config)
		pki := filepath.Join(dir, "pki", "sts")
		keysRun(t, path, "add", "old", "--key", pki+".key", "--certificate", pki+".pem")
		keysRun(t, path, "rollover", "old", "--now")
		return config
	}
}

// published fetches the published certificates as a relying party does.
func published(t *testing.T, url string) (ders [][]byte, text string) {
	t.Helper()
	response, err := http.Get(url + certificates)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 || response.Header.Get("Content-Type") != "application/x-pem-file" || response.Header.Get("ETag") == "" {
		t.Fatalf("%s %v %v", response.Status, response.Header, err)
	}
	for rest := body; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return ders, string(body)
		}
		ders = append(ders, block.Bytes)
	}
}

// A relyingParty pins certificates of the STS, and guards a service with them.
type relyingParty struct {
	client *wsc.Client
	url    string
}

func newRelyingParty(t *testing.T, d *demo, pinned [][]byte) *relyingParty {
	t.Helper()
	pki := func(name string) string { return filepath.Join(d.dir, "pki", name) }
	authority := func(name string) *certs.Authority {
		ders, err := certs.ReadCertificates(pki(name))
		if err != nil {
			t.Fatal(err)
		}
		return &certs.Authority{Certificate: ders[0]}
	}
	issuer := certs.TokenIssuer()
	issuer.Pinned = pinned
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots, holder.Intermediates = []*certs.Authority{authority("ehealth-root.pem")}, []*certs.Authority{authority("ehealth-ca.pem")}
	trust, err := certs.NewVerifier(certs.Config{Profiles: []certs.Profile{issuer, holder},
		CRL: certs.CRLConfig{Files: []string{pki("crl")}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trust.Close() })
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: trust, Issuers: []string{sts.IssuerName}, Replay: soap.NewMemoryReplay(100_000), Skew: time.Minute, Log: slog.New(slog.DiscardHandler),
		Require: []wsp.Requirement{{Designator: attrs.Designator{Name: doctorBoolean, Namespace: attrs.NamespaceCertified}, Values: []string{"true"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.Close)
	server := httptest.NewServer(echo.Handler(guard))
	t.Cleanup(server.Close)
	r := &relyingParty{url: server.URL + "/echo"}
	if r.client, err = wsc.NewClient(wsc.Config{Trust: trust}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *relyingParty) call(t *testing.T, token *wsc.Token) error {
	_, err := r.client.Call(t.Context(), r.url, "urn:example:demo:Ask", token, []byte(`<demo:Ask xmlns:demo="urn:example:demo"/>`))
	return err
}

// load asks for tokens and calls the guarded service with each, until stop.
type load struct {
	mu     sync.Mutex
	tokens []*wsc.Token
	asked  atomic.Int64
	wait   sync.WaitGroup
	done   chan struct{}
}

func startLoad(t *testing.T, v *served, d *demo, r *relyingParty, failed func(error)) *load {
	t.Helper()
	alice, err := d.credentials("alice", "alice")
	if err != nil {
		t.Fatal(err)
	}
	l := &load{done: make(chan struct{})}
	for range 4 {
		l.wait.Go(func() {
			for {
				select {
				case <-l.done:
					return
				default:
				}
				token, err := r.client.Token(t.Context(), v.url, alice, request(doctorBoolean)) // verifies the assertion
				if err == nil {
					err = r.call(t, token)
				}
				if err != nil {
					failed(err)
					continue
				}
				l.mu.Lock()
				l.tokens = append(l.tokens, token)
				l.mu.Unlock()
				l.asked.Add(1)
			}
		})
	}
	return l
}

func (l *load) stop() []*wsc.Token {
	close(l.done)
	l.wait.Wait()
	return l.tokens
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 3000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// TestRolloverUnderLoad: while clients ask and a guard that fetched the certificates
// before is called, another key begins to sign: no request fails, every assertion
// verifies with a published certificate, and those of before are admitted after.
func TestRolloverUnderLoad(t *testing.T) {
	v, d := startDemoServerWith(t, func(dir, config string) string {
		config = withFolder(t, "  publish-ahead: 0s\n")(dir, config)
		keysRun(t, filepath.Join(dir, "stsd.yaml"), "generate", "new", "--algorithm", "p256", "--subject", "C=BE, CN=STS new", "--self-signed")
		return config
	})
	pinned, text := published(t, v.url)
	if len(pinned) != 2 || !strings.HasPrefix(text, "# old: current; signs from ") || !strings.Contains(text, "# new: next; not scheduled yet; certificate valid from ") {
		t.Fatalf("published before:\n%s", text)
	}
	if n := strings.Count(metadataOf(t, v.url), "KeyDescriptor use="); n != 2 {
		t.Errorf("%d keys in the metadata", n)
	}
	guard := newRelyingParty(t, d, pinned)
	l := startLoad(t, v, d, guard, func(err error) { t.Error(err) })
	eventually(t, "tokens of the old key", func() bool { return l.asked.Load() > 20 })
	keysRun(t, v.path, "rollover", "new", "--at", time.Now().Add(2*time.Second).Format(time.RFC3339))
	v.waitLog(t, `msg="signing key changed" before=old key=new`)
	changed := l.asked.Load()
	eventually(t, "tokens of the new key", func() bool { return l.asked.Load() > changed+20 })
	tokens := l.stop()
	byOld, byNew := 0, 0
	for _, token := range tokens {
		old := strings.Contains(string(token.Assertion()), base64.StdEncoding.EncodeToString(pinned[0]))
		if fresh := strings.Contains(string(token.Assertion()), base64.StdEncoding.EncodeToString(pinned[1])); fresh == old {
			t.Fatal("signed by neither, or both")
		}
		if old {
			byOld++
		} else {
			byNew++
		}
	}
	if byOld < 20 || byNew < 20 {
		t.Errorf("%d tokens by the old key, %d by the new", byOld, byNew)
	}
	// The first is of the old key, and lives: whoever has the certificates admits it still.
	for _, token := range []*wsc.Token{tokens[0], tokens[len(tokens)-1]} {
		if err := guard.call(t, token); err != nil {
			t.Errorf("after the change: %v", err)
		}
	}
	after, text := published(t, v.url)
	if len(after) != 2 || !bytes.Equal(after[0], pinned[1]) || !strings.HasPrefix(text, "# new: current; ") || !strings.Contains(text, "# old: retired; ") {
		t.Errorf("published after:\n%s", text)
	}
	late := newRelyingParty(t, d, after)
	if err := late.call(t, tokens[0]); err != nil {
		t.Errorf("an assertion of before, and certificates of after: %v", err)
	}
	t.Logf("%d tokens by the old key, %d by the new, none refused", byOld, byNew)

	// The old key is retired before its time: its assertions are refused by who follows.
	keysRun(t, v.path, "retire", "old", "--force")
	eventually(t, "withdrawn", func() bool { ders, _ := published(t, v.url); return len(ders) == 1 })
	ders, _ := published(t, v.url)
	strict := newRelyingParty(t, d, ders)
	if err := strict.call(t, tokens[0]); err == nil {
		t.Error("an assertion of a withdrawn key is admitted")
	}
	if err := strict.call(t, tokens[len(tokens)-1]); err != nil {
		t.Error(err)
	}
	if body := adminGet(t, v, "/metrics"); !strings.Contains(body, `sceau_signing_key_info{active="true",algorithm="P-256",key="new",state="current"} 1`) ||
		!strings.Contains(body, `sceau_signing_key_info{active="false",algorithm="RSA-2048",key="old",state="gone"} 1`) ||
		!strings.Contains(body, "sceau_signing_key_overdue 0") {
		t.Errorf("metrics:\n%s", body)
	}
}

func adminGet(t *testing.T, v *served, path string) string {
	t.Helper()
	response, err := http.Get("http://" + v.config.Admin.V + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d\n%s", response.StatusCode, body)
}

// TestScheduleRefused: a schedule that is not good leaves everything as it was, and is
// told once.
func TestScheduleRefused(t *testing.T) {
	v, _ := startDemoServerWith(t, withFolder(t, ""))
	before, _ := published(t, v.url)
	path := filepath.Join(v.dir, "keys", keyFileName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(good, "  - id: other\n    key: none.key\n    certificate: none.pem\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	const said = "the schedule of the signing keys was refused"
	v.waitLog(t, said)
	time.Sleep(2 * keyInterval)
	if n := strings.Count(v.log.String(), said); n != 1 {
		t.Errorf("told %d times", n)
	}
	if after, _ := published(t, v.url); len(after) != 1 || !bytes.Equal(after[0], before[0]) {
		t.Error("it changed something")
	}
	if !strings.HasPrefix(adminGet(t, v, "/healthz/ready"), "200\n") {
		t.Error("not ready")
	}
	if err := os.WriteFile(path, append(good, "\n# mended\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	v.waitLog(t, "schedule of the signing keys read")
}

// leavingKey signs until it is gone.
type leavingKey struct {
	crypto.Signer
	gone atomic.Bool
}

func (k *leavingKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.gone.Load() {
		return nil, errors.New("the token is away")
	}
	return k.Signer.Sign(r, digest, opts)
}

// TestTurnKeys follows a schedule with a clock that is set: a key that cannot begin, one
// that can, an end of publication, warnings once a day, an expired key.
func TestTurnKeys(t *testing.T) {
	d := &demo{dir: t.TempDir(), out: io.Discard}
	if err := d.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	path, log, p := filepath.Join(d.dir, "stsd.yaml"), &lockedBuffer{}, &problems{}
	config := withFolder(t, "  publish-after: 48h\n")(d.dir, demoConfig("127.0.0.1:1", "127.0.0.1:2"))
	writeConfig(t, path, config)
	keysRun(t, path, "generate", "next", "--algorithm", "p256", "--subject", "C=BE, CN=STS", "--self-signed", "--days", "100")
	keysRun(t, path, "rollover", "next")
	s := build(readConfig(path, p), p, slog.New(slog.NewTextHandler(log, nil)))
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	const day = 24 * time.Hour
	began := time.Now()
	at := began
	s.now = func() time.Time { return at }
	said := func(text string) int { return strings.Count(log.String(), text) }
	turn := func(after time.Duration) { at = began.Add(after); s.turnKeys() }

	// The key behind the next one's signer may leave.
	keys := append([]certs.ScheduledKey(nil), s.keys.set.Keys()...)
	away := &leavingKey{Signer: keys[1].Signer}
	var err error
	if keys[1].Signer, err = certs.NewSigner(away, [][]byte{keys[1].Certificate.Raw()}, began.Add(day)); err != nil {
		t.Fatal(err)
	}
	schedule := s.config.keySchedule()
	schedule.Keys = keys
	if s.keys.set, err = certs.NewKeySet(schedule); err != nil {
		t.Fatal(err)
	}

	turn(7*day - time.Minute)
	if s.active != "old" || said("signing key changed") != 0 {
		t.Fatalf("%s signs before its time", s.active)
	}
	away.gone.Store(true)
	turn(7*day + time.Second)
	turn(7*day + 2*time.Second)
	if s.active != "old" || said("the signing key whose turn it is cannot sign") != 1 || s.rollover.overdue == nil {
		t.Fatalf("%s signs; said\n%s", s.active, log)
	}
	if text, err := s.certificates(); err != nil || !strings.HasPrefix(string(text), "# old: current; ") || !strings.Contains(string(text), "# next: next; ") {
		t.Errorf("%s, %v", text, err)
	}
	away.gone.Store(false)
	turn(7*day + 20*time.Second)
	if s.active != "next" || s.rollover.overdue != nil || said("signing key changed") != 1 {
		t.Fatalf("%s signs; said\n%s", s.active, log)
	}
	if text, _ := s.certificates(); !strings.HasPrefix(string(text), "# next: current; ") || !strings.Contains(string(text), "# old: retired; ") {
		t.Errorf("%s", text)
	}
	turn(9*day + time.Minute)
	if text, _ := s.certificates(); strings.Contains(string(text), "# old") {
		t.Errorf("published after its time:\n%s", text)
	}
	if said("the signing certificate ends") != 0 {
		t.Error("warned months before")
	}
	turn(71 * day)
	turn(71*day + time.Hour)
	if n := said("the signing certificate ends"); n != 1 {
		t.Errorf("warned %d times on one day", n)
	}
	turn(72*day + time.Minute)
	if n := said("the signing certificate ends"); n != 2 {
		t.Errorf("warned %d times in two days", n)
	}
	if err := s.signerReady(); err != nil {
		t.Error(err)
	}
	turn(101 * day) // nobody rolled over: what is expired signs nothing, and no other takes its place
	if err := s.signerReady(); certs.ReasonOf(err) != certs.Expired || s.active != "next" {
		t.Errorf("%v, %s", err, s.active)
	}
}
