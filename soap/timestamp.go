package soap

import (
	"time"

	"sceau/internal/xsdtime"
	"sceau/xmlsec"
)

// TimestampPolicy says which timestamps are fresh. The zero TimestampPolicy finds
// none fresh.
type TimestampPolicy struct {
	// MaxLifetime bounds Expires - Created, and with Skew the age of a message.
	MaxLifetime time.Duration
	// Skew is how far the clocks of sender and receiver may differ.
	Skew time.Duration
}

// DefaultTimestampPolicy admits what clients of the wire send (60 s, or 5 minutes)
// with clocks one minute apart.
func DefaultTimestampPolicy() TimestampPolicy {
	return TimestampPolicy{MaxLifetime: 10 * time.Minute, Skew: time.Minute}
}

// readTimestamp reads wsu:Timestamp: Created, then Expires, once each, without
// ValueType, and nothing else (BSP R3203, R3221 to R3226). BSP lets Expires be
// absent; no client of the wire leaves it out, and without it a captured message
// would be good as long as the receiver likes.
func (e *Envelope) readTimestamp() (created, expires time.Time, err error) {
	n := e.timestamp
	c := n.FirstElement()
	x := c.NextElement()
	more := x.NextElement()
	bad := func(rule, detail string) (time.Time, time.Time, error) {
		return time.Time{}, time.Time{}, refuse(BadTimestamp, rule, detail)
	}
	switch {
	case !n.OnlyElements():
		return bad("R3222", "content of Timestamp")
	case !c.Is(xmlsec.NamespaceWSU, "Created"), x.Is(xmlsec.NamespaceWSU, "Created"), more.Is(xmlsec.NamespaceWSU, "Created"):
		return bad("R3203", "not one Created first")
	case x.Is(xmlsec.NamespaceWSU, "Expires") && more.Is(xmlsec.NamespaceWSU, "Expires"):
		return bad("R3224", "second Expires")
	case x.IsZero():
		return bad("", "no Expires")
	case !x.Is(xmlsec.NamespaceWSU, "Expires") || !more.IsZero():
		return bad("R3222", "not Created, Expires")
	}
	if _, ok := c.Attribute("", "ValueType"); ok {
		return bad("R3225", "ValueType")
	}
	if _, ok := x.Attribute("", "ValueType"); ok {
		return bad("R3226", "ValueType")
	}
	for i, at := range [...]*time.Time{&created, &expires} {
		text, ok := [...]func() ([]byte, bool){c.Value, x.Value}[i]()
		if !ok {
			return time.Time{}, time.Time{}, refuse(BadTimestamp, "", "content")
		}
		if *at, err = xsdtime.Parse(text); err != nil {
			return time.Time{}, time.Time{}, &Error{Reason: BadTimestamp, Err: err}
		}
	}
	return created, expires, nil
}

// fresh judges a timestamp at now.
func (p TimestampPolicy) fresh(created, expires, now time.Time) error {
	switch lifetime := expires.Sub(created); {
	case lifetime <= 0:
		return refuse(BadTimestamp, "R3221", "Expires is not after Created")
	case lifetime > p.MaxLifetime:
		return refuse(BadTimestamp, "", "lifetime longer than admitted")
	case created.After(now.Add(p.Skew)):
		return refuse(NotYetValid, "", "")
	case !expires.After(now.Add(-p.Skew)):
		return refuse(Expired, "", "")
	}
	return nil
}
