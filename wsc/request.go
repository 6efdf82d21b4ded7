package wsc

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/saml"
	"sceau/soap"
)

// A Request says which token is wanted.
type Request struct {
	// Attributes are wanted. Those of the identification namespace must also have a
	// value in Identification.
	Attributes []attrs.Designator
	// Identification says who we are; nil is what the certificates bear,
	// Credentials.Identification. All of them are asked for too.
	Identification []Attribute
	// Validity is how long the token should be valid; zero is 24 hours, the default of
	// the platform's connector. The STS may give less.
	Validity time.Duration
}

// A query is a Request that was made definite: what is sent, and what the answer must
// fit.
type query struct {
	saml.Query
	credentials      *Credentials // nil in an examination
	identity, holder *certs.Certificate
	identification   []Attribute
	designators      []attrs.Designator // all that is asked, identification first
}

// Token asks the STS at an address for a token. It sends at most one message.
func (c *Client) Token(ctx context.Context, endpoint string, credentials *Credentials, request *Request) (*Token, error) {
	u, err := c.endpoint(endpoint)
	if err != nil {
		return nil, err
	}
	if c.config.Trust == nil {
		return nil, refuse(NoTrust, "")
	}
	q, err := c.query(credentials, request)
	if err != nil {
		return nil, err
	}
	x, err := c.ask(ctx, u, q)
	if err != nil {
		return nil, err
	}
	return c.answer(x, q)
}

// query makes a request definite (steps 1 and 2 of the platform's step-by-step).
func (c *Client) query(credentials *Credentials, request *Request) (*query, error) {
	if credentials == nil || credentials.identity == nil {
		return nil, refuse(BadCredentials, "none")
	}
	now := c.config.Now()
	if err := credentials.usable(now); err != nil {
		return nil, err
	}
	validity := request.Validity
	if validity == 0 {
		validity = 24 * time.Hour
	}
	if validity < 0 {
		return nil, refuse(BadRequest, "negative validity")
	}
	q, err := c.designated(credentials, request)
	if err != nil {
		return nil, err
	}
	id := c.config.NewID()
	q.Query = saml.Query{
		RequestID:    "request-" + id,
		AssertionID:  "assertion-" + id,
		IssueInstant: now,
		Issuer:       credentials.subject.Subject,
		Subject:      credentials.subject,
		NotBefore:    now,
		// A token outlives neither certificate; asking for more is asking for a refusal.
		NotOnOrAfter:   earliest(now.Add(validity), credentials.Holder().NotAfter(), credentials.Identity().NotAfter()),
		Holder:         credentials.Holder().Raw(),
		Identification: statements(q.identification),
	}
	for _, d := range q.designators {
		q.Designators = append(q.Designators, saml.Statement{Name: d.Name, Namespace: d.Namespace})
	}
	return q, nil
}

// designated begins a query: what is claimed and what is asked.
func (c *Client) designated(credentials *Credentials, request *Request) (*query, error) {
	if credentials == nil || credentials.identity == nil {
		return nil, refuse(BadCredentials, "none")
	}
	q := &query{credentials: credentials, identity: credentials.Identity(), holder: credentials.Holder(), identification: request.Identification}
	if q.identification == nil {
		q.identification = credentials.Identification()
	}
	if err := q.designate(request.Attributes); err != nil {
		return nil, err
	}
	return q, nil
}

// designate lists all that is asked, each once, identification first (wire document
// 2.2).
func (q *query) designate(wanted []attrs.Designator) error {
	for _, a := range q.identification {
		if a.Name == "" || len(a.Values) == 0 || slices.Contains(a.Values, "") {
			return refuse(BadRequest, fmt.Sprintf("identification attribute %q without value", a.Name))
		}
		if slices.Contains(q.designators, a.Designator) {
			return refuse(BadRequest, fmt.Sprintf("identification attribute %q twice", a.Name))
		}
		q.designators = append(q.designators, a.Designator)
	}
	claimed := len(q.designators)
	for _, d := range wanted {
		switch {
		case d.Name == "" || d.Namespace == "":
			return refuse(BadRequest, fmt.Sprintf("attribute %q without name or namespace", d.Name))
		case d.Namespace == attrs.NamespaceIdentification && !slices.Contains(q.designators[:claimed], d):
			return refuse(BadRequest, fmt.Sprintf("the certificates do not bear %q: give its value", d.Name))
		case !slices.Contains(q.designators, d):
			q.designators = append(q.designators, d)
		}
	}
	if len(q.designators) == 0 {
		return refuse(BadRequest, "no attribute is asked for")
	}
	return nil
}

func earliest(t time.Time, others ...time.Time) time.Time {
	for _, o := range others {
		if o.Before(t) {
			t = o
		}
	}
	return t
}

func statements(all []Attribute) []saml.Statement {
	out := make([]saml.Statement, len(all))
	for i, a := range all {
		out[i] = saml.Statement{Name: a.Name, Namespace: a.Namespace, Values: a.Values}
	}
	return out
}

// ask writes the message of a query and sends it (steps 2 and 3).
func (c *Client) ask(ctx context.Context, u *url.URL, q *query) (*exchange, error) {
	message, err := c.message(q)
	if err != nil {
		return nil, err
	}
	return c.post(ctx, u, c.config.Action, message)
}

// message writes the samlp:Request, signed by the holder unless the header's
// certificate is the holder's (wire document 2.2), and around it the SOAP message,
// signed by the identity over Body, Timestamp and certificate.
func (c *Client) message(q *query) ([]byte, error) {
	signer := q.credentials.inner
	if q.credentials.one() && !c.config.AlwaysSignInner {
		signer = nil
	}
	content, err := saml.AppendQuery(nil, &q.Query, signer)
	if err != nil {
		return nil, unsigned(err)
	}
	out := soap.Outgoing{
		Content:     content,
		Created:     q.IssueInstant,
		Expires:     q.IssueInstant.Add(c.config.MessageLifetime),
		Certificate: q.credentials.Identity().Raw(),
		BodyID:      "body-" + q.RequestID,
	}
	message, err := out.Append(nil, q.credentials.header)
	if err != nil {
		return nil, unsigned(err)
	}
	return message, nil
}

// unsigned tells a key that does not sign now from a message that cannot be written.
func unsigned(err error) error {
	if certs.ReasonOf(err) == certs.Unavailable {
		return refuseFor(KeyUnavailable, err)
	}
	return refuseFor(BadRequest, err)
}
