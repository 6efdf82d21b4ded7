package bridge

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"sceau/attrs"
	"sceau/oidc/authn"
	"sceau/policy"
	"sceau/saml"
	"sceau/xmlsec"
	"sceau/xmlsec/xmltext"
)

// Bounds of an assertion.
const (
	maxAssertionBytes = 64 << 10
	maxAttributes     = 256
)

// The attributes of our own assertions that carry claims: see ClaimNamespace.
const (
	claimMethods = "amr"
	claimLevel   = "acr"
	claimActor   = "act"
	claimClient  = "client_id"
	claimGrant   = "grant" // the name of a grant, which says nothing to others
)

// strict is base64url without padding, and without bits after the last octet.
var strict = base64.RawURLEncoding.Strict()

// decodeAssertion reads base64url (RFC 8693 section 3, RFC 7522 section 2.1): no line breaks, padding or none.
func decodeAssertion(text string) ([]byte, error) {
	if len(text)%4 == 0 {
		text = strings.TrimSuffix(strings.TrimSuffix(text, "="), "=")
	}
	octets, err := strict.DecodeString(text)
	if err != nil || strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 { // encoding/base64 passes over line ends
		return nil, refuse(BadSubjectToken, "not base64url")
	}
	if len(octets) > maxAssertionBytes {
		return nil, refuse(BadSubjectToken, "too large")
	}
	return octets, nil
}

// proveAssertion proves an assertion: whose word it is, that it holds now, that the holder of the connection is its holder.
func (e *exchange) proveAssertion(text string, h holder, ref *TokenRef) (proven, error) {
	octets, err := decodeAssertion(text)
	if err != nil {
		return proven{}, err
	}
	document, err := xmltext.Parse(octets, e.x.config.Limits)
	if err != nil {
		return proven{}, refuseFor(BadSubjectToken, err)
	}
	defer document.Release()
	root := document.Root()
	if root.HasComment() { // a canonical form shows none (attacks.md D1, W18)
		return proven{}, refuse(BadSubjectToken, "comment")
	}
	var a saml.Assertion
	if err := saml.ParseAssertion(root, &a); err != nil {
		return proven{}, refuseFor(BadSubjectToken, err)
	}
	if len(a.Attributes()) > maxAttributes {
		return proven{}, refuse(BadSubjectToken, "too many attributes")
	}
	var scratch []byte
	belief, err := e.x.judge.Believe(&a, false, e.now, &scratch)
	if err != nil {
		return proven{}, trustError(err)
	}
	// From here on every octet of a is the word of a trusted STS.
	*ref = TokenRef{Type: SAML1, Issuer: string(a.Issuer), ID: string(a.AssertionID), Expires: a.Conditions.NotOnOrAfter}
	if belief.Key.Selector != xmlsec.ByCertificate {
		return proven{}, refuse(NotHolderOfKey, "a key without certificate")
	}
	// The text of the very certificate, as we would write it, is not decoded to be compared.
	if string(belief.Key.Value) != h.identity.Certificate().Base64() {
		der, err := xmlsec.AppendBase64(scratch[:0], belief.Key.Value)
		if err != nil {
			return proven{}, refuseFor(NotHolderOfKey, err)
		}
		if !h.is(der) {
			return proven{}, refuse(HolderMismatch, "")
		}
	}
	p := proven{end: earliest(a.Conditions.NotOnOrAfter, belief.STS.NotAfter()), token: Token{
		Type: SAML1, Issuer: string(a.Issuer), ID: string(a.AssertionID), Confirmation: h.thumbprint,
		IssuedAt: a.IssueInstant, NotBefore: a.Conditions.NotBefore, Expires: a.Conditions.NotOnOrAfter,
		AuthTime: a.AuthenticationInstant, Methods: e.x.config.Methods.References(string(a.AuthenticationMethod)),
	}}
	if err := e.takeAttributes(&a, &p); err != nil {
		return proven{}, err
	}
	name := &a.AuthenticationSubject.NameIdentifier
	if e.own(&a) && string(name.Format) == saml.FormatPersistent && string(name.NameQualifier) == e.x.config.Issuer {
		p.token.Subject = string(name.Value) // as we wrote it
		if err := e.granted(&p); err != nil {
			return proven{}, err
		}
	}
	ref.Origin = p.token.Origin
	return p, nil
}

