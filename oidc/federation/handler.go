package federation

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// The endpoints below an entity identifier. Where they are is ours to choose: others read it in our configuration.
const (
	pathFetch      = "/federation/fetch"
	pathList       = "/federation/list"
	pathResolve    = "/federation/resolve"
	pathStatus     = "/federation/trust-mark-status"
	pathHistorical = "/federation/historical-keys"

	maxForm = 64 << 10
)

func (p *Publisher) address(path string) string { return strings.TrimSuffix(p.c.Entity, "/") + path }

// endpoints are those that we have, for the metadata of federation_entity (5.1.1).
func (p *Publisher) endpoints() map[string]any {
	e := map[string]any{}
	if len(p.c.HistoricalKeys) > 0 {
		e["federation_historical_keys_endpoint"] = p.address(pathHistorical)
	}
	a := p.c.Authority
	if a == nil {
		return e
	}
	e["federation_fetch_endpoint"] = p.address(pathFetch)
	e["federation_list_endpoint"] = p.address(pathList)
	if a.Resolver != nil {
		e["federation_resolve_endpoint"] = p.address(pathResolve)
	}
	if a.TrustMarkStatus != nil {
		e["federation_trust_mark_status_endpoint"] = p.address(pathStatus)
	}
	return e
}

// Handler serves the entity configuration at the path of the entity identifier with /.well-known/openid-federation behind it, and the
// endpoints that the configuration names. Other paths are answered with 404.
func (p *Publisher) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+p.path+wellKnown, p.serveConfiguration)
	if len(p.c.HistoricalKeys) > 0 {
		mux.HandleFunc("GET "+p.path+pathHistorical, func(w http.ResponseWriter, _ *http.Request) {
			t, err := p.historical()
			answer(w, t, mediaKeys, err)
		})
	}
	if a := p.c.Authority; a != nil {
		mux.HandleFunc("GET "+p.path+pathFetch, p.serveFetch)
		mux.HandleFunc("GET "+p.path+pathList, p.serveList)
		if a.Resolver != nil {
			mux.HandleFunc("GET "+p.path+pathResolve, p.serveResolve)
		}
		if a.TrustMarkStatus != nil {
			mux.HandleFunc("POST "+p.path+pathStatus, p.serveStatus)
		}
	}
	return mux
}

func answer(w http.ResponseWriter, token, media string, err error) {
	if err != nil {
		fail(w, http.StatusInternalServerError, "server_error", "the answer could not be made")
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(token)) // who does not read it asks again
}

// fail answers in the form of 8.9. The description is a sentence of ours: nothing of the request comes back.
func fail(w http.ResponseWriter, status int, code, description string) {
	body, err := json.Marshal(map[string]string{"error": code, "error_description": description})
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (p *Publisher) serveConfiguration(w http.ResponseWriter, _ *http.Request) {
	t, err := p.Configuration()
	answer(w, t, mediaStatement, err)
}

func (p *Publisher) serveFetch(w http.ResponseWriter, r *http.Request) {
	subs := r.URL.Query()["sub"]
	if len(subs) != 1 || subs[0] == "" {
		fail(w, http.StatusBadRequest, "invalid_request", "one sub is needed")
		return
	}
	if subs[0] == p.c.Entity {
		fail(w, http.StatusBadRequest, "invalid_request", "sub is this entity: its configuration says what it is")
		return
	}
	s, err := p.c.Authority.Subordinates.Subordinate(r.Context(), subs[0])
	switch {
	case errors.Is(err, ErrNoSubordinate):
		fail(w, http.StatusNotFound, "not_found", "no subordinate of that identifier")
		return
	case err != nil:
		fail(w, http.StatusServiceUnavailable, "temporarily_unavailable", "later again")
		return
	}
	t, err := p.Vouch(s)
	answer(w, t, mediaStatement, err)
}

func (p *Publisher) serveList(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Has("trust_marked") || q.Has("trust_mark_type") {
		fail(w, http.StatusBadRequest, "unsupported_parameter", "the list is not filtered by trust marks")
		return
	}
	list, err := p.c.Authority.Subordinates.Subordinates(r.Context())
	if err != nil {
		fail(w, http.StatusServiceUnavailable, "temporarily_unavailable", "later again")
		return
	}
	names := []string{}
	for _, s := range list {
		types := q["entity_type"]
		if len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return slices.Contains(s.Types, t) }) ||
			q.Get("intermediate") == "true" && !s.Intermediate || q.Get("intermediate") == "false" && s.Intermediate {
			continue
		}
		names = append(names, s.Entity)
	}
	body, err := json.Marshal(names)
	answer(w, string(body), "application/json", err)
}

