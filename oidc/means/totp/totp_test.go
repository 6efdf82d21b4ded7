package totp

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"sceau/oidc/authn"
	"sceau/oidc/means/limit"
)

// fixed are secrets by account.
type fixed map[string][]byte

func (f fixed) Secret(_ context.Context, a *authn.Account) ([]byte, error) {
	if s := f[a.ID]; s != nil {
		return s, nil
	}
	return nil, ErrNotEnrolled
}

type noSecrets struct{ error }

func (n noSecrets) Secret(context.Context, *authn.Account) ([]byte, error) { return nil, n.error }

type noSteps struct{ error }

func (n noSteps) Use(context.Context, string, int64) (bool, error) { return false, n.error }

// The secrets of RFC 6238 appendix B.
var (
	seed20 = []byte("12345678901234567890")
	seed32 = []byte("12345678901234567890123456789012")
	seed64 = []byte("1234567890123456789012345678901234567890123456789012345678901234")
)

func newVerifier(t *testing.T, c Config) *Verifier {
	t.Helper()
	if c.Steps == nil {
		c.Steps = &MemorySteps{}
	}
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVectors are those of RFC 6238 appendix B.
func TestVectors(t *testing.T) {
	for _, tt := range []struct {
		algorithm Algorithm
		secret    []byte
		unix      int64
		code      string
	}{
		{SHA1, seed20, 59, "94287082"}, {SHA256, seed32, 59, "46119246"}, {SHA512, seed64, 59, "90693936"},
		{SHA1, seed20, 1111111109, "07081804"}, {SHA256, seed32, 1111111109, "68084774"}, {SHA512, seed64, 1111111109, "25091201"},
		{SHA1, seed20, 1111111111, "14050471"}, {SHA256, seed32, 1111111111, "67062674"}, {SHA512, seed64, 1111111111, "99943326"},
		{SHA1, seed20, 1234567890, "89005924"}, {SHA256, seed32, 1234567890, "91819424"}, {SHA512, seed64, 1234567890, "93441116"},
		{SHA1, seed20, 2000000000, "69279037"}, {SHA256, seed32, 2000000000, "90698825"}, {SHA512, seed64, 2000000000, "38618901"},
		{SHA1, seed20, 20000000000, "65353130"}, {SHA256, seed32, 20000000000, "77737706"}, {SHA512, seed64, 20000000000, "47863826"},
	} {
		v := newVerifier(t, Config{Secrets: fixed{"a": tt.secret}, Digits: 8, Algorithm: tt.algorithm})
		if err := v.Verify(t.Context(), &authn.Account{ID: "a"}, tt.code, time.Unix(tt.unix, 0)); err != nil {
			t.Errorf("%s at %d: %v", tt.algorithm, tt.unix, err)
		}
	}
}

var start = time.Unix(1111111110, 0) // the first second of a step

func code(t *testing.T, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", at) // seed20
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWindow(t *testing.T) {
	for name, tt := range map[string]struct {
		of   time.Duration
		want error
	}{
		"this step":      {0, nil},
		"the one before": {-Period, nil},
		"the one after":  {Period, nil},
		"two before":     {-2 * Period, ErrWrong},
		"two after":      {2 * Period, ErrWrong},
		"an hour before": {-time.Hour, ErrWrong},
	} {
		v := newVerifier(t, Config{Secrets: fixed{"a": seed20}})
		if err := v.Verify(t.Context(), &authn.Account{ID: "a"}, code(t, start.Add(tt.of)), start); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReplay: who saw a code cannot use it again, nor one that is older than it, nor for two sessions at once.
func TestReplay(t *testing.T) {
	v := newVerifier(t, Config{Secrets: fixed{"a": seed20, "b": seed20}})
	a := &authn.Account{ID: "a"}
	for i, tt := range []struct {
		of   time.Duration
		want error
	}{{0, nil}, {0, ErrUsed}, {-Period, ErrUsed}, {Period, nil}, {0, ErrUsed}, {Period, ErrUsed}} {
		if err := v.Verify(t.Context(), a, code(t, start.Add(tt.of)), start); !errors.Is(err, tt.want) {
			t.Errorf("%d: %v, want %v", i, err, tt.want)
		}
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	c := code(t, start)
	for range 3 {
		all.Go(func() {
			if v.Verify(t.Context(), &authn.Account{ID: "b"}, c, start) == nil {
				mu.Lock()
				taken++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if taken != 1 {
		t.Errorf("one code was taken %d times at once", taken)
	}
}

func TestWrong(t *testing.T) {
	right := code(t, start)
	for _, c := range []string{"", "0", right + "0", right[:5], " " + right, right + "\x00", strings.Repeat("0", 1<<16), "٠٠٠٠٠٠"} {
		v := newVerifier(t, Config{Secrets: fixed{"a": seed20}})
		if err := v.Verify(t.Context(), &authn.Account{ID: "a"}, c, start); !errors.Is(err, ErrWrong) {
			t.Errorf("%.20q: %v", c, err)
		}
	}
}

// TestGuesses: after three wrong codes the right one waits too, and of another account it does not.
func TestGuesses(t *testing.T) {
	v := newVerifier(t, Config{Secrets: fixed{"a": seed20, "b": seed20}})
	a, right := &authn.Account{ID: "a"}, code(t, start)
	for range 3 {
		if err := v.Verify(t.Context(), a, "none", start); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	var many *TooMany
	if err := v.Verify(t.Context(), a, right, start); !errors.As(err, &many) || many.Wait != Period {
		t.Errorf("%v", err)
	}
	if err := v.Verify(t.Context(), &authn.Account{ID: "b"}, right, start); err != nil {
		t.Errorf("another account: %v", err)
	}
	later := start.Add(Period)
	if err := v.Verify(t.Context(), a, code(t, later), later); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// TestOutage: what cannot be known admits nobody.
func TestOutage(t *testing.T) {
	down := errors.New("down")
	a := &authn.Account{ID: "a"}
	for name, tt := range map[string]struct {
		Config
		account *authn.Account
		want    error
	}{
		"no secrets":      {Config{Secrets: noSecrets{down}}, a, down},
		"no steps":        {Config{Secrets: fixed{"a": seed20}, Steps: noSteps{down}}, a, down},
		"not enrolled":    {Config{Secrets: fixed{}}, a, ErrNotEnrolled},
		"nobody":          {Config{Secrets: fixed{"": seed20}}, &authn.Account{}, ErrNotEnrolled},
		"nothing":         {Config{Secrets: fixed{"": seed20}}, nil, ErrNotEnrolled},
		"a short secret":  {Config{Secrets: fixed{"a": seed20[:15]}}, a, nil},
		"an empty secret": {Config{Secrets: fixed{"a": {}}}, a, nil},
	} {
		v := newVerifier(t, tt.Config)
		err := v.Verify(t.Context(), tt.account, code(t, start), start)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v := newVerifier(t, Config{Secrets: noSecrets{down}})
	if is, err := v.Enrolled(t.Context(), a); is || !errors.Is(err, down) {
		t.Errorf("enrolled: %t, %v", is, err)
	}
	v = newVerifier(t, Config{Secrets: fixed{"a": seed20}})
	if is, err := v.Enrolled(t.Context(), a); !is || err != nil {
		t.Errorf("enrolled: %t, %v", is, err)
	}
	if is, err := v.Enrolled(t.Context(), &authn.Account{ID: "b"}); is || err != nil {
		t.Errorf("enrolled: %t, %v", is, err)
	}
}

func TestConfig(t *testing.T) {
	right := Config{Secrets: fixed{}, Steps: &MemorySteps{}}
	for name, change := range map[string]func(*Config){
		"no secrets":   func(c *Config) { c.Secrets = nil },
		"no steps":     func(c *Config) { c.Steps = nil },
		"five digits":  func(c *Config) { c.Digits = 5 },
		"nine digits":  func(c *Config) { c.Digits = 9 },
		"MD5":          func(c *Config) { c.Algorithm = "MD5" },
		"half a bound": func(c *Config) { c.Guesses = limit.Config{Free: 3} },
	} {
		c := right
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSeal(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := file("one", base64.StdEncoding.EncodeToString([]byte(seed32))+"\n")
	two := file("two", base64.StdEncoding.EncodeToString([]byte(seed64[5:37]))+"\n")
	old, err := LoadSeal(one)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := old.Seal("a", seed20)
	if err != nil || strings.Contains(string(sealed), string(seed20)) {
		t.Fatal("it can be read", err)
	}
	rotated, err := LoadSeal(two, one)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := rotated.Open("a", sealed); err != nil || string(secret) != string(seed20) {
		t.Errorf("%v", err)
	}
	newer, err := rotated.Seal("a", seed20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open("a", newer); err == nil {
		t.Error("the old key opened what the new one sealed")
	}
	for i := range sealed {
		broken := append([]byte(nil), sealed...)
		broken[i] ^= 1
		if _, err := rotated.Open("a", broken); err == nil {
			t.Errorf("octet %d does not matter", i)
		}
	}
	for name, tt := range map[string]struct {
		account string
		sealed  []byte
	}{"another account": {"b", sealed}, "nobody": {"", sealed}, "nothing": {"a", nil}, "the version": {"a", sealed[:1]}, "a part": {"a", sealed[:14]}} {
		if _, err := old.Open(tt.account, tt.sealed); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	var none *Seal
	if _, err := none.Seal("a", seed20); err == nil {
		t.Error("sealed without a key")
	}
	for name, files := range map[string][]string{
		"no file": nil, "not there": {filepath.Join(dir, "none")}, "short": {file("short", "AAAA")}, "not base64": {file("text", strings.Repeat("!", 44))},
		"one of two": {one, file("empty", "")},
	} {
		if _, err := LoadSeal(files...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestURL(t *testing.T) {
	v := newVerifier(t, Config{Secrets: fixed{}, Digits: 8, Algorithm: SHA256})
	u, err := url.Parse(v.URL("Hôpital & co", "alice?", seed20))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Hôpital & co:alice?" || q.Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" ||
		q.Get("digits") != "8" || q.Get("algorithm") != "SHA256" || q.Get("issuer") != "Hôpital & co" {
		t.Errorf("%s", u)
	}
	if a, b := NewSecret(), NewSecret(); len(a) != 20 || string(a) == string(b) {
		t.Error("secrets that are none")
	}
}

// TestRoom: old steps make room, and where there is none nobody is admitted.
func TestRoom(t *testing.T) {
	m := &MemorySteps{}
	for i := range maxSteps {
		if ok, err := m.Use(t.Context(), strconv.Itoa(i), 1); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if ok, err := m.Use(t.Context(), "new", 2); ok || err == nil {
		t.Errorf("%t, %v", ok, err)
	}
	if ok, err := m.Use(t.Context(), "new", 100); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
}
