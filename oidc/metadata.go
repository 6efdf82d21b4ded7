package oidc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sceau/oidc/client"
)

// keyCache is how long relying parties may keep keys: a key is published at least as long before it signs.
const keyCache = time.Hour

// describe makes the metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2): what the library says of itself, and what
// is done before it.
func (p *Provider) describe(l *library) error {
	b := &buffer{header: http.Header{}}
	l.ServeHTTP(b, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/.well-known/openid-configuration"}, Header: http.Header{}})
	m := map[string]any{}
	if err := json.Unmarshal(b.body.Bytes(), &m); err != nil || b.status != http.StatusOK {
		return fmt.Errorf("oidc: metadata: %d: %w", b.status, err)
	}
	issuer := p.config.Issuer
	var methods, asking, assertions []string
	add := func(list *[]string, values ...string) {
		for _, v := range values {
			if !slices.Contains(*list, v) {
				*list = append(*list, v)
			}
		}
	}
	objects, exchanges := []string(nil), false
	for _, c := range l.clients {
		add(&methods, string(c.Method()))
		if c.IntrospectionAllowed() {
			add(&asking, string(c.Method()))
		}
		add(&assertions, c.AssertionAlgorithms()...)
		if a := c.RequestObjectAlgorithm(); a != "" {
			add(&objects, a)
		}
		exchanges = exchanges || c.AllowsGrant(client.TokenExchange)
	}
	if p.parties != nil {
		p.parties.describe(m, add, &methods, &assertions, &objects)
	}
	for _, e := range []string{"token", "introspection", "revocation"} {
		m[e+"_endpoint_auth_methods_supported"] = methods
		delete(m, e+"_endpoint_auth_signing_alg_values_supported")
		if len(assertions) > 0 {
			m[e+"_endpoint_auth_signing_alg_values_supported"] = assertions
		}
	}
	if m["introspection_endpoint_auth_methods_supported"] = asking; len(asking) == 0 { // nobody may ask
		delete(m, "introspection_endpoint")
		delete(m, "introspection_endpoint_auth_methods_supported")
		delete(m, "introspection_endpoint_auth_signing_alg_values_supported")
		if aliases, ok := m["mtls_endpoint_aliases"].(map[string]any); ok {
			delete(aliases, "introspection_endpoint")
		}
	}
	grants := []string{client.AuthorizationCode, client.RefreshToken}
	if exchanges && p.config.Exchange != nil {
		grants = append(grants, client.TokenExchange)
	}
	m["grant_types_supported"] = grants
	m["claims_supported"] = claims
	m["end_session_endpoint"] = issuer + "/logout"
	m["backchannel_logout_supported"], m["backchannel_logout_session_supported"] = true, true
	m["prompt_values_supported"] = []string{"none", "login", "consent", "select_account"}
	m["ui_locales_supported"] = []string{"fr", "nl", "de", "en"}
	m["request_parameter_supported"], m["request_uri_parameter_supported"] = len(objects) > 0, false
	if len(objects) > 0 {
		m["request_object_signing_alg_values_supported"] = objects
	}
	m["response_modes_supported"] = []string{"query", "fragment"}
	text, err := json.Marshal(m)
	l.discovery = text
	return err
}

// metadata are those of the discovery document.
func (l *library) metadata() (m map[string]any, err error) {
	err = json.Unmarshal(l.discovery, &m)
	return m, err
}

// Metadata answers with the metadata of the establishment.
func (p *Provider) Metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "invalid_request", "GET")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(keyCache.Seconds())))
	h.Set("Access-Control-Allow-Origin", "*")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.library.Load().discovery))
}

// A Server serves establishments, each at the path of its issuer. It is immutable.
type Server struct{ providers []*Provider }

// NewServer makes a server of establishments, no two of which have the same issuer, path or tenant.
func NewServer(providers ...*Provider) (*Server, error) {
	for i, p := range providers {
		for _, o := range providers[:i] {
			if o.path == p.path || strings.HasPrefix(p.path, o.path+"/") || strings.HasPrefix(o.path, p.path+"/") {
				return nil, fmt.Errorf("oidc: %s and %s: the path of one is in that of the other", o.config.Issuer, p.config.Issuer)
			}
			if o.config.Tenant == p.config.Tenant {
				return nil, fmt.Errorf("oidc: %s and %s: one tenant", o.config.Issuer, p.config.Issuer)
			}
		}
	}
	return &Server{providers}, nil
}

// authorizationServer is where RFC 8414 section 3 puts the metadata of an issuer with a path.
const authorizationServer = "/.well-known/oauth-authorization-server"

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	for _, p := range s.providers {
		if r.URL.Path == authorizationServer+p.path || r.URL.Path == "/.well-known/openid-configuration"+p.path {
			p.Metadata(w, r)
			return
		}
		if rest, ok := strings.CutPrefix(r.URL.Path, p.path); ok && strings.HasPrefix(rest, "/") {
			p.ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}
