package oidc

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sceau/oidc/client"
)

// A parameterError says what is wrong with the parameters of an authorization request.
type parameterError struct {
	code, text string
	redirect   bool // the client may be told: its redirect_uri is one that is registered
}

func (e *parameterError) Error() string { return e.code + ": " + e.text }

// errorAddress is the address by which a client is told of an error (RFC 6749 section 4.1.2.1, RFC 9207).
func errorAddress(form url.Values, issuer, code, text string) string {
	u, err := url.Parse(form.Get("redirect_uri"))
	if err != nil {
		return issuer
	}
	fragment := form.Get("response_mode") == "fragment"
	q := u.Query()
	if fragment {
		q = url.Values{}
	}
	q.Set("error", code)
	if text != "" {
		q.Set("error_description", text)
	}
	q.Set("iss", issuer)
	if s := form.Get("state"); s != "" {
		q.Set("state", s)
	}
	if fragment {
		return form.Get("redirect_uri") + "#" + q.Encode()
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// parameters checks those of an authorization request as far as the library does not, and changes form to what the library shall
// see: what a request object says, without what stands beside it, and without wishes that it would refuse.
func (p *Provider) parameters(r *http.Request, c *call, known *client.Client, form url.Values) *parameterError {
	if err := readable(form); err != nil {
		return err
	}
	pushed := strings.HasPrefix(form.Get("request_uri"), pushedPrefix)
	if form.Get("request_uri") != "" && (!pushed || c.endpoint == endpointPush) {
		return &parameterError{code: "request_uri_not_supported", text: ""}
	}
	if object := form.Get("request"); object != "" {
		if err := p.requestObject(r.Context(), known, form, object); err != nil {
			return err
		}
		if err := readable(form); err != nil {
			return err
		}
		pushed = false // what stood beside it is gone
	} else if c.signs(known) && !pushed {
		return &parameterError{code: "invalid_request", text: "a signed request object is required"}
	}
	if pushed {
		for name := range form { // RFC 9126 section 4, RFC 9101 section 5: what was pushed, and nothing beside it
			if name != "client_id" && name != "request_uri" {
				form.Del(name)
			}
		}
		return nil
	}
	if known.RequirePAR() && c.endpoint == endpointAuthorize {
		return &parameterError{code: "invalid_request", text: "the request has to be pushed"}
	}
	if uri := form.Get("redirect_uri"); !known.AllowsRedirect(uri) {
		return &parameterError{code: "invalid_request", text: "redirect_uri is not registered"}
	}
	wrong := func(code, text string) *parameterError { return &parameterError{code, text, true} }
	switch t := form.Get("response_type"); t {
	case "code":
	case "":
		return wrong("invalid_request", "response_type is missing")
	default:
		return wrong("unsupported_response_type", "")
	}
	switch m := form.Get("response_mode"); m {
	case "", "query", "fragment":
	default:
		return wrong("invalid_request", "response_mode is not supported")
	}
	asked := strings.Fields(form.Get("scope"))
	if !slices.Contains(asked, "openid") {
		return wrong("invalid_scope", "openid is missing")
	}
	// A scope that is not the client's is left out, as RFC 6749 section 3.3 lets a server do: applications of Pro Santé Connect
	// send those of its own.
	kept := slices.DeleteFunc(asked, func(s string) bool { return !known.AllowsScope(s) })
	if !slices.Contains(kept, "openid") {
		return wrong("invalid_scope", "openid is not allowed for the client")
	}
	form.Set("scope", strings.Join(kept, " "))
	challenge, method := form.Get("code_challenge"), form.Get("code_challenge_method")
	switch {
	case challenge == "" && method != "":
		return wrong("invalid_request", "code_challenge is missing")
	case challenge == "" && known.RequirePKCE():
		return wrong("invalid_request", "code_challenge is required")
	case challenge != "" && method != "S256": // without a method it would be plain (RFC 7636 section 4.3)
		return wrong("invalid_request", "code_challenge_method is S256")
	case challenge != "" && !isChallenge(challenge):
		return wrong("invalid_request", "code_challenge is not one of S256")
	}
	prompts := strings.Fields(form.Get("prompt"))
	for _, v := range prompts {
		if v != "none" && v != "login" && v != "consent" && v != "select_account" || v == "none" && len(prompts) > 1 {
			return wrong("invalid_request", "prompt is not one that is known")
		}
	}
	if v := form.Get("max_age"); v != "" {
		if n, err := strconv.ParseUint(v, 10, 31); err != nil {
			return wrong("invalid_request", "max_age is not a number of seconds")
		} else {
			form.Set("max_age", strconv.FormatUint(n, 10))
		}
	}
	if form.Has("acr_values") {
		if known := p.knownACRs(form.Get("acr_values")); known != "" {
			form.Set("acr_values", known)
		} else {
			form.Del("acr_values")
		}
	}
	form.Del("display") // a wish; there is one display
	if form.Get("claims") != "" {
		var err error
		if c.hint, err = wished(form); err != nil {
			return wrong("invalid_request", "claims is not a JSON object of claims")
		}
	}
	if hint := form.Get("id_token_hint"); hint != "" {
		subject, err := p.hinted(hint, known.ID())
		if err != nil {
			return wrong("invalid_request", "id_token_hint is not a token of ours for the client")
		}
		if c.hint != "" && c.hint != subject.Subject {
			return wrong("invalid_request", "id_token_hint and claims mean two people")
		}
		c.hint = subject.Subject
		form.Del("id_token_hint")
	}
	c.locales = form.Get("ui_locales")
	return nil
}

// readable says whether parameters are what a client may send: each once (RFC 6749 section 3.1), text, and no longer than it needs to be, all
// together no more in a form than in an address: a quarter of a megabyte of resource would be kept as it came. What is
// not text would come back changed, and a client would not know its own state.
func readable(form url.Values) *parameterError {
	total := 0
	for name, values := range form {
		if len(values) > 1 && name != "resource" {
			return &parameterError{code: "invalid_request", text: "a parameter stands twice"}
		}
		limit := maxParameter
		if name == "request" || name == "claims" || name == "id_token_hint" {
			limit = maxToken
		}
		for _, v := range append(slices.Clone(values), name) {
			if total += len(v); len(v) > limit || total > maxQuery {
				return &parameterError{code: "invalid_request", text: "a parameter is too long"}
			}
			if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }) {
				return &parameterError{code: "invalid_request", text: "a parameter is not text"}
			}
		}
	}
	return nil
}

// isChallenge says whether a text is the base64url of a SHA-256.
func isChallenge(text string) bool {
	return len(text) == 43 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}
