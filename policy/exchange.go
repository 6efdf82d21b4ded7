package policy

import (
	"context"
	"time"
)

// An ExchangeRequest asks whether a client may have a token exchanged for one for an audience.
type ExchangeRequest struct {
	Client   string    // who asks: its client id, authenticated
	Holder   Requestor // whom its certificate identifies; both tokens are bound to it
	Audience string    // for whom the result is

	Direction string // "saml1-to-token", "token-to-saml1", "token-to-token", "upstream-to-token"
	From, To  string // types of the tokens: "access_token", "id_token", "jwt", "saml1"
	Issuer    string // of the subject token

	Methods   []string // how the person was authenticated (amr)
	Level     string   // acr
	Assurance int      // 1 low, 2 substantial, 3 high (eIDAS), 0 where nobody said
	Scope     []string // asked for
	Delegated bool     // somebody acts for the subject

	At time.Time // never zero
}

// An Exchange is the decision about one exchange. The zero Exchange denies.
type Exchange struct {
	Decision
	// MaximumValidity is the longest that the result may be valid; zero: policy does not bound it further.
	MaximumValidity time.Duration
	// Until is when what decided ends; zero: it does not.
	Until time.Time
}

// An ExchangePDP decides exchanges (action exchange-token). It is safe for concurrent use. On an error nothing is permitted.
type ExchangePDP interface {
	Exchange(ctx context.Context, r *ExchangeRequest) (Exchange, error)
}