// granted asks whether an assertion that we made has outlived what it came of: a session, a consent or a grant that has ended gives nothing
// by a way over SAML either.
func (e *exchange) granted(p *proven) error {
	grants := e.x.config.Grants
	if grants == nil {
		return nil
	}
	if p.grant == "" {
		return refuse(BadSubjectToken, "an assertion of ours without a grant")
	}
	switch err := grants.Granted(e.ctx, &p.token, p.grant); {
	case errors.Is(err, ErrToken):
		return refuseFor(BadSubjectToken, err)
	case err != nil:
		return refuseFor(Unavailable, err)
	}
	return nil
}

// own says whether we wrote the assertion.
func (e *exchange) own(a *saml.Assertion) bool {
	return e.x.config.Assertions.Issuer != "" && string(a.Issuer) == e.x.config.Assertions.Issuer
}

// takeAttributes reads the attributes that are claims, those that name the person, and those of our own.
func (e *exchange) takeAttributes(a *saml.Assertion, p *proven) error {
	var few [16]attrs.Designator
	seen := few[:0]
	p.token.Claims = map[string]any{}
	catalogue := e.x.config.Catalogue()
	for i := range a.Attributes() {
		from := &a.Attributes()[i]
		d := attrs.Designator{Name: string(from.Name), Namespace: string(from.Namespace)}
		definition, known := catalogue.Lookup(from.Name, from.Namespace)
		if known {
			d = definition.Designator
		}
		if slices.Contains(seen, d) { // a reader of the first and one of the last would differ
			return refuse(BadSubjectToken, "an attribute twice")
		}
		seen = append(seen, d)
		if d.Namespace == ClaimNamespace {
			if e.own(a) {
				if err := p.takeOwn(d.Name, from.Values); err != nil {
					return err
				}
			}
			continue
		}
		claim := e.x.carried[d]
		if claim == nil {
			continue
		}
		value := claimValue(from.Values, known && definition.Kind == attrs.Boolean)
		if value == nil {
			continue // unknown: an empty value
		}
		p.token.Claims[claim.Name] = value
		if text, ok := value.(string); ok && claim.Identifier != "" {
			p.identifiers = append(p.identifiers, authn.Identifier{Type: claim.Identifier, Value: text})
		}
	}
	return nil
}

// claimValue makes a claim of the values of an attribute, nil of none.
func claimValue(values [][]byte, boolean bool) any {
	var all []any
	for _, v := range values {
		if len(v) > 0 {
			all = append(all, string(v))
		}
	}
	switch {
	case len(all) == 0:
		return nil
	case boolean && len(all) == 1:
		return all[0] == "true"
	case len(all) == 1:
		return all[0]
	}
	return all
}

// takeOwn reads what makeAssertion wrote.
func (p *proven) takeOwn(name string, values [][]byte) error {
	switch name {
	case claimMethods:
		p.token.Methods = nil
		for _, v := range values {
			p.token.Methods = append(p.token.Methods, string(v))
		}
	case claimClient: // acr is for those who read assertions: whoever exchanges one has an acr of his own
		p.token.ClientID = string(values[0])
	case claimActor:
		actor := new(Actor)
		if err := json.Unmarshal(values[0], actor); err != nil || actor.Subject == "" {
			return refuse(BadSubjectToken, "act")
		}
		p.token.Actor = actor
	case claimGrant:
		p.grant = string(values[0])
	}
	return nil
}

