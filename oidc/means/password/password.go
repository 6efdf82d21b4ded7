// Package password is the means of a name and a password, with a one-time code as second factor where it is asked for or had. Who
// knows the names and passwords is another package: [sceau/oidc/means/directory], [sceau/oidc/means/people].
//
//	means, err := password.New(password.Config{
//		Verifier: accounts, Code: codes, Second: password.Required,
//	})
//
// # What a stranger learns
//
// Nothing of which names exist. A wrong password, an unknown name, a closed account and one that the directory refuses are one
// refusal, authn.NotProven, which leaves at a multiple of a quantum after the request came, so that neither what a directory
// does for a name that it has nor what a slow hash costs shows in the time. The quantum is Config.Quantum, and longer while
// verifying takes long; at most Config.Parallel passwords are verified at once. Attempts are counted by the name that was typed,
// whether there is one or not, and by the address that it came from, before they are judged; too many are refused without
// asking anybody (authn.TooMany, with the time to wait). A wait doubles with each failure and has an end: someone else's
// guesses keep nobody out for good.
//
// # What it proves
//
//	password alone            pwd
//	password and code         pwd otp mfa
//
// (RFC 8176). The time of the proof is that of the last factor. A person has five minutes and five codes between the two.
package password

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sceau/oidc/authn"
	"sceau/oidc/means/limit"
	"sceau/oidc/means/totp"
	"sceau/oidc/page"
)

// A Verifier knows whose password it is. It is safe for concurrent use.
type Verifier interface {
	// Verify gives the account of a name and a password, or an error that is ErrRejected, whose text says why to the operator and
	// names nobody. Any other error is an outage. An empty password is rejected. An account with an entry whose name has another
	// limit.Name than the one that was typed is not found. It does as much for a name that is not there, or whose account is closed,
	// as for one whose password is wrong: what is left of a difference is all that a quantum has to hide.
	Verify(ctx context.Context, username, password string) (*authn.Account, error)
}

// ErrRejected says that a name and a password prove nothing.
var ErrRejected = errors.New("password: rejected")

// A Rejection is an ErrRejected with a cause for the operator, which names nobody.
type Rejection struct{ Cause error }

func (r *Rejection) Error() string        { return r.Cause.Error() }
func (r *Rejection) Is(target error) bool { return target == ErrRejected }
func (r *Rejection) Unwrap() error        { return r.Cause }

// Second says whether there is a second factor.
type Second uint8

// Second factors. The zero Second is refused: an operator says what he wants.
const (
	_        Second = iota
	Without         // the password alone
	IfHad           // of those who have a device
	Required        // of everybody; who has no device is not enrolled
)

// Config says how it is done.
type Config struct {
	Verifier Verifier
	Second   Second
	Codes    *totp.Verifier // unless Without

	// Names and Addresses bound the attempts. limit.Names and limit.Addresses if zero.
	Names, Addresses limit.Config

	// Address is the key of who asks; limit.Address of the RemoteAddr if nil. Behind a proxy it has to be another.
	Address func(*http.Request) string

	// Quantum is of what the time of a refusal is a multiple. Half a second if zero. While verifying takes more than half of it, it is
	// raised, up to 16 times, and the log says so.
	Quantum time.Duration

	// Parallel is how many passwords are verified at once; 32 if zero. Sixteen times as many wait in line; more are told to wait.
	Parallel int

	// Log is for the operator; nil: slog's default.
	Log *slog.Logger
}

// Means is the means. New makes it.
type Means struct {
	config           Config
	names, addresses *limit.Limiter
	pace             *pace
	line             line
	log              *slog.Logger

	// Others in tests.
	clock func() time.Time
	pause func(context.Context, time.Duration)
}

