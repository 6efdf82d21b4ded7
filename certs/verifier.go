package certs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Verifier decides whom certificates identify. It is made by NewVerifier, safe
// for concurrent use, and closed with Close.
type Verifier struct {
	trust        atomic.Pointer[trust]
	certificates *digestCache[Certificate]
	identities   *digestCache[verified]
	texts        texts

	mu     sync.Mutex // one Reload or Close at a time
	closed bool
	slots  map[authorityID]*crlSlot
	config Config
	stop   context.CancelFunc
	done   *sync.WaitGroup
	epoch  atomic.Uint64
	files  fileWatch
	cache  *crlCache
	large  largeBodies // shared by all that fetch
	still  bool        // nothing goes on in the background
}

// NewVerifier checks a configuration, reads its CRL files, and starts to fetch
// CRLs in the background. What is wrong is reported all at once. It does not wait
// for a fetch: see Status and Fetch.
func NewVerifier(c Config) (*Verifier, error) { return newVerifier(c, true) }

// newVerifier makes a Verifier, with or without what goes on in the background.
func newVerifier(c Config, background bool) (*Verifier, error) {
	v := &Verifier{slots: map[authorityID]*crlSlot{}, texts: texts{seed: maphash.MakeSeed()}, large: newLargeBodies(), still: !background}
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	var err error
	if v.certificates, err = newDigestCache(c.CacheEntries, certificateKey, certificateWeight); err != nil {
		return nil, err
	}
	if v.identities, err = newDigestCache(c.CacheEntries, func(known *verified) uint64 { return identityKey(known.role, known.leaf) }, func(*verified) int64 { return 1 }); err != nil {
		v.certificates.close()
		return nil, err
	}
	if err := v.install(c); err != nil {
		v.certificates.close()
		v.identities.close()
		return nil, err
	}
	return v, nil
}

// Reload takes a new configuration. On error the old one stays, wholly; only a CRL
// that was read and proven meanwhile may already count. CRLs of authorities that
// stay are kept, so that none can be rolled back by a reload. CacheEntries is not
// changed.
func (v *Verifier) Reload(c Config) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return refuse(Unavailable, errors.New("verifier is closed"))
	}
	return v.install(c.withDefaults())
}

// install checks a configuration, reads its files and makes it the current one.
func (v *Verifier) install(c Config) error {
	slots := map[authorityID]*crlSlot{}
	next, err := newTrust(&c, func(id authorityID) *crlSlot {
		if s, ok := v.slots[id]; ok {
			slots[id] = s
		} else if slots[id] == nil {
			slots[id] = &crlSlot{}
		}
		return slots[id]
	})
	if err != nil {
		return err
	}
	files := fileWatch{}
	load := &crlLoader{trust: next, config: &c, epoch: &v.epoch}
	named, found := files.scan(load)
	if named != nil {
		return named
	}
	if found != nil {
		c.Log.Warn("CRL files", slog.Any("error", found))
	}
	cache, err := openCRLCache(c.CRL.CacheDir)
	if err != nil {
		return err
	}
	points := next.points()
	for _, p := range points {
		cache.restore(p, load)
	}
	for _, a := range next.order {
		if a.policy.Mode == Off {
			c.Log.Warn("revocation is not checked for certificates of this authority", slog.String("authority", a.certificate.subject.text))
		}
	}
	if v.stop != nil {
		v.stop()
		v.done.Wait()
	}
	for _, slot := range slots {
		slot.keep(next.hasSource)
	}
	v.slots, v.config, v.files, v.cache = slots, c, files, cache
	v.trust.Store(next)
	v.epoch.Add(1)
	ctx, stop := context.WithCancel(context.Background())
	v.stop, v.done = stop, &sync.WaitGroup{}
	if !v.still {
		v.run(ctx, next, points)
	}
	return nil
}

// Close stops the background and drops the caches. It must come after the last
// Parse and Identify have returned; what comes later still works, uncached and
// from CRLs that grow old.
func (v *Verifier) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	v.closed = true
	v.stop()
	v.done.Wait()
	v.certificates.close()
	v.identities.close()
	v.texts.clear()
}

// Serves tells whether a profile of the configuration serves a role. A role that none
// serves identifies nobody.
func (v *Verifier) Serves(role Role) bool { return v.trust.Load().serves(role) }

// Epoch grows with every change of trust, of a CRL, and of what an OCSP answer said. It does
// not grow with time: what was derived from an Identity under one epoch still ends with
// its NotAfter, and does not know that a list has grown late. Identify does.
func (v *Verifier) Epoch() uint64 { return v.epoch.Load() }

// Settle waits until the caches show all that was put into them: for benchmarks
// and tests that count allocations.
func (v *Verifier) Settle() {
	v.certificates.settle()
	v.identities.settle()
}

