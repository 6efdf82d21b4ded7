package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/oidc/client"
	"sceau/oidc/federation"
	"sceau/oidc/page"
)

// maxForm bounds what is posted, in octets: assertions and request objects are the largest.
const maxForm = 256 << 10

// maxQuery bounds the parameters of an address.
const maxQuery = 32 << 10

// ServeHTTP answers a request to the establishment. The path of the issuer is part of its address.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, p.path)
	// An address is written in one way: a slash that is encoded, and one too many, is what one reader sees and another does not.
	if !ok || len(r.URL.RawQuery) > maxQuery || r.URL.RawPath != "" || path.Clean(r.URL.Path) != r.URL.Path {
		p.write(w, r, http.StatusNotFound, page.Error{Code: "not_found"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	first, below, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch first {
	case ".well-known", "static", "authorize", "upstream", "wallet", "enrol", "federation":
	default:
		if below != "" {
			first = ""
		}
	}
	switch first {
	case ".well-known":
		if below == "openid-configuration" {
			p.Metadata(w, r)
			return
		}
		if below == "openid-federation" && p.published != nil {
			p.published.ServeHTTP(w, r)
			return
		}
	case "federation":
		if p.published != nil {
			p.published.ServeHTTP(w, r)
			return
		}
	case "jwks":
		p.buffered(w, r, &call{endpoint: endpointKeys, recorded: true})
		return
	case "static":
		p.pages.Static().ServeHTTP(w, r)
		return
	case "authorize":
		p.authorize(w, r, below)
		return
	case "par":
		p.back(w, r, endpointPush, audit.OperationAuthorization, client.PAR)
		return
	case "token":
		p.back(w, r, endpointToken, audit.OperationToken, client.Token)
		return
	case "introspect":
		p.back(w, r, endpointIntrospect, audit.OperationIntrospection, client.Introspection)
		return
	case "revoke":
		p.back(w, r, endpointRevoke, audit.OperationRevocation, client.Revocation)
		return
	case "userinfo":
		p.userInfo(w, r)
		return
	case "logout":
		p.logout(w, r)
		return
	case "upstream":
		p.upstream(w, r, below)
		return
	case "wallet":
		if p.wallet(w, r, below) {
			return
		}
	case "enrol":
		if p.passkeys != nil && (below == "" || below == "done") {
			p.enrol(w, r, below)
			return
		}
	case "consents":
		p.consentsPage(w, r)
		return
	}
	p.write(w, r, http.StatusNotFound, page.Error{Code: "not_found"})
}

// A buffer holds an answer until its record is kept.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header { return b.header }
func (b *buffer) WriteHeader(s int) {
	if b.status == 0 {
		b.status = s
	}
}
func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

// drop forgets what was written: nothing of it has left.
func (b *buffer) drop() {
	clear(b.header)
	b.status = 0
	b.body.Reset()
}

// buffered lets the library answer, keeps the record, and then lets the answer go: what cannot be recorded does not happen.
func (p *Provider) buffered(w http.ResponseWriter, r *http.Request, c *call) {
	b := &buffer{header: http.Header{}}
	inner, address := r.WithContext(r.Context()), *r.URL
	address.Path, address.RawPath = strings.TrimPrefix(r.URL.Path, p.path), ""
	inner.URL = &address
	p.library.Load().ServeHTTP(b, inner)
	if c.draft != "" && b.status == http.StatusOK {
		if err := p.finish(b, c.draft); err != nil {
			c.cause, c.code, c.event.Outcome = err, "server_error", audit.Fault
			b.drop()
			refuse(b, http.StatusInternalServerError, c.code, "")
		}
	}
	c.presents(b)
	p.answer(w, r, b, c)
}

// answer keeps the record of an answer and lets it go.
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, b *buffer, c *call) {
	// What could not be asked of the store is no fault of the client: it shall come again with what it has.
	outage := c.outage != nil && b.status >= http.StatusBadRequest
	if outage && !c.recorded {
		c.lacks()
	}
	if c.event.Operation == "" {
		c.recorded = true // a page: nothing was decided
	}
	if err := p.record(r.Context(), c); err != nil {
		p.log.Error("an event cannot be recorded, and its answer is withheld", "id", c.event.ID, "cause", err)
		p.unavailable(w, r, c)
		return
	}
	if c.event.Outcome == audit.Fault {
		p.log.Error("a request failed", "id", c.event.ID, "operation", c.event.Operation, "cause", c.event.Cause)
	}
	if outage {
		p.unavailable(w, r, c)
		return
	}
	if c.pages != nil { // a form is answered by a redirect of the library, where the client is told of an error
		w = page.Unchained(w, r, c.pages)
	}
	maps.Copy(w.Header(), b.header)
	switch c.endpoint {
	case endpointUserInfo:
		if b.status == http.StatusUnauthorized { // RFC 6750 section 3
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		}
	case endpointKeys:
		if b.status == http.StatusOK {
			w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(keyCache.Seconds())))
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}
	case endpointToken, endpointPush, endpointIntrospect, endpointRevoke:
		if b.status == http.StatusUnauthorized && c.code == string(goidc.ErrorCodeUnauthorizedClient) {
			b.status = http.StatusBadRequest // RFC 6749 section 5.2: the client has authenticated, and may not
		}
		w.Header().Set("Cache-Control", "no-store")
	}
	if b.status == 0 {
		b.status = http.StatusOK
	}
	w.WriteHeader(b.status)
	w.Write(b.body.Bytes()) // a client that went away is its own affair
}

