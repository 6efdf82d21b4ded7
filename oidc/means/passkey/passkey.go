// Package passkey is the means of a passkey: a key pair in a person's device, for this establishment alone (WebAuthn, on
// go-webauthn). It resists phishing: the browser signs for the origin that it is at.
//
// # What is asked of a device
//
// That it verifies the person (user verification: a PIN, a finger, a face), that the key can be found without a name
// (discoverable), and that nobody else's page asks (no cross-origin). Each challenge is of one attempt, is used once, and is good
// for five minutes. A signature counter that does not grow is the sign of a copy, and the passkey is refused from then on until it
// is enrolled anew.
//
// # What it proves
//
// RFC 8176 has no word of its own for it. By the flags of the authenticator data, which the device signs:
//
//	the key cannot be copied (not backup eligible)   hwk user mfa
//	the key can, into a cloud or a manager           swk user mfa
//
// mfa because the device verified the person beside the possession of the key. Whether by a PIN or by a finger the flags do not
// say: pin is not claimed, nor fpt, unless Config.Verification says what an establishment knows of its devices. That a key which is
// not eligible is in hardware the device says itself: who wants proof asks for attestation and admits models (Config.Models).
//
// # Who enrols
//
// Not the person alone: nobody changes the strength of his own authentication (EXI FI 24). An administrator makes a ticket for an
// account, for a short time and one use; who holds it must have authenticated as that account by another means, and then enrols.
// See Enrolment.
package passkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"sceau/oidc/authn"
	"sceau/oidc/page"
)

// Config says whose passkeys are taken.
type Config struct {
	Store Store

	// ID is the relying party: the host of the pages, or a domain above it. Passkeys are bound to it for ever.
	ID string
	// Name is that of the establishment, which the device shows.
	Name string
	// Origins are those of the pages: https://host, or http://localhost.
	Origins []string

	// HardwareOnly refuses keys that can be copied.
	HardwareOnly bool
	// Models are the AAGUIDs that are taken. With any, attestation is asked for at enrolment and its signature is verified, but not
	// who certified the device: a list keeps the honest to the devices that they were given. Empty: any model, and no attestation.
	Models []string

	// Verification is what user verification is said to be beside mfa, where the establishment knows: pin.
	Verification []string
}

// Means is the means. New makes it.
type Means struct {
	config Config
	models []uuid.UUID
	rp     *webauthn.WebAuthn
}

// New makes the means.
func New(c Config) (*Means, error) {
	if c.Store == nil {
		return nil, errors.New("passkey: no store")
	}
	if c.ID == "" || c.Name == "" || len(c.Origins) == 0 {
		return nil, errors.New("passkey: no relying party, no name of it, or no origin")
	}
	for _, o := range c.Origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme+"://"+u.Host != o || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") {
			return nil, fmt.Errorf("passkey: %q is no origin: want https://host", o)
		}
		if host := u.Hostname(); host != c.ID && !strings.HasSuffix(host, "."+c.ID) {
			return nil, fmt.Errorf("passkey: the origin %s is not of the relying party %s", o, c.ID)
		}
	}
	m := &Means{config: c}
	for _, text := range c.Models {
		model, err := uuid.Parse(text)
		if err != nil || model == uuid.Nil {
			return nil, fmt.Errorf("passkey: %q is no AAGUID", text)
		}
		m.models = append(m.models, model)
	}
	key := true
	settings := &webauthn.Config{
		RPID: c.ID, RPDisplayName: c.Name, RPOrigins: c.Origins,
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &key, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	}
	if len(m.models) > 0 {
		settings.AttestationPreference = protocol.PreferDirectAttestation
	}
	var err error
	if m.rp, err = webauthn.New(settings); err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return m, nil
}

// References implements authn.Means.
func (m *Means) References() []string {
	if m.config.HardwareOnly {
		return m.references(false)
	}
	return append([]string{"user", "mfa"}, m.config.Verification...)
}

func (m *Means) references(copied bool) []string {
	key := "hwk"
	if copied {
		key = "swk"
	}
	return append([]string{key, "user", "mfa"}, m.config.Verification...)
}

// state is the challenge of an attempt.
type state struct {
	Session webauthn.SessionData
	At      time.Time
	Browser string `json:",omitempty"` // the session in which an enrolment was begun
}

const (
	challengeTime = 5 * time.Minute
	maxForm       = 64 << 10
)