// New makes the means.
func New(c Config) (*Means, error) {
	switch {
	case c.Verifier == nil:
		return nil, errors.New("password: nobody who verifies")
	case c.Second == 0 || c.Second > Required:
		return nil, errors.New("password: not said whether there is a second factor")
	case (c.Second == Without) != (c.Codes == nil):
		return nil, errors.New("password: a second factor needs a verifier of codes, and no second factor needs none")
	case c.Quantum < 0:
		return nil, errors.New("password: a negative time")
	case c.Parallel < 0:
		return nil, errors.New("password: nobody is verified")
	}
	if c.Quantum == 0 {
		c.Quantum = 500 * time.Millisecond
	}
	if c.Parallel == 0 {
		c.Parallel = 32
	}
	if c.Names == (limit.Config{}) {
		c.Names = limit.Names()
	}
	if c.Addresses == (limit.Config{}) {
		c.Addresses = limit.Addresses()
	}
	if c.Address == nil {
		c.Address = func(r *http.Request) string { return limit.Address(r.RemoteAddr) }
	}
	m := &Means{config: c, pace: newPace(c.Quantum), line: newLine(c.Parallel), log: c.Log, clock: time.Now, pause: sleep}
	if m.log == nil {
		m.log = slog.Default()
	}
	var wrong [2]error
	m.names, wrong[0] = limit.New(c.Names)
	m.addresses, wrong[1] = limit.New(c.Addresses)
	if err := errors.Join(wrong[:]...); err != nil {
		return nil, err
	}
	return m, nil
}

// References implements authn.Means.
func (m *Means) References() []string {
	if m.config.Second == Required {
		return []string{"pwd", "otp", "mfa"}
	}
	return []string{"pwd"}
}

// state is what is kept between the password and the code.
type state struct {
	Account *authn.Account // whose password was right
	At      time.Time      // when
	Codes   int            // how many were tried
}

// Bounds of what comes between the factors, and of a form.
const (
	codeTime  = 5 * time.Minute
	codeTries = 5
	maxForm   = 16 << 10
	maxName   = 256
	maxSecret = 1024
)

// Serve implements authn.Means.
func (m *Means) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	st, err := m.state(a)
	if err != nil {
		return nil, err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		m.ask(w, r, a, st)
		return nil, nil
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return nil, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, &authn.Refusal{Reason: authn.NotProven, Cause: errors.New("password: a form that cannot be read")}
	}
	if st.Account != nil {
		return m.code(r, a, st)
	}
	return m.password(w, r, a)
}

// state reads what is kept of the attempt. A password that was proven long ago is to be proven again.
func (m *Means) state(a *authn.Attempt) (st state, err error) {
	if len(a.State) > 0 {
		if err := json.Unmarshal(a.State, &st); err != nil {
			return state{}, errors.New("password: the state of the attempt cannot be read")
		}
	}
	if st.Account != nil && (m.config.Codes == nil || a.Now.Sub(st.At) > codeTime || st.Codes >= codeTries) {
		a.State = nil
		return state{}, nil
	}
	return st, nil
}

func (a state) keep(to *authn.Attempt) error {
	octets, err := json.Marshal(a)
	to.State = octets
	return err
}

// ask shows the form of the factor that is wanted.
func (m *Means) ask(w http.ResponseWriter, r *http.Request, a *authn.Attempt, st state) {
	var reason authn.Reason
	var after time.Duration
	if a.Refused != nil {
		reason, after = a.Refused.Reason, a.Refused.RetryAfter
	}
	if st.Account != nil {
		a.Pages.Write(w, r, http.StatusOK, page.OneTimeCode{Action: a.URL, Digits: m.config.Codes.Digits(), Refused: reason, RetryAfter: after, Return: a.ReturnURL})
		return
	}
	hint := ""
	if plausible(a.Hint, maxName) {
		hint = a.Hint
	}
	a.Pages.Write(w, r, http.StatusOK, page.Password{Action: a.URL, Username: hint, Refused: reason, RetryAfter: after, Return: a.ReturnURL})
}

