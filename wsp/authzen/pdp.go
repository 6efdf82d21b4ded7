package authzen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"sceau/wsp"
)

// A Resource is what callers want: the service, by the type and id that the policies of the PDP know it by.
type Resource struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Config says whom to ask, and about what. URL and Resource must be given.
type Config struct {
	// URL of the evaluation endpoint: https, or http on loopback.
	URL string
	// Client does the asking: with it come the certificate of a TLS client and the authorities of the PDP. Nil is one that trusts the
	// authorities of the system. Redirects are not followed in any case.
	Client *http.Client
	// Token is a bearer token that proves us to the PDP; empty sends none.
	Token string
	// Timeout of one question; zero is two seconds.
	Timeout time.Duration
	// Action; empty is "enter".
	Action string
	// Resource that callers want.
	Resource Resource
	// Attributes sends the attributes of the assertion along in the context.
	Attributes bool
}

// A PDP asks. New makes it; it is safe for concurrent use.
type PDP struct {
	config Config
	client http.Client
}

const maxAnswer = 256 << 10

// New checks a configuration. Nothing is asked yet.
func New(c Config) (*PDP, error) {
	at, err := url.Parse(c.URL)
	switch {
	case err != nil || at.Host == "" || at.User != nil:
		return nil, errors.New("authzen: URL is none")
	case at.Scheme != "https" && !(at.Scheme == "http" && (at.Hostname() == "localhost" || at.Hostname() == "127.0.0.1" || at.Hostname() == "::1")):
		return nil, errors.New("authzen: URL is neither https nor http on loopback: whoever stands between could admit anybody")
	case c.Resource.Type == "" || c.Resource.ID == "":
		return nil, errors.New("authzen: no resource")
	case c.Timeout < 0:
		return nil, errors.New("authzen: negative timeout")
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.Action == "" {
		c.Action = "enter"
	}
	p := &PDP{config: c}
	if c.Client != nil {
		p.client = *c.Client
	}
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return p, nil
}

type entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitempty"`
}

type action struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties,omitempty"`
}

type question struct {
	Subject  entity         `json:"subject"`
	Action   action         `json:"action"`
	Resource Resource       `json:"resource"`
	Context  map[string]any `json:"context"`
}

// Decide implements wsp.PDP.
func (p *PDP) Decide(ctx context.Context, caller *wsp.Caller) error {
	who, ok := wsp.PrincipalOf(caller)
	if !ok {
		return errors.New("authzen: a caller whom policies have no name for")
	}
	text, err := json.Marshal(p.question(caller, who))
	if err != nil {
		return fmt.Errorf("authzen: %w: %w", wsp.ErrNoDecision, err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	permitted, err := p.ask(ctx, text)
	switch {
	case err != nil:
		return fmt.Errorf("authzen: %w: %w", wsp.ErrNoDecision, err)
	case !permitted:
		return errors.New("authzen: denied")
	}
	return nil
}

func (p *PDP) question(caller *wsp.Caller, who wsp.Principal) *question {
	namespace, name := caller.Operation()
	q := &question{
		Subject:  entity{who.Type, who.ID(), map[string]any{"kind": who.Kind, "identifierType": who.IdentifierType, "identifier": who.Identifier}},
		Action:   action{p.config.Action, map[string]any{"operation": name, "namespace": namespace}},
		Resource: p.config.Resource,
		Context:  map[string]any{"confirmationMethod": caller.Confirmation(), "assertion": caller.AssertionID()},
	}
	if kind, identifier := caller.Holder().Identifier(); identifier != "" {
		q.Context["holder"] = map[string]any{"kind": caller.Holder().Kind().String(), "identifierType": string(kind), "identifier": identifier}
	}
	if p.config.Attributes {
		attributes := map[string][]string{}
		for a := range caller.Attributes() {
			key := a.Namespace + " " + a.Name // one name may stand in both namespaces
			for v := range a.Values() {
				attributes[key] = append(attributes[key], v)
			}
		}
		q.Context["attributes"] = attributes
	}
	return q
}

// ask gives the decision; an error is none.
func (p *PDP) ask(ctx context.Context, text []byte) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.config.URL, bytes.NewReader(text))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if p.config.Token != "" {
		r.Header.Set("Authorization", "Bearer "+p.config.Token)
	}
	response, err := p.client.Do(r)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // the address is the operator's own
		}
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %d", response.StatusCode)
	}
	if media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return false, errors.New("an answer that is not JSON")
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return false, err
	}
	if len(answer) > maxAnswer {
		return false, errors.New("an answer that is too long")
	}
	return decision(answer)
}

// decision reads the one member that counts, strictly: exactly its name, once, a boolean, in one object.
func decision(text []byte) (bool, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return false, errors.New("an answer that is no object")
	}
	var found, permitted bool
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return false, errors.New("an answer that is not JSON")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return false, errors.New("an answer that is not JSON")
		}
		if name != "decision" {
			continue
		}
		switch string(value) {
		case "true":
			permitted = true
		case "false":
		default:
			return false, errors.New("a decision that is no boolean")
		}
		if found {
			return false, errors.New("two decisions")
		}
		found = true
	}
	if _, err := decoder.Token(); err != nil {
		return false, errors.New("an answer that is not JSON")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return false, errors.New("something after the answer")
	}
	if !found {
		return false, errors.New("an answer without decision")
	}
	return permitted, nil
}