// Serve implements authn.Means.
func (m *Means) Serve(w http.ResponseWriter, r *http.Request, a *authn.Attempt) (*authn.Proof, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return nil, m.ask(w, r, a)
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return nil, nil
	}
	kept := a.State
	a.State = nil // whatever comes of it, the challenge was used
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, notProven("a form that cannot be read")
	}
	if len(r.PostForm["error"]) > 0 {
		return nil, &authn.Refusal{Reason: authn.Cancelled, Cause: errors.New("passkey: the person or his device ended it")}
	}
	var st state
	if len(kept) == 0 {
		return nil, notProven("no challenge, or one that was used")
	}
	if err := json.Unmarshal(kept, &st); err != nil {
		return nil, errors.New("passkey: the state of the attempt cannot be read")
	}
	if a.Now.Sub(st.At) > challengeTime {
		return nil, &authn.Refusal{Reason: authn.Expired, Cause: errors.New("passkey: a challenge of long ago")}
	}
	answer := r.PostForm["credential"]
	if len(answer) != 1 {
		return nil, notProven("no answer of a device, or two")
	}
	return m.judge(r.Context(), []byte(answer[0]), st.Session, a.Now)
}

// ask shows the page with a new challenge.
func (m *Means) ask(w http.ResponseWriter, r *http.Request, a *authn.Attempt) error {
	options, session, err := m.rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return err
	}
	text, err := json.Marshal(options.Response)
	if err != nil {
		return err
	}
	if a.State, err = json.Marshal(state{Session: *session, At: a.Now}); err != nil {
		return err
	}
	p := page.Passkey{Action: a.URL, Options: text, Return: a.ReturnURL}
	if a.Refused != nil {
		p.Refused = a.Refused.Reason
	}
	a.Pages.Write(w, r, http.StatusOK, p)
	return nil
}

// notProven is a refusal with its cause, which names nobody.
func notProven(format string, args ...any) error {
	return &authn.Refusal{Reason: authn.NotProven, Cause: fmt.Errorf("passkey: "+format, args...)}
}

// holder is a person as the library knows him.
type holder struct {
	handle   []byte
	name     string
	passkeys []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return h.handle }
func (h holder) WebAuthnName() string                       { return h.name }
func (h holder) WebAuthnDisplayName() string                { return h.name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.passkeys }

// judge says whom an answer proves.
func (m *Means) judge(ctx context.Context, answer []byte, session webauthn.SessionData, now time.Time) (*authn.Proof, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, notProven("an answer that cannot be read")
	}
	stored, err := m.config.Store.Passkey(ctx, parsed.RawID)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, notProven("a passkey of nobody")
	case err != nil:
		return nil, err
	case stored.Revoked:
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("passkey: it was taken out of use")}
	}
	of := func(raw, handle []byte) (webauthn.User, error) {
		if !slices.Equal(raw, stored.ID) || !slices.Equal(handle, stored.Handle) {
			return nil, errors.New("another's passkey")
		}
		return holder{handle: stored.Handle, passkeys: []webauthn.Credential{stored.Record}}, nil
	}
	used, err := m.rp.ValidateDiscoverableLogin(of, session, parsed)
	if err != nil {
		return nil, notProven("the answer does not hold: %s", kindOf(err))
	}
	flags := parsed.Response.AuthenticatorData.Flags
	switch {
	case !flags.HasUserVerified() || !flags.HasUserPresent():
		return nil, notProven("the device did not verify the person")
	case used.Authenticator.CloneWarning:
		if err := m.config.Store.Revoke(ctx, stored.ID); err != nil {
			return nil, err
		}
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("passkey: its counter did not grow: there may be a copy")}
	case m.config.HardwareOnly && flags.HasBackupEligible():
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("passkey: its key can be copied")}
	case !m.model(stored.Record.Authenticator.AAGUID):
		return nil, &authn.Refusal{Reason: authn.Unsuitable, Cause: errors.New("passkey: of a model that is not taken")}
	}
	next := *stored
	next.Record, next.Used = *used, now
	fresh, err := m.config.Store.Use(ctx, &next, stored.Record.Authenticator.SignCount)
	if err != nil {
		return nil, err
	}
	if !fresh {
		return nil, notProven("it is used at this very moment elsewhere")
	}
	return &authn.Proof{
		Identifier: authn.Identifier{Type: "account", Value: stored.Account}, References: m.references(flags.HasBackupEligible()),
		Time: now, Credential: stored.Name(),
	}, nil
}

// model says whether a model is taken.
func (m *Means) model(aaguid []byte) bool {
	if len(m.models) == 0 {
		return true
	}
	id, err := uuid.FromBytes(aaguid)
	return err == nil && slices.Contains(m.models, id)
}

// kindOf is what of an error of the library is known to hold no data.
func kindOf(err error) string {
	var known *protocol.Error
	if errors.As(err, &known) {
		return known.Type
	}
	return "unknown"
}

var _ authn.Means = (*Means)(nil)
