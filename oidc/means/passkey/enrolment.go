package passkey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"sceau/oidc/authn"
)

// Bounds of a ticket.
const (
	LongestTicket = 7 * 24 * time.Hour
	ticketOctets  = 24
)

// NewTicket makes a ticket for an account: what is returned is given to the person, by another way than the one by which he
// authenticates, and is kept nowhere. By names the administrator, who is not the person.
func NewTicket(ctx context.Context, s Store, account, label, by string, now time.Time, life time.Duration) (string, error) {
	switch {
	case account == "" || by == "":
		return "", errors.New("passkey: a ticket of nobody, or for nobody")
	case account == by:
		return "", errors.New("passkey: nobody makes a ticket for himself")
	case life <= 0 || life > LongestTicket:
		return "", errors.New("passkey: a ticket is good for a week at most")
	}
	var secret [ticketOctets]byte
	rand.Read(secret[:]) // never fails (crypto/rand)
	text := base64.RawURLEncoding.EncodeToString(secret[:])
	return text, s.AddTicket(ctx, &Ticket{Digest: sha256.Sum256([]byte(text)), Account: account, Label: label, By: by, Expires: now.Add(life)}, now)
}

// Begin begins the enrolment of a person who holds a ticket, and who was proven to be the account by another means, just now. It
// gives the PublicKeyCredentialCreationOptions in their JSON form (WebAuthn level 3, 5.1.9). A ticket that is not his, or has
// expired, is authn.NotEnrolled.
func (m *Means) Begin(ctx context.Context, ticket string, proven *authn.Account, now time.Time) (json.RawMessage, error) {
	return m.begin(ctx, ticket, "", proven, now)
}

// begin is Begin for one session of a browser.
func (m *Means) begin(ctx context.Context, ticket, session string, proven *authn.Account, now time.Time) (json.RawMessage, error) {
	t, err := m.ticket(ctx, ticket, proven, now)
	if err != nil {
		return nil, err
	}
	has, err := m.config.Store.Of(ctx, t.Account)
	if err != nil {
		return nil, err
	}
	h := holder{name: proven.Username, handle: make([]byte, 32)}
	if h.name == "" {
		h.name = m.config.Name
	}
	rand.Read(h.handle) // never fails (crypto/rand)
	var exclude []protocol.CredentialDescriptor
	for i := range has {
		h.handle = has[i].Handle
		exclude = append(exclude, has[i].Record.Descriptor())
	}
	options, challenge, err := m.rp.BeginRegistration(h, webauthn.WithExclusions(exclude))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(options.Response)
	if err != nil {
		return nil, err
	}
	kept, err := json.Marshal(state{Session: *challenge, At: now, Browser: session})
	if err != nil {
		return nil, err
	}
	if err := m.config.Store.Begin(ctx, t.Digest, kept); err != nil {
		return nil, gone(err)
	}
	return text, nil
}

// Finish takes the answer of the device to what Begin gave, and keeps the passkey. The ticket is used up by it, and not by an
// answer that is refused.
func (m *Means) Finish(ctx context.Context, ticket string, answer []byte, proven *authn.Account, now time.Time) (*Passkey, error) {
	return m.finish(ctx, ticket, "", answer, proven, now, nil)
}

// finish is Finish for the session of a browser in which it was begun. Before is told what will be kept, before it is, and can
// refuse it; nil lets all be kept.
func (m *Means) finish(ctx context.Context, ticket, session string, answer []byte, proven *authn.Account, now time.Time, before func(*Passkey) error) (*Passkey, error) {
	t, err := m.ticket(ctx, ticket, proven, now)
	if err != nil {
		return nil, err
	}
	var st state
	if len(t.State) == 0 {
		return nil, notProven("an enrolment that was not begun")
	}
	if err := json.Unmarshal(t.State, &st); err != nil {
		return nil, errors.New("passkey: the state of a ticket cannot be read")
	}
	if now.Sub(st.At) > challengeTime {
		return nil, &authn.Refusal{Reason: authn.Expired, Cause: errors.New("passkey: a challenge of long ago")}
	}
	if st.Browser != session {
		return nil, notProven("an enrolment that was begun in another session")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, notProven("an answer that cannot be read")
	}
	made, err := m.rp.CreateCredential(holder{handle: st.Session.UserID}, st.Session, parsed)
	if err != nil {
		return nil, notProven("the answer does not hold: %s", kindOf(err))
	}
	switch {
	case !made.Flags.UserVerified || !made.Flags.UserPresent:
		return nil, notProven("the device did not verify the person")
	case m.config.HardwareOnly && made.Flags.BackupEligible:
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("passkey: its key can be copied")}
	case !m.model(made.Authenticator.AAGUID), len(m.models) > 0 && made.AttestationFormat == "none":
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("passkey: of a model that is not taken")}
	}
	if err := m.config.Store.Take(ctx, t.Digest); err != nil {
		return nil, gone(err)
	}
	p := &Passkey{ID: made.ID, Account: t.Account, Handle: st.Session.UserID, Label: t.Label, By: t.By, Created: now, Record: *made}
	if before != nil {
		if err := before(p); err != nil {
			return nil, err
		}
	}
	if err := m.config.Store.Add(ctx, p); errors.Is(err, ErrTaken) {
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: err}
	} else if err != nil {
		return nil, err
	}
	return p, nil
}

