// Package authzen is a wsp.PDP that asks a policy decision point over HTTP: the OpenID AuthZEN Authorization API 1.0, which stsd answers
// (sceau/policy/authzen) and others do.
//
//	pdp, err := authzen.New(authzen.Config{
//		URL:      "https://pdp.example.org/access/v1/evaluation",
//		Token:    token,
//		Resource: authzen.Resource{Type: "Application", ID: "DTW"},
//	})
//	guard, err := wsp.NewGuard(wsp.Config{ …, PDP: pdp })
//
// # The question
//
// The subject is wsp.Principal: the person whom the assertion names, or else the holder of the certificate, by the types of the platform's
// schema; its properties are kind, identifierType and identifier. The action is "enter" unless Config says otherwise; its properties are the
// operation that the body asks for. The context has the holder, the confirmation method, and the id of the assertion; attributes, by
// name, only where Config.Attributes says so, since they are personal.
//
// # The answer
//
// Only 200 with the member decision true admits. decision false denies. Whatever else comes, or nothing in time, is no decision
// (wsp.ErrNoDecision), which refuses too: the client is told to come back. A decision is not kept.
package authzen