func (p *Provider) unavailable(w http.ResponseWriter, r *http.Request, c *call) {
	switch c.endpoint {
	case endpointAuthorize, endpointAttempt, endpointLogout, endpointPerson:
		p.write(w, r, http.StatusServiceUnavailable, page.Error{Code: "temporarily_unavailable", AuditID: c.event.ID.String()})
	default:
		refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable", "")
	}
}

// refuse answers a client as RFC 6749 section 5.2 says.
func refuse(w http.ResponseWriter, status int, code, description string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Code        string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{code, description}) // a client that went away is its own affair
}

// back answers a client that asks without a browser.
func (p *Provider) back(w http.ResponseWriter, r *http.Request, e endpoint, operation string, at client.Endpoint) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "invalid_request", "POST")
		return
	}
	r, c := p.call(r, e, operation)
	b := &buffer{header: http.Header{}}
	known, how, method, err := p.authenticate(r, c, at)
	if err != nil {
		c.cause = err
		c.event.Outcome = audit.Refused
		var refused *client.Error
		if errors.As(err, &refused) {
			c.code = refused.Code()
			c.event.Client = refused.Client
			refused.Write(b)
			if refused.Status() >= http.StatusInternalServerError {
				c.event.Outcome = audit.Fault
			}
		} else if untrusted := (*federation.Error)(nil); errors.As(err, &untrusted) {
			c.code = untrusted.Code()
			refuse(b, http.StatusBadRequest, c.code, "")
		} else {
			c.code, c.event.Outcome = "server_error", audit.Fault
			refuse(b, http.StatusInternalServerError, c.code, "")
		}
		p.answer(w, r, b, c)
		return
	}
	c.known(known, method)
	c.held()
	if err := p.knows(c, known); err != nil {
		c.cause, c.code, c.event.Outcome = err, "temporarily_unavailable", audit.Fault
		refuse(b, http.StatusServiceUnavailable, c.code, "")
		p.answer(w, r, b, c)
		return
	}
	if e == endpointToken {
		c.event.Action = r.PostForm.Get("grant_type")
		if c.event.Action == client.TokenExchange {
			p.exchange(w, r, c, r.PostForm, known, how)
			return
		}
		p.shown(c, r.PostForm)
	}
	form := maps.Clone(r.PostForm)
	if e == endpointPush {
		if err := p.parameters(r, c, known, form); err != nil {
			c.cause, c.code = err, err.code
			c.event.Outcome = audit.Refused
			refuse(b, http.StatusBadRequest, err.code, err.text)
			p.answer(w, r, b, c)
			return
		}
	}
	if t := form.Get("token"); t != "" && (e == endpointIntrospect || e == endpointRevoke) {
		c.shown = t
	}
	// From here on the client is who it says: what it showed for that goes no further.
	for _, name := range []string{"client_assertion", "client_assertion_type", "client_secret"} {
		form.Del(name)
	}
	form.Set("client_id", known.ID())
	if !known.Public() {
		form.Set("client_secret", p.inside)
	}
	r.Header = maps.Clone(r.Header)
	r.Header.Del("Authorization")
	r.PostForm, r.Form = form, form
	p.buffered(w, r, c)
}