// ticket finds the ticket of a person.
func (m *Means) ticket(ctx context.Context, ticket string, proven *authn.Account, now time.Time) (*Ticket, error) {
	if proven == nil || proven.ID == "" || proven.Locked {
		return nil, notProven("nobody who was proven by another means")
	}
	t, err := m.config.Store.Ticket(ctx, sha256.Sum256([]byte(ticket)))
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, gone(err)
	case err != nil:
		return nil, err
	case t.Account != proven.ID:
		return nil, gone(errForeign)
	case !now.Before(t.Expires):
		return nil, gone(errExpired)
	}
	return t, nil
}

// The person is told one thing of all of them, the trail which.
var (
	errForeign = errors.New("passkey: a ticket of another person")
	errExpired = errors.New("passkey: a ticket that has expired")
	errUsed    = errors.New("passkey: a ticket that was used, or never was one")
)

// gone makes the refusal of one without a ticket; an outage stays one.
func gone(err error) error {
	switch {
	case errors.Is(err, ErrUnknown):
		return &authn.Refusal{Reason: authn.NotEnrolled, Cause: errUsed}
	case err == errForeign, err == errExpired:
		return &authn.Refusal{Reason: authn.NotEnrolled, Cause: err}
	}
	return err
}

// Of gives the passkeys of an account that are in use, the oldest first.
func (m *Means) Of(ctx context.Context, account string) ([]Passkey, error) {
	all, err := m.config.Store.Of(ctx, account)
	return slices.DeleteFunc(all, func(p Passkey) bool { return p.Revoked }), err
}

// An Enrolment serves the enrolment over HTTP, for a page of ours: POST with JSON, {"ticket": …} for the options, and {"ticket": …,
// "credential": …} with the answer of the device. It answers the options, or 204; a refusal is 403 with {"error": reason}.
type Enrolment struct {
	Means *Means
	// Proven says who authenticated in this browser, just now, by another means than a passkey that he enrolled himself; nil is
	// nobody.
	Proven func(*http.Request) (*authn.Account, error)
	// Session names the session of the browser: what was begun in one is finished in no other. Nil: sessions are not told apart.
	Session func(*http.Request) string
	// Enrolled is told what is enrolled, for the trail, before it is kept: an error refuses. Refused is told why not, at last also of
	// what Enrolled was told of and could not be kept. Both are required.
	Enrolled func(*http.Request, *Passkey) error
	Refused  func(*http.Request, error)
	Now      func() time.Time // time.Now if nil
}

// ServeHTTP implements http.Handler. Another site cannot post JSON without asking first (Fetch, 4.8: CORS preflight), and its
// origin is refused.
func (e *Enrolment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	options, err := e.serve(w, r)
	var refusal *authn.Refusal
	switch {
	case errors.As(err, &refusal):
		e.Refused(r, err)
		answer(w, http.StatusForbidden, map[string]string{"error": refusal.Reason.String()})
	case err != nil:
		e.Refused(r, err)
		answer(w, http.StatusServiceUnavailable, map[string]string{"error": "temporarily unavailable"})
	case options != nil:
		answer(w, http.StatusOK, options)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func (e *Enrolment) serve(w http.ResponseWriter, r *http.Request) (json.RawMessage, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || !slices.Contains(e.Means.config.Origins, r.Header.Get("Origin")) {
		return nil, notProven("from another site, or no JSON")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, notProven("a body that cannot be read")
	}
	var in struct {
		Ticket     string          `json:"ticket"`
		Credential json.RawMessage `json:"credential"`
	}
	if json.Unmarshal(text, &in) != nil {
		return nil, notProven("no JSON")
	}
	proven, err := e.Proven(r)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if e.Now != nil {
		now = e.Now()
	}
	session := ""
	if e.Session != nil {
		session = e.Session(r)
	}
	if in.Credential == nil {
		return e.Means.begin(r.Context(), in.Ticket, session, proven, now)
	}
	_, err = e.Means.finish(r.Context(), in.Ticket, session, in.Credential, proven, now, func(p *Passkey) error { return e.Enrolled(r, p) })
	return nil, err
}
