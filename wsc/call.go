package wsc

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"sceau/soap"
	"sceau/xmlsec"
	"sceau/xmlsec/c14n"
	"sceau/xmlsec/xmltext"
)

// Call sends a body element to a service with the token and returns the element in
// the Body of the answer, nil when there is none. The message is signed over Body and
// Timestamp with the holder's key, which the token names (wire document 7); the
// assertion goes along byte for byte. action is the SOAPAction, without quotes; may
// be empty. It sends at most one message.
//
// A fault of the service is a *Fault. The answer is signed by nobody; it is returned
// with the namespace declarations that it inherits from its envelope, so that it
// stands on its own.
func (c *Client) Call(ctx context.Context, endpoint, action string, token *Token, body []byte) ([]byte, error) {
	u, err := c.endpoint(endpoint)
	if err != nil {
		return nil, err
	}
	message, err := c.Sign(action, token, body)
	if err != nil {
		return nil, err
	}
	x, err := c.post(ctx, u, action, message)
	if err != nil {
		return nil, err
	}
	if x.empty() {
		return nil, nil
	}
	document, err := c.parse(x)
	if err != nil {
		return nil, err
	}
	defer document.Release()
	content, err := x.content(document)
	if err != nil {
		return nil, err
	}
	return standalone(content), nil
}

// Sign writes the message that Call sends, for callers with a transport of their own.
// The body is one element, an XML declaration before it is dropped.
func (c *Client) Sign(action string, token *Token, body []byte) ([]byte, error) {
	for i := range len(action) {
		if b := action[i]; b <= ' ' || b >= 0x7f || b == '"' {
			return nil, refuse(BadRequest, "action is not a URI")
		}
	}
	if token == nil || token.holder == nil {
		return nil, refuse(BadRequest, "no token")
	}
	now := c.config.Now()
	if err := c.usable(token, now); err != nil {
		return nil, err
	}
	document, err := xmltext.Parse(body, c.limits)
	if err != nil {
		return nil, &Error{Reason: BadRequest, Detail: "body", Err: err}
	}
	defer document.Release()
	signer, err := soap.NewMessageSigner(xmlsec.SignerConfig{Key: token.holder}, token.id)
	if err != nil {
		return nil, &Error{Reason: BadCredentials, Detail: "holder key", Err: err}
	}
	out := soap.Outgoing{
		Content:     document.Root().Source(),
		Created:     now,
		Expires:     now.Add(c.config.MessageLifetime),
		Assertion:   token.source,
		AssertionID: token.id,
		BodyID:      "body-" + c.config.NewID(),
	}
	message, err := out.Append(nil, signer)
	if err != nil {
		return nil, unsigned(err)
	}
	return message, nil
}

// usable says whether a token is valid for a message that is made now. A clock of ours
// that is behind does not keep it from being used.
func (c *Client) usable(token *Token, now time.Time) error {
	if now.Add(c.config.Skew).Before(token.notBefore) || !now.Before(token.notOnOrAfter) {
		return refuse(TokenNotValid, fmt.Sprintf("it is from %s until %s", stamp(token.notBefore), stamp(token.notOnOrAfter)))
	}
	return nil
}

// standalone returns an element with the namespace declarations in scope of which it
// makes use, or may make use in a QName in content.
func standalone(n xmltext.Node) []byte {
	if n.IsZero() {
		return nil
	}
	document := n.Document()
	tokens := document.Tokens()
	own := &tokens[n.Index()]
	seen := map[uint16]bool{}
	for _, d := range document.TokenDeclarations(own) {
		seen[d.Prefix] = true
	}
	var inherited []byte
	for i := own.Parent; i >= 0; i = tokens[i].Parent {
		for _, d := range document.TokenDeclarations(&tokens[i]) {
			if seen[d.Prefix] {
				continue // declared nearer
			}
			seen[d.Prefix] = true
			prefix, namespace := document.PrefixText(d.Prefix), document.NamespaceName(d.Namespace)
			if len(prefix) == 0 && len(namespace) == 0 {
				continue // xmlns="", as it is without
			}
			inherited = append(inherited, " xmlns"...)
			if len(prefix) > 0 {
				inherited = append(append(inherited, ':'), prefix...)
			}
			inherited = append(c14n.AppendValue(append(inherited, `="`...), namespace), '"')
		}
	}
	source := n.Source()
	name := own.Local + int32(own.LocalLen) - own.Start
	return bytes.Join([][]byte{source[:name], inherited, source[name:]}, nil)
}