// shown puts into the record what a client redeems.
func (p *Provider) shown(c *call, form url.Values) {
	if code := form.Get("code"); code != "" {
		c.issued(audit.Token{Use: audit.Presented, Kind: "code", Value: code})
	}
	if token := form.Get("refresh_token"); token != "" {
		c.presented = token
		c.issued(audit.Token{Use: audit.Presented, Kind: "refresh_token", Value: token})
	}
}

// userInfo answers whoever shows an access token.
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		refuse(w, http.StatusMethodNotAllowed, "invalid_request", "GET or POST")
		return
	}
	r, c := p.call(r, endpointUserInfo, audit.OperationUserinfo)
	c.held()
	_, c.shown, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	p.buffered(w, r, c)
}

// authorize answers a browser: with the request of a client, or in the midst of an attempt.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, below string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		p.write(w, r, http.StatusMethodNotAllowed, page.Error{Code: "invalid_request"})
		return
	}
	if r.Method == http.MethodPost {
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
			p.write(w, r, http.StatusUnsupportedMediaType, page.Error{Code: "invalid_request"})
			return
		}
		if err := r.ParseForm(); err != nil {
			p.write(w, r, http.StatusBadRequest, page.Error{Code: "invalid_request"})
			return
		}
	}
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // a reader that leaves out what it cannot read would leave out max_age
		p.write(w, r, http.StatusBadRequest, page.Error{Code: "invalid_request"})
		return
	}
	if below != "" {
		r, c := p.call(r, endpointAttempt, "")
		c.endpoint = endpointAttempt
		p.buffered(w, r, c)
		return
	}
	r, c := p.call(r, endpointAuthorize, "")
	if r.Method == http.MethodPost {
		form = maps.Clone(r.PostForm)
	}
	known, err := p.asks(r.Context(), c, form.Get("client_id"))
	if err != nil {
		c.event.Operation = audit.OperationAuthorization
		c.cause, c.event.Outcome = err, audit.Refused
		if untrusted := (*federation.Error)(nil); errors.As(err, &untrusted) {
			// OpenID Federation 12.1.3: nothing of an entity that is not trusted is, its address neither.
			c.code = untrusted.Code()
		} else {
			c.code = string(goidc.ErrorCodeInvalidClient)
		}
		p.stop(w, r, c)
		return
	}
	if err := p.knows(c, known); err != nil {
		c.event.Operation = audit.OperationAuthorization
		c.cause, c.code, c.event.Outcome = err, "temporarily_unavailable", audit.Fault
		b := &buffer{header: http.Header{}}
		p.write(b, r, http.StatusServiceUnavailable, page.Error{Code: c.code, AuditID: c.event.ID.String()})
		p.answer(w, r, b, c)
		return
	}
	if err := p.parameters(r, c, known, form); err != nil {
		c.event.Operation = audit.OperationAuthorization
		c.cause, c.code, c.event.Outcome = err, err.code, audit.Refused
		if !err.redirect {
			p.stop(w, r, c)
			return
		}
		b := &buffer{header: http.Header{}}
		http.Redirect(b, r, errorAddress(form, p.config.Issuer, err.code, err.text), http.StatusSeeOther)
		p.answer(w, r, b, c)
		return
	}
	if r.Method == http.MethodPost {
		r.PostForm, r.Form = form, form
	} else {
		r.URL.RawQuery = form.Encode()
		r.Form = nil
	}
	p.buffered(w, r, c)
}

// stop ends a request with a page: nobody knows whose browser is to be led where.
func (p *Provider) stop(w http.ResponseWriter, r *http.Request, c *call) {
	b := &buffer{header: http.Header{}}
	p.write(b, r, http.StatusBadRequest, page.Error{Code: c.code, AuditID: c.event.ID.String()})
	p.answer(w, r, b, c)
}

// maxParameter bounds a parameter of an authorization request, in octets: whoever sends one is nobody yet, and it is kept.
const maxParameter = 4 << 10

const pushedPrefix = "urn:ietf:params:oauth:request_uri:"