// plausible says whether a text can be a name: no line ends, no octets that are no text.
func plausible(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// one gives the value of a field that stands in a form once.
func one(r *http.Request, field string) string {
	if values := r.PostForm[field]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// password judges the first factor.
func (m *Means) password(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	came := m.clock()
	username, secret := strings.TrimSpace(one(r, "username")), one(r, "password")
	name, address := "name\x00"+limit.Name(username), m.config.Address(r)
	if wait := m.addresses.Try(a.Now, address); wait > 0 {
		return nil, &authn.Refusal{Reason: authn.TooMany, RetryAfter: wait, Cause: errors.New("password: of the address")}
	}
	if wait := m.names.Try(a.Now, name); wait > 0 {
		return nil, &authn.Refusal{Reason: authn.TooMany, RetryAfter: wait, Cause: errors.New("password: of the name")}
	}
	leave, ok := m.line.enter(r.Context())
	if !ok {
		m.names.Return(name)
		m.addresses.Return(address)
		return nil, &authn.Refusal{Reason: authn.TooMany, RetryAfter: lineWait, Cause: errors.New("password: too many at once")}
	}
	began := m.clock()
	account, err := m.verify(r.Context(), username, secret, leave)
	took := m.clock().Sub(began)
	switch {
	case errors.Is(err, ErrRejected):
		quantum := m.took(r.Context(), took)
		m.pause(r.Context(), until(quantum, began.Sub(came), took, m.clock().Sub(came)))
		return nil, &authn.Refusal{Reason: authn.NotProven, Cause: err}
	case err != nil:
		m.names.Return(name)
		m.addresses.Return(address)
		return nil, err
	}
	m.took(r.Context(), took)
	m.names.Forget(name)
	m.addresses.Return(address)
	return m.second(w, r, a, account)
}

// lineWait is what is told to those for whom the line is too long.
const lineWait = 2 * time.Second

// took keeps the pace, and tells the operator of a directory that is too slow for it.
func (m *Means) took(ctx context.Context, took time.Duration) time.Duration {
	quantum, raised := m.pace.took(took, m.clock())
	if raised || took >= quantum {
		m.log.WarnContext(ctx, "password: verifying takes long; refusals leave later, so that their time does not tell names", "took", took, "quantum", quantum)
	}
	return quantum
}

// verify asks the verifier, and believes of its answer what can be. It leaves the line, whatever the verifier does.
func (m *Means) verify(ctx context.Context, username, secret string, leave func()) (*authn.Account, error) {
	defer leave()
	switch {
	case secret == "":
		// Above all: to a directory a bind with a name and without a password succeeds as nobody (RFC 4513 section 5.1.2).
		return nil, &Rejection{errors.New("password: it is empty")}
	case !plausible(username, maxName), len(secret) > maxSecret:
		return nil, &Rejection{errors.New("password: what cannot be a name, or a password")}
	}
	account, err := m.config.Verifier.Verify(ctx, username, secret)
	switch {
	case err != nil:
		return nil, err
	case account == nil || account.ID == "":
		return nil, &Rejection{errors.New("password: the account has no immutable id")}
	case account.Locked:
		return nil, &Rejection{errors.New("password: the account is closed")}
	}
	return account, nil
}

// second asks for the second factor where there is one, or ends with the first.
func (m *Means) second(w http.ResponseWriter, r *http.Request, a *authn.Attempt, account *authn.Account) (*authn.Proof, error) {
	if m.config.Second == Without {
		return proof(account, a.Now, "pwd"), nil
	}
	has, err := m.config.Codes.Enrolled(r.Context(), account)
	switch {
	case err != nil:
		return nil, err
	case !has && m.config.Second == Required:
		return nil, &authn.Refusal{Reason: authn.NotEnrolled, Cause: totp.ErrNotEnrolled}
	case !has:
		return proof(account, a.Now, "pwd"), nil
	}
	st := state{Account: account, At: a.Now}
	if err := st.keep(a); err != nil {
		return nil, err
	}
	m.ask(w, r, a, st)
	return nil, nil
}

// code judges the second factor.
func (m *Means) code(r *http.Request, a *authn.Attempt, st state) (*authn.Proof, error) {
	code := strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1 // as people write them: 123 456
		}
		return c
	}, one(r, "code"))
	err := m.config.Codes.Verify(r.Context(), st.Account, code, a.Now)
	var many *totp.TooMany
	switch {
	case err == nil:
		a.State = nil
		return proof(st.Account, a.Now, "pwd", "otp", "mfa"), nil
	case errors.As(err, &many):
		return nil, &authn.Refusal{Reason: authn.TooMany, RetryAfter: many.Wait, Cause: err}
	case errors.Is(err, totp.ErrWrong), errors.Is(err, totp.ErrUsed):
		st.Codes++
		if err := st.keep(a); err != nil {
			return nil, err
		}
		return nil, &authn.Refusal{Reason: authn.NotProven, Cause: err}
	case errors.Is(err, totp.ErrNotEnrolled):
		a.State = nil
		return nil, &authn.Refusal{Reason: authn.NotEnrolled, Cause: err}
	}
	return nil, err
}

func proof(account *authn.Account, at time.Time, references ...string) *authn.Proof {
	return &authn.Proof{Identifier: authn.Identifier{Type: "account", Value: account.ID}, References: references, Time: at, Account: account}
}

var _ authn.Means = (*Means)(nil)
