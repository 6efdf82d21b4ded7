package cedar

import (
	"context"
	"errors"
	"strings"
	"time"

	"sceau/policy"
)

var _ policy.ExchangePDP = (*Policies)(nil)

// Exchange implements policy.ExchangePDP: it evaluates the action exchange-token with the client as principal, Service::"<client id>", and the
// audience as resource, Service::"<audience>". What @maximum_validity says of the permits that hold bounds the result: of several the
// longest, so that permitting more never shortens it. The scope of a token that is exchanged is what its bearer was given to do (capabilities).
func (p *Policies) Exchange(ctx context.Context, r *policy.ExchangeRequest) (policy.Exchange, error) {
	if p == nil || p.schema == nil {
		return policy.Exchange{}, nil
	}
	// TYPE=value is how certificates name a party, and sources are asked about it: a client that registers under such a name must not be taken for it.
	if r.Client == "" || r.Audience == "" || strings.Contains(r.Client, "=") && !strings.Contains(r.Client, "://") {
		return policy.Exchange{}, &policy.Error{Reason: policy.InvalidRequest, Err: errors.New("a client or an audience that cannot be named")}
	}
	capabilities := []any{}
	if strings.HasPrefix(r.Direction, "token-") {
		capabilities = list(r.Scope)
	}
	v, until, err := p.determine(ctx, &Question{
		Subject:  Entity{Type: Service, ID: r.Client, Properties: map[string]any{"kind": "client"}},
		Resource: Entity{Type: Service, ID: r.Audience},
		Action:   ExchangeToken, At: r.At,
		Context: map[string]any{
			"assurance": float64(r.Assurance), "capabilities": capabilities,
			"exchange": map[string]any{
				"direction": r.Direction, "from": r.From, "to": r.To, "issuer": r.Issuer,
				"amr": list(r.Methods), "acr": r.Level, "scope": list(r.Scope), "delegated": r.Delegated,
				"holder": map[string]any{"kind": r.Holder.Kind, "identifierType": r.Holder.IdentifierType, "identifier": r.Holder.Identifier},
			},
		},
	})
	if err != nil {
		return policy.Exchange{}, err
	}
	if !v.permitted {
		return policy.Exchange{Decision: policy.Deny(ids(v.determining)), Until: until}, nil
	}
	return policy.Exchange{Decision: policy.Permit(ids(v.determining)), MaximumValidity: longest(v.determining), Until: until}, nil
}

// longest gives the longest window of permits, zero where one of them has none.
func longest(permits []*rule) (window time.Duration) {
	for _, r := range permits {
		if r.window == 0 {
			return 0
		}
		window = max(window, r.window)
	}
	return window
}

func list(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}
