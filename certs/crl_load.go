package certs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// A crlLoader takes CRLs from files and distribution points into a trust.
type crlLoader struct {
	trust  *trust
	config *Config
	epoch  *atomic.Uint64
}

var errUnconfigured = errors.New("CRL: its issuer is not configured")

// taken is what became of a CRL that was offered.
type taken struct {
	owners []*authority // whose list it is or, of one that was refused, claims to be
	next   time.Time    // when it says that the one after it comes
}

// load finds whose a CRL is, proves that, and puts it in place. A list that is current
// already is no error.
func (l *crlLoader) load(der []byte, source string) (taken, error) {
	if int64(len(der)) > l.config.CRL.MaxBytes {
		return taken{}, refuse(TooLarge, errors.New("CRL"))
	}
	list, err := parseCRL(der)
	if err != nil {
		return taken{}, err
	}
	list.digest = digestList(der)
	out := taken{owners: l.trust.named(list.issuer), next: list.nextUpdate}
	if len(out.owners) == 0 {
		return taken{}, refuse(UntrustedIssuer, errUnconfigured)
	}
	if now := l.config.Now(); list.thisUpdate.After(now.Add(l.config.CRL.Skew)) { // it must not take the place of one that is good (K1)
		return out, refuse(NotYetValid, fmt.Errorf("CRL: thisUpdate is %v", list.thisUpdate))
	}
	out.owners, err = l.take(list, out.owners, source)
	return out, err
}

// record notes the end of an attempt to have a list from a file or an address.
func (l *crlLoader) record(owners []*authority, source string, err error) {
	for _, a := range owners {
		a.slot.tried(source, l.config.Now(), err)
	}
}

// take proves a list for every authority whose it is, and swaps it in. It gives these
// authorities, or when it is nobody's all that bear its issuer's name.
func (l *crlLoader) take(list *signedList, named []*authority, source string) ([]*authority, error) {
	var owners []*authority
	var proven *revocationList
	var first, refused error // of those that do not own it, and of those that do
	now, skew := l.config.Now(), l.config.CRL.Skew
	for _, a := range named {
		if held := a.slot.current().find(list.digest); held != nil && a.vouches(held, now, skew) == nil {
			owners = append(owners, a)
			continue
		}
		one, err := a.prove(list, proven, now)
		if err == nil {
			err = a.vouches(one, now, skew)
		}
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		proven = one
		owners = append(owners, a)
		changed, err := a.slot.put(one, func(old *revocationList) bool { return a.disowns(old, one, now, skew) })
		if err != nil && refused == nil {
			refused = err
		}
		if changed {
			l.epoch.Add(1)
			l.config.Log.Info("CRL taken", slog.String("authority", a.certificate.subject.text), slog.String("source", source),
				slog.String("number", one.number.String()), slog.Bool("delta", one.base != nil),
				slog.Time("this_update", one.thisUpdate), slog.Time("next_update", one.nextUpdate), slog.Int("entries", len(one.index.entries)))
		}
	}
	if len(owners) == 0 {
		return named, first
	}
	return owners, refused
}

// named gives the authorities that bear a name: names alone may be shared (K2).
func (t *trust) named(name []byte) []*authority {
	var named []*authority
	for _, a := range t.order {
		if bytes.Equal(a.certificate.x509.RawSubject, name) {
			named = append(named, a)
		}
	}
	return named
}

// prove finds with which key that counts for an authority a list was signed: its own, or
// one to which it delegates. before is the list as it was proven for another authority
// of the same name, whose index is the same, or nil. Of several certificates of a
// delegate's key, as he has them when one was renewed, it takes the one that is valid now
// and for longest.
func (a *authority) prove(list *signedList, before *revocationList, now time.Time) (*revocationList, error) {
	var delegate *Certificate
	first := list.signedBy(a.certificate)
	if first != nil {
		for _, s := range a.signers {
			if list.signedBy(s.certificate) == nil && (delegate == nil || s.certificate.outlasts(delegate, now)) {
				delegate = s.certificate
			}
		}
		if delegate == nil {
			return nil, first
		}
	}
	out := list.revocationList
	if before != nil {
		out.index = before.index
	} else {
		var err error
		if out.index, err = indexRevoked(list.revoked); err != nil {
			return nil, err
		}
	}
	if delegate != nil {
		out.signer = delegate.fingerprint
	}
	return &out, nil
}

// outlasts tells whether a certificate is the better of two at a moment: it is valid then
// and the other is not, or else it ends later.
func (c *Certificate) outlasts(o *Certificate, now time.Time) bool {
	if valid := c.covers(now) == nil; valid != (o.covers(now) == nil) {
		return valid
	}
	return c.NotAfter().After(o.NotAfter())
}