// makeAssertion writes and signs the assertion, bound to the holder of the connection.
func (e *exchange) makeAssertion(g granted, h holder) (*Result, error) {
	c, p := &e.x.config.Assertions, g.delegated.proven
	if p.token.AuthTime.IsZero() || p.token.Subject == "" {
		return nil, refuse(NoAuthentication, "")
	}
	signing, err := c.Signing(e.now)
	if err != nil || signing.Signer == nil {
		return nil, refuseFor(NotIssued, errors.Join(errors.New("no key signs"), err))
	}
	if e.now.Before(signing.NotBefore) || !e.now.Before(signing.NotAfter) {
		return nil, refuse(NotIssued, "the certificate of the signer has not begun or has ended")
	}
	statements, end, err := e.statements(&g, h)
	if err != nil {
		return nil, err
	}
	end = earliest(earliest(g.end, end), signing.NotAfter).Truncate(time.Millisecond)
	if !end.After(e.now) {
		return nil, refuse(NoTimeLeft, "")
	}
	random := newID()
	id := "_" + hex.EncodeToString(random[:])
	if statements, err = e.grant(statements, &g, h, id, end); err != nil {
		return nil, err
	}
	issue := saml.Issue{
		AssertionID: id, Issuer: c.Issuer, IssueInstant: e.now,
		NotBefore: begin(e.now.Add(-c.BackDate), &p.token), NotOnOrAfter: end,
		Subject:      saml.Name{Format: saml.FormatPersistent, Subject: p.token.Subject, Issuer: e.x.config.Issuer},
		HolderBase64: h.identity.Certificate().Base64(), Attributes: statements,
		Method: e.x.config.Methods.SAML(p.token.Methods), Instant: p.token.AuthTime, Audiences: g.audience,
	}
	if err := e.ctx.Err(); err != nil {
		return nil, refuseFor(NotIssued, err)
	}
	octets, err := saml.AppendAssertion(nil, &issue, signing.Signer)
	if err != nil {
		return nil, refuseFor(NotIssued, err)
	}
	e.event.Subject = p.token.Subject
	e.event.Issued = TokenRef{Type: SAML1, Issuer: c.Issuer, ID: issue.AssertionID, Expires: end}
	return &Result{Token: base64.RawURLEncoding.EncodeToString(octets), Type: SAML1, ID: issue.AssertionID, Scope: g.scope, Expires: end}, nil
}

// grant makes the grant of an assertion, and appends the attribute that names it.
func (e *exchange) grant(list []saml.Statement, g *granted, h holder, id string, end time.Time) ([]saml.Statement, error) {
	if e.x.config.Grants == nil {
		return list, nil
	}
	of := &g.delegated.proven.token
	name, err := e.x.config.Grants.Grant(e.ctx, &Token{
		Type: SAML1, Issuer: e.x.config.Assertions.Issuer, ID: id, Subject: of.Subject, ClientID: e.client.ID, Audience: g.audience, Scope: g.scope,
		Confirmation: h.thumbprint, IssuedAt: e.now, Expires: end, AuthTime: of.AuthTime, Methods: of.Methods, Level: of.Level,
		Actor: g.delegated.actor, Origin: of.Origin, ActorOrigin: g.delegated.origin,
	})
	if err != nil {
		return nil, notMade(err)
	}
	return append(list, saml.Statement{Name: claimGrant, Namespace: ClaimNamespace, Values: []string{name}}), nil
}

// begin gives a beginning that is not before that of the subject token.
func begin(at time.Time, t *Token) time.Time {
	for _, bound := range []time.Time{t.IssuedAt, t.NotBefore} {
		if bound.After(at) {
			at = bound
		}
	}
	return at
}

// statements are the attributes of an assertion: claims of the token, what SAML has no word for, and what sources certify anew. end is
// when the first of what they certify ends, g.end where nothing does.
func (e *exchange) statements(g *granted, h holder) (list []saml.Statement, end time.Time, err error) {
	t := &g.delegated.proven.token
	for i := range e.x.config.Claims {
		claim := &e.x.config.Claims[i]
		if claim.Attribute.Name == "" || claim.Attribute.Namespace == attrs.NamespaceCertified || claim.Scope != "" && !slices.Contains(g.scope, claim.Scope) {
			continue
		}
		if values, ok := texts(t.Claims[claim.Name]); ok {
			list = append(list, saml.Statement{Name: claim.Attribute.Name, Namespace: claim.Attribute.Namespace, Values: values})
		}
	}
	certified, end, err := e.certify(g, h)
	if err != nil {
		return nil, end, err
	}
	list = append(list, certified...)
	own := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			list = append(list, saml.Statement{Name: name, Namespace: ClaimNamespace, Values: values})
		}
	}
	own(claimMethods, t.Methods...)
	own(claimLevel, t.Level)
	own(claimClient, e.client.ID)
	if a := g.delegated.actor; a != nil {
		text, err := json.Marshal(a)
		if err != nil {
			return nil, end, refuseFor(NotIssued, err)
		}
		own(claimActor, string(text))
	}
	return list, end, nil
}

