package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sceau/certs"
	"sceau/soap"
	"sceau/wsp"
)

// Paths of the authorizer.
const (
	pathExtAuthz = "/ext-authz" // and all below: what Envoy asks, with the message
	pathSession  = "/session"   // a message in exchange for a token
	pathAuth     = "/auth"      // nginx auth_request: a token and a certificate, no message
)

// partialBody is what Envoy says of a message that it cut off.
const partialBody = "X-Envoy-Auth-Partial-Body"

// authorizer says to other proxies whether a request may pass. It believes what they say of certificates, so that nobody else may
// speak to it but for sessions, which anybody may begin.
type authorizer struct {
	guard       *wsp.Guard
	minter      *minter // nil: nothing is told of callers
	verifier    *certs.Verifier
	config      *authorizerConfig
	actions     map[string]string
	limit       int64
	environment string
	now         func() time.Time
	trace       *trace
	log         *slog.Logger
}

func (a *authorizer) handler() http.Handler {
	extAuthz := operation("ext-authz", http.HandlerFunc(a.extAuthz))
	var begin http.Handler
	if a.config.Session != nil {
		begin = operation("session", a.guard.Handler(http.HandlerFunc(a.begin)))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // no ServeMux: it redirects what Envoy passes on as it came
		switch path := r.URL.Path; {
		case a.config.ExtAuthz && (path == pathExtAuthz || strings.HasPrefix(path, pathExtAuthz+"/")):
			extAuthz.ServeHTTP(w, r)
		case begin != nil && path == pathSession:
			begin.ServeHTTP(w, r)
		case begin != nil && path == pathAuth:
			a.auth(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// extAuthz judges the message that Envoy holds back. A refusal is 4xx: what is 5xx counts as no answer there, which a proxy may be
// told to let pass.
func (a *authorizer) extAuthz(w http.ResponseWriter, r *http.Request) {
	if len(r.Header[partialBody]) > 0 && r.Header.Get(partialBody) != "false" { // what was cut off was not judged
		a.refuse(w, r, http.StatusRequestEntityTooLarge)
		return
	}
	if status := wsp.RequestStatus(r); status != 0 {
		a.refuse(w, r, status)
		return
	}
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.limit))
	if err != nil {
		a.refuse(w, r, http.StatusRequestEntityTooLarge)
		return
	}
	verdict := a.guard.Judge(r.Context(), message, remoteOf(r))
	if !verdict.Admitted() {
		w.Header().Set(wsp.CorrelationHeader, verdict.ID)
		answerFault(w, refusalStatus(verdict.Fault), verdict.Fault)
		return
	}
	if a.minter != nil {
		token, err := a.minter.caller(verdict.Caller, verdict.ID, message, a.now())
		if err != nil {
			a.unmade(w, verdict.ID, err)
			return
		}
		w.Header().Set(a.minter.config.Header, token)
	}
	w.Header().Set("SOAPAction", actionOf(a.actions, verdict.Caller)) // in place of the one that nobody signed
	w.WriteHeader(http.StatusOK)
}

func (a *authorizer) refuse(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set(wsp.CorrelationHeader, a.guard.RefuseRequest(r.Context(), status, remoteOf(r)))
	http.Error(w, http.StatusText(status), status)
}

// refusalStatus is the HTTP status of a fault where 500 would not be read as a refusal.
func refusalStatus(fault soap.Fault) int {
	switch {
	case fault.SOA.Ours:
		return http.StatusServiceUnavailable
	case fault.SOA == soap.SOANotAuthorized:
		return http.StatusForbidden
	case fault.SOA == soap.SOANotAuthenticated:
		return http.StatusUnauthorized
	}
	return http.StatusBadRequest
}

func (a *authorizer) unmade(w http.ResponseWriter, id string, err error) {
	a.log.Error("token of a caller not made", "id", id, "cause", err)
	answerFault(w, http.StatusServiceUnavailable, soap.Fault{Code: soap.FaultServer, SOA: soap.SOAServiceError, Environment: a.environment, ID: id})
}

// begin answers an admitted message with the token of a session. The session belongs to the key that signed: whoever vouches for a
// subject vouches for one message.
func (a *authorizer) begin(w http.ResponseWriter, r *http.Request) {
	caller, id := wsp.CallerFrom(r.Context()), wsp.DecisionIDFrom(r.Context())
	if caller.Confirmation() != wsp.HolderOfKey || caller.Holder().Certificate() == nil {
		answerFault(w, http.StatusInternalServerError, soap.Fault{Code: soap.FaultFailedAuthentication, SOA: soap.SOANotAuthorized, Environment: a.environment, ID: id})
		return
	}
	now := a.now()
	token, until, err := a.minter.session(caller, id, a.config.Session.Lifetime, now)
	if err != nil {
		a.unmade(w, id, err)
		return
	}
	answer, err := json.Marshal(struct { // RFC 6749 section 5.1
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
	}{token, "Bearer", int64(until.Sub(now) / time.Second)})
	if err != nil {
		a.unmade(w, id, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.Write(answer) // a client that went away is its own affair
}

// auth judges a request of which nginx shows no body: that its client holds the key of a certificate, as the handshake of TLS
// proved, to which a token of ours is bound (RFC 8705), and that the certificate is still good. It says nothing of what the
// request asks for.
func (a *authorizer) auth(w http.ResponseWriter, r *http.Request) {
	now := a.now()
	s, holder, err := a.continued(r, now)
	id, recorded := a.trace.session(r.Context(), s, holder, remoteOf(r), now, err)
	switch {
	case recorded != nil:
		a.log.Error("decision not recorded", "id", id, "cause", recorded)
		http.Error(w, "not recorded", http.StatusInternalServerError)
		return
	case err != nil:
		a.log.Info("session refused", "id", id, "cause", err)
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 section 3
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	token, err := a.minter.continued(s, id, now)
	if err != nil {
		a.log.Error("token of a caller not made", "id", id, "cause", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set(a.minter.config.Header, token)
	w.WriteHeader(http.StatusOK)
}

// continued verifies token and certificate, and that they belong together.
func (a *authorizer) continued(r *http.Request, now time.Time) (*session, certs.Identity, error) {
	authorization := r.Header["Authorization"]
	if len(authorization) != 1 {
		return nil, certs.Identity{}, fmt.Errorf("%w: not one Authorization", errNoSession)
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, certs.Identity{}, fmt.Errorf("%w: not Bearer", errNoSession)
	}
	s, err := a.minter.open(token, now)
	if err != nil {
		return nil, certs.Identity{}, err
	}
	der, err := shownCertificate(r.Header[http.CanonicalHeaderKey(a.config.Session.CertificateHeader)])
	if err != nil {
		return nil, certs.Identity{}, err
	}
	if thumbprintOf(der) != s.said.Confirmation.X5T {
		return nil, certs.Identity{}, errors.New("token of another certificate")
	}
	certificate, err := a.verifier.Parse(der)
	if err != nil {
		return nil, certs.Identity{}, err
	}
	holder, err := a.verifier.Identify(certs.RoleHolder, certificate, nil, now) // it may have been revoked since
	if err != nil {
		return nil, certs.Identity{}, err
	}
	return s, holder, nil
}

// shownCertificate reads nginx's $ssl_client_escaped_cert: one certificate in PEM, every octet that is not plain escaped as in URLs.
func shownCertificate(values []string) ([]byte, error) {
	if len(values) != 1 || values[0] == "" {
		return nil, errors.New("not one certificate of the client")
	}
	text, err := url.PathUnescape(values[0])
	if err != nil {
		return nil, errors.New("certificate of the client: escapes")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("certificate of the client: not one in PEM")
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("certificate of the client: %w", err)
	}
	return block.Bytes, nil
}

func remoteOf(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap()
}
