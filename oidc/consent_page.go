package oidc

import (
	"errors"
	"net/http"
	"strings"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"sceau/audit"
	"sceau/oidc/authn"
	"sceau/oidc/client"
	"sceau/oidc/page"
)

// consents says whether the person has still to consent. Else v.consent is what he agreed to, where that was asked.
func (v *visit) consents() (missing bool, err error) {
	if v.client.Consent() == client.ConsentNone && !v.prompts("consent") {
		return false, nil
	}
	what := v.asked().What
	kept, err := v.consentsOf().find(v.r.Context(), v.session.Account.ID, what)
	if err != nil {
		return false, err
	}
	if kept == nil || v.prompts("consent") && v.attempt.Agreed != what { // agreed in the attempt, and not withdrawn since
		return true, nil
	}
	v.agreed = kept.ID
	return false, nil
}

func (v *visit) consent() (goidc.Status, error) {
	if v.login, v.attempt.Again = v.suitable(); v.login == nil {
		http.Redirect(v.w, v.r, v.address(), http.StatusSeeOther)
		return goidc.StatusPending, nil
	}
	shown := page.Consent{Action: v.address() + "/consent", Person: personName(&v.session.Account), Later: v.config.Issuer + "/consents?lang=" + v.attempt.Language}
	for _, s := range strings.Fields(v.as.Scopes) {
		shown.Scopes = append(shown.Scopes, page.Scope{Name: s})
	}
	if v.client.Consent() == client.ConsentTerms {
		shown.Terms = &page.Terms{URL: v.client.TermsURL()}
	}
	asked := v.asked()
	if v.r.Method != http.MethodPost || v.attempt.Shown != asked.What { // another person may have come to the browser meanwhile
		v.attempt.Shown = asked.What
		v.write(http.StatusOK, shown)
		return goidc.StatusPending, nil
	}
	if v.r.PostFormValue("decision") == "allow" && shown.Terms != nil && v.r.PostFormValue("terms") != "accepted" {
		shown.TermsMissing = true
		v.write(http.StatusUnprocessableEntity, shown)
		return goidc.StatusPending, nil
	}
	e := &v.call.event
	e.Operation, e.Session, e.Scope = audit.OperationConsent, v.session.SID, v.as.Scopes
	e.Subject = audit.Identifier{Type: audit.SubjectType, Value: v.subject(&v.session.Account)}
	if v.r.PostFormValue("decision") != "allow" {
		return goidc.StatusFailure, goidc.WrapError(goidc.ErrorCodeAccessDenied, "the person did not consent", errors.New("the person did not consent"))
	}
	if err := v.record(v.r.Context(), v.call); err != nil { // the trail has it before it counts
		return goidc.StatusFailure, err
	}
	v.attempt.Agreed = asked.What
	if err := v.consentsOf().give(v.r.Context(), v.session.Account.ID, asked); err != nil {
		return goidc.StatusFailure, err
	}
	return v.again()
}

func personName(a *authn.Account) string {
	if a.Name != "" {
		return a.Name
	}
	return strings.TrimSpace(a.GivenName + " " + a.FamilyName)
}