func (p *Publisher) serveResolve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a := p.c.Authority
	if len(q["sub"]) != 1 || len(q["trust_anchor"]) == 0 {
		fail(w, http.StatusBadRequest, "invalid_request", "one sub and a trust_anchor are needed")
		return
	}
	sub := q.Get("sub")
	v, there := a.Resolver.Kept(sub, "")
	if !there {
		_, err := a.Subordinates.Subordinate(r.Context(), sub)
		if errors.Is(err, ErrNoSubordinate) {
			fail(w, http.StatusNotFound, "not_found", "nothing is known of that entity")
			return
		}
		if err == nil {
			v, err = a.Resolver.Resolve(r.Context(), sub, "")
		}
		if err != nil {
			failWith(w, err)
			return
		}
	}
	if !slices.Contains(q["trust_anchor"], v.Anchor) {
		fail(w, http.StatusNotFound, "invalid_trust_anchor", "no chain to that trust anchor")
		return
	}
	metadata := Metadata{}
	for typ, m := range v.Metadata {
		if types := q["entity_type"]; len(types) == 0 || slices.Contains(types, typ) {
			metadata[typ] = m
		}
	}
	c := map[string]any{"metadata": metadata, "trust_chain": v.Chain, "exp": v.ExpiresAt.Unix()}
	var marks []map[string]string
	for typ, m := range v.TrustMarks {
		marks = append(marks, map[string]string{"trust_mark_type": typ, "trust_mark": m})
	}
	if marks != nil {
		c["trust_marks"] = marks
	}
	t, err := p.sign(typeResolve, sub, c, 0)
	answer(w, t, "application/resolve-response+jwt", err)
}

func failWith(w http.ResponseWriter, err error) {
	e := new(Error)
	if !errors.As(err, &e) {
		e = &Error{Reason: Unreachable}
	}
	status := http.StatusBadRequest
	switch e.Code() {
	case "invalid_trust_anchor":
		status = http.StatusNotFound
	case "temporarily_unavailable":
		status = http.StatusServiceUnavailable
	}
	fail(w, status, e.Code(), e.Reason.String())
}

func (p *Publisher) serveStatus(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || len(r.PostForm["trust_mark"]) != 1 {
		fail(w, http.StatusBadRequest, "invalid_request", "one trust_mark is needed")
		return
	}
	raw := r.PostForm.Get("trust_mark")
	status, known, err := p.statusOf(r, raw)
	switch {
	case !known:
		fail(w, http.StatusNotFound, "not_found", "no trust mark of ours")
		return
	case err != nil:
		fail(w, http.StatusServiceUnavailable, "temporarily_unavailable", "later again")
		return
	}
	t, err := p.sign(typeStatus, "", map[string]any{"trust_mark": raw, "status": status}, 0)
	answer(w, t, mediaStatus, err)
}

// statusOf is the status of a trust mark that we issued (8.4.2): one that our keys do not verify is none of ours.
func (p *Publisher) statusOf(r *http.Request, raw string) (status string, known bool, err error) {
	t, err := read(raw, typeTrustMark)
	if err != nil {
		return "", false, nil
	}
	set := keySet{}
	for _, k := range p.keys {
		set[k.KeyID] = k
	}
	iss, _, err1 := t.claims.text("iss")
	sub, _, err2 := t.claims.text("sub")
	typ, _, err3 := t.claims.text("trust_mark_type")
	if t.verify(set) != nil || errors.Join(err1, err2, err3) != nil || iss != p.c.Entity {
		return "", false, nil
	}
	if end, there, err := t.claims.instant("exp"); err == nil && there && !end.After(p.c.Now()) {
		return "expired", true, nil
	}
	status, err = p.c.Authority.TrustMarkStatus(r.Context(), sub, typ)
	return status, true, err
}
