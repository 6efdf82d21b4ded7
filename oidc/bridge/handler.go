package bridge

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sceau/audit"
)

// A Result is what an exchange gave.
type Result struct {
	Token   string // a JWT, or an assertion in base64url
	Type    TokenType
	ID      string // jti or AssertionID
	Scope   []string
	Expires time.Time
	AuditID audit.ID
}

// AppendJSON appends the answer of RFC 8693 section 2.2.1. Only an access token has a token_type; of everything else it is N_A.
func (r *Result) AppendJSON(dst []byte, now time.Time) []byte {
	kind := "N_A"
	if r.Type == AccessToken {
		kind = "Bearer" // RFC 8705 section 3: cnf binds it all the same
	}
	dst = appendText(append(dst, `{"access_token":`...), r.Token)
	dst = appendText(append(dst, `,"issued_token_type":`...), r.Type.String())
	dst = appendText(append(dst, `,"token_type":`...), kind)
	dst = strconv.AppendInt(append(dst, `,"expires_in":`...), int64(r.Expires.Sub(now)/time.Second), 10)
	return append(appendSome(dst, `,"scope":`, strings.Join(r.Scope, " ")), '}')
}

// A Failure is the answer where an exchange is refused: the code of OAuth, and the id under which the operator finds the cause.
type Failure struct {
	Code    string `json:"error"`
	AuditID string `json:"audit_id,omitempty"`
}

// FailureOf gives what a stranger is told of an error of Exchange or ParseRequest, and the status of HTTP.
func FailureOf(err error) (Failure, int) {
	f := Failure{Code: ReasonOf(err).Code()}
	var e *refusedExchange
	if errors.As(err, &e) {
		f.AuditID = e.id.String()
	}
	return f, ReasonOf(err).Status()
}

// refusedExchange adds the audit id to a refusal.
type refusedExchange struct {
	err error
	id  audit.ID
}

func (e *refusedExchange) Error() string { return e.err.Error() }
func (e *refusedExchange) Unwrap() error { return e.err }

// Authenticate says which client sends a request, whose form was read out of its body. On error it has written the answer itself.
type Authenticate func(w http.ResponseWriter, r *http.Request, form url.Values) (*Client, error)

// Handler is a token endpoint for this grant alone: authenticate says who asks. A token endpoint with other grants calls Serve.
func (x *Exchanger) Handler(authenticate Authenticate, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, failure := readForm(w, r)
		if failure != nil {
			answer(w, failure.status, failure.body)
			return
		}
		client, err := authenticate(w, r, form)
		if err != nil {
			return
		}
		x.Serve(w, r, client, form, now())
	})
}

// Serve answers a request whose client is authenticated and whose form was read.
func (x *Exchanger) Serve(w http.ResponseWriter, r *http.Request, client *Client, form url.Values, now time.Time) {
	if grant := form["grant_type"]; len(grant) != 1 || grant[0] != GrantType {
		answer(w, http.StatusBadRequest, Failure{Code: "unsupported_grant_type"})
		return
	}
	result, err := x.ExchangeForm(r.Context(), client, form, now)
	if err != nil {
		failure, status := FailureOf(err)
		answer(w, status, failure)
		return
	}
	head(w)
	w.Write(result.AppendJSON(make([]byte, 0, len(result.Token)+512), now))
}

type formFailure struct {
	status int
	body   Failure
}

// readForm reads the body alone: a token in the query of an address ends in logs.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *formFailure) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &formFailure{http.StatusMethodNotAllowed, Failure{Code: "invalid_request"}}
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" {
		return nil, &formFailure{http.StatusBadRequest, Failure{Code: "invalid_request"}}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		return nil, &formFailure{http.StatusRequestEntityTooLarge, Failure{Code: "invalid_request"}}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &formFailure{http.StatusBadRequest, Failure{Code: "invalid_request"}}
	}
	return form, nil
}

func head(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store") // RFC 6749 section 5.1
	h.Set("Pragma", "no-cache")
}

func answer(w http.ResponseWriter, status int, f Failure) {
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // two texts
	}
	head(w)
	w.WriteHeader(status)
	w.Write(text)
}
