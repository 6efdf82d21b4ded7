package bridge

// delegate proves the actor, and holds him against may_act. Who exchanges a token that was issued to another client acts for
// its subject, said or not (RFC 8693 section 1.1).
func (e *exchange) delegate(p proven, h holder) (delegated, error) {
	d := delegated{proven: &p, actor: p.token.Actor, end: p.end}
	var actor *Actor
	switch {
	case e.request.ActorToken != "" && p.upstream != nil:
		claims, one, end, err := e.proveSelfIssued(p.upstream, h)
		if err != nil {
			return delegated{}, err
		}
		d.claims, actor, d.end = claims, one, earliest(d.end, end)
	case e.request.ActorToken != "":
		one, by, err := e.proveActor(h)
		if err != nil {
			return delegated{}, err
		}
		actor, d.origin, d.end = one, by.token.Origin, earliest(d.end, by.end)
	case p.upstream == nil && p.token.ClientID != "" && p.token.ClientID != e.client.ID:
		actor = &Actor{Subject: e.client.ID, Issuer: e.x.config.Issuer}
	}
	if may := p.token.MayAct; may != nil {
		who := actor
		if who == nil {
			who = &Actor{Subject: e.client.ID, Issuer: e.x.config.Issuer}
		}
		if may.Subject != who.Subject || may.Issuer != "" && may.Issuer != who.Issuer {
			return delegated{}, refuse(ActorNotPermitted, "")
		}
	}
	if actor != nil {
		actor.Actor = d.actor
		d.actor = actor
	}
	if depth(d.actor) > e.x.config.Actors {
		return delegated{}, refuse(ChainTooLong, "")
	}
	e.event.Actor = d.actor
	return d, nil
}

func depth(a *Actor) (n int) {
	for ; a != nil; a = a.Actor {
		n++
	}
	return n
}

// proveActor proves the actor token as the subject token is proven: one of ours or an assertion, bound to the same certificate. A
// bearer token would let a thief act under another name.
func (e *exchange) proveActor(h holder) (*Actor, *proven, error) {
	bad := func(err error) error { return refuseFor(BadActorToken, err) }
	var p proven
	var err error
	ref := &e.event.ActorToken
	ref.Type = e.request.ActorTokenType
	switch t := e.request.ActorTokenType; {
	case t == SAML1 && len(e.x.config.Assertions.Issuers) > 0:
		p, err = e.proveAssertion(e.request.ActorToken, h, ref)
		if err == nil && p.token.Subject == "" {
			err = e.subject(&p)
		}
	case t.ours() && e.x.config.Tokens != nil:
		p, err = e.proveToken(e.request.ActorToken, t, h, ref)
	default:
		return nil, nil, refuse(UnsupportedType, "actor_token_type")
	}
	if ReasonOf(err) == Unavailable {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, bad(err)
	}
	return &Actor{Subject: p.token.Subject, Issuer: e.x.config.Issuer, Actor: p.token.Actor}, &p, nil
}