// Parse reads one DER certificate, or finds it parsed. It says nothing of whether
// the certificate is to be trusted. The DER is not kept; a certificate that is
// found costs one SHA-256 and no allocation.
func (v *Verifier) Parse(der []byte) (*Certificate, error) {
	fingerprint := sha256.Sum256(der)
	key := digestKey(&fingerprint)
	if c := v.certificates.get(key); c != nil && c.fingerprint == fingerprint {
		v.texts.put(c)
		return c, nil
	}
	c, err := parseCertificate(der, fingerprint)
	if err != nil {
		return nil, err
	}
	v.certificates.set(key, c)
	return c, nil
}

// Recall gives the certificate whose base64 a text is, in one line as Certificate.Base64 has it, if
// a certificate of these octets was identified and parsed before; else nil, and the
// caller decodes the text and calls Parse, which gives the same. Like Parse it says nothing of
// trust. It costs no SHA-256 and no allocation and keeps nothing of the text.
func (v *Verifier) Recall(text []byte) *Certificate { return v.texts.find(text) }

// ParsePath reads a PkiPath in DER (X.509 section 7, the X509PKIPathv1 token of
// WS-Security): certificates from the one next to the root down to the leaf, at
// most five. It gives the leaf and what stands above it, as Identify takes them.
func (v *Verifier) ParsePath(der []byte) (leaf *Certificate, intermediates []*Certificate, err error) {
	in := cryptobyte.String(der)
	var path cryptobyte.String
	if !in.ReadASN1(&path, asn1.SEQUENCE) || !in.Empty() || path.Empty() {
		return nil, nil, refuse(Malformed, errors.New("not a PkiPath"))
	}
	for {
		var element cryptobyte.String
		if !path.ReadASN1Element(&element, asn1.SEQUENCE) {
			return nil, nil, refuse(Malformed, errors.New("not a PkiPath"))
		}
		c, err := v.Parse(element)
		if err != nil {
			return nil, nil, err
		}
		if path.Empty() {
			return c, intermediates, nil
		}
		if intermediates = append(intermediates, c); len(intermediates) > maxMessageIntermediates {
			return nil, nil, refuse(TooManyCertificates, nil)
		}
	}
}

// Identify proves whom a certificate identifies in a role, at a moment:
//
//   - a profile of the role admits its kind of subject, or names it;
//   - it is valid at that moment, has the usages and a policy of the profile, a key
//     and a signature that are not weak;
//   - a path of at most five certificates leads to a root of the profile, through
//     an issuer that the profile admits; intermediates are those that came with
//     the message, at most four, beside the configured ones;
//   - no certificate of the path is revoked, by the policy of each issuer.
//
// A certificate that was identified before is found again without allocation;
// its validity and its revocation are nevertheless asked anew, at the given
// moment and with the CRLs as they are. On refusal the Identity is nobody and
// the error is an *[Error].
func (v *Verifier) Identify(role Role, leaf *Certificate, intermediates []*Certificate, at time.Time) (Identity, error) {
	switch {
	case leaf == nil:
		return Identity{}, refuse(Malformed, errors.New("no certificate"))
	case at.IsZero(): // crypto/x509 would take it for now
		return Identity{}, refuse(Malformed, errors.New("no moment"))
	case len(intermediates) > maxMessageIntermediates:
		return Identity{}, refuse(TooManyCertificates, nil)
	}
	t := v.trust.Load()
	key := identityKey(role, leaf)
	if known := v.identities.get(key); known != nil && known.trust == t && known.role == role && known.leaf.fingerprint == leaf.fingerprint {
		status, final, err := known.again(at)
		if err == nil {
			leaf.identified() // it may have been parsed again since
			return Identity{known, status}, nil
		}
		if final {
			return Identity{}, err
		}
		// Another path may still hold: one of its authorities was renewed, or came with this message.
	}
	found, status, err := t.verify(role, leaf, intermediates, at)
	if found != nil {
		v.identities.set(key, found)
	}
	if err != nil {
		return Identity{}, err
	}
	leaf.identified()
	return Identity{found, status}, nil
}

func digestKey(digest *[32]byte) uint64 { return binary.BigEndian.Uint64(digest[:8]) }

func certificateKey(c *Certificate) uint64   { return digestKey(&c.fingerprint) }
func certificateWeight(c *Certificate) int64 { return c.weight }

// identityKey selects a place in the cache; what is found there is compared in full.
func identityKey(role Role, leaf *Certificate) uint64 {
	const prime = 0x100000001b3 // FNV-1a
	key := digestKey(&leaf.fingerprint)
	for i := range len(role) {
		key = (key ^ uint64(role[i])) * prime
	}
	return key
}