// texts gives the values of an attribute that is a claim, false for a claim of another form.
func texts(value any) ([]string, bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, v != ""
	case bool:
		if v {
			return []string{"true"}, true
		}
		return []string{"false"}, true
	case []any:
		var all []string
		for _, one := range v {
			text, ok := one.(string)
			if !ok || text == "" {
				return nil, false
			}
			all = append(all, text)
		}
		return all, len(all) > 0
	}
	return nil, false
}

// certify asks policy, and then the authentic sources, for the certified attributes that every audience is to have. Identity and holder
// are the certificate of the connection, as of a message that it signed (wire document 6.3).
func (e *exchange) certify(g *granted, h holder) ([]saml.Statement, time.Time, error) {
	c := &e.x.config.Assertions
	catalogue := e.x.config.Catalogue()
	wanted, err := e.wanted(catalogue, g.audience)
	if err != nil || len(wanted) == 0 {
		return nil, g.end, err
	}
	who := e.event.Holder
	ask := policy.ReleaseRequest{Identity: who, Holder: who, Attributes: wanted, Mode: policy.ModeFallback, At: e.now}
	if who.Kind == policy.KindEID {
		ask.Mode = policy.ModeEIDOnly
	}
	var release policy.Release
	if err := c.Release.Release(e.ctx, &ask, &release); err != nil {
		if attrs.ReasonOf(err) != 0 {
			return nil, g.end, refuseFor(Unavailable, err)
		}
		return nil, g.end, refuseFor(Denied, err)
	}
	if len(release.Decisions) != len(wanted) {
		return nil, g.end, refuse(Denied, "the policy did not decide every attribute")
	}
	q := attrs.Query{At: e.now, Subjects: e.keyed(catalogue, &g.delegated.proven.token)}
	for i := range wanted {
		switch {
		case release.Decisions[i].Permitted():
			q.Definitions = append(q.Definitions, wanted[i])
		case release.OnDenied != policy.Omit:
			return nil, g.end, refuse(Denied, "an attribute: "+wanted[i].Name)
		}
	}
	answers, err := c.Attributes.Resolve(e.ctx, &q, nil)
	switch {
	case err != nil && (attrs.ReasonOf(err) == attrs.NoSubject || attrs.ReasonOf(err) == attrs.AmbiguousSubject):
		return nil, g.end, refuseFor(UnknownSubject, err)
	case err != nil:
		return nil, g.end, refuseFor(Unavailable, err)
	case len(answers) != len(q.Definitions):
		return nil, g.end, refuse(Unavailable, "not one answer for each attribute")
	}
	end := earliest(g.end, e.now.Add(release.MaximumValidity))
	if first := attrs.Earliest(answers); !first.IsZero() {
		end = earliest(end, first)
	}
	var list []saml.Statement
	for i := range answers {
		if answers[i].State == attrs.Unresolved { // optional, and left out
			continue
		}
		d := answers[i].Definition
		list = append(list, saml.Statement{Name: d.Name, Namespace: d.Namespace, Values: slices.Collect(answers[i].WireValues)})
	}
	return list, end, nil
}

// wanted are the certified attributes for an audience; of several, those that each of them is to have.
func (e *exchange) wanted(catalogue *attrs.Catalogue, audiences []string) (all []*attrs.Definition, err error) {
	certified := e.x.config.Assertions.Certified
	for _, d := range certified[audiences[0]] {
		each := true
		for _, audience := range audiences[1:] {
			each = each && slices.Contains(certified[audience], d)
		}
		if !each {
			continue
		}
		definition, ok := catalogue.Find(d)
		if !ok { // since it was configured; a recipient would take what lacks for something that the person has not
			return nil, refuse(Unavailable, "an attribute that is defined no longer: "+d.Name)
		}
		all = append(all, definition)
	}
	return all, nil
}

// keyed gives the identification attributes that the claims of a token are: by them sources know the person.
func (e *exchange) keyed(catalogue *attrs.Catalogue, t *Token) (all []attrs.Keyed) {
	for i := range e.x.config.Claims {
		claim := &e.x.config.Claims[i]
		definition, ok := catalogue.Find(claim.Attribute)
		text, isText := t.Claims[claim.Name].(string)
		if ok && isText && !definition.Certified() && definition.Kind.Valid(text) {
			all = append(all, attrs.Keyed{By: definition, Value: text})
		}
	}
	return all
}
