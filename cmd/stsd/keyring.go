package main

import (
	"crypto"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"sceau/certs"
	"sceau/certs/pkcs11"
)

// singleKey is the id of the key where the configuration names one key and no folder.
const singleKey = "signing"

// What signing.publish-* and warn-before are by default: a week, the longest validity that
// a policy may give an assertion, and a month.
const (
	defaultPublishAhead = 7 * 24 * time.Hour
	defaultPublishAfter = 31 * 24 * time.Hour
	defaultWarnBefore   = 30 * 24 * time.Hour
)

// A keyring is the signing keys as they were read: their schedule, and what opened them.
// It does not change once it is made, but for the tokens behind it.
type keyring struct {
	set     *certs.KeySet
	engines map[string]string      // what computes, by id
	places  map[string]string      // where the key lies, by id
	away    map[string]error       // why a key that is not current yet could not be opened, by id
	tokens  map[string]*pkcs11.Key // by id
	names   map[*pkcs11.Key]string // what was opened, to know it again
	mark    fileMark               // of the schedule that was read
}

// signingLine is the line of the configuration that says where keys are.
func (c *fileConfig) signingLine() int {
	return max(c.Signing.Key.Line, c.Signing.PKCS12.Line, c.Signing.Dir.Line)
}

func (c *fileConfig) keySchedule() certs.KeySetConfig {
	s := &c.Signing
	return certs.KeySetConfig{
		PublishAhead: time.Duration(s.PublishAhead.or(duration(defaultPublishAhead))),
		PublishAfter: time.Duration(s.PublishAfter.or(duration(defaultPublishAfter))),
	}
}

// loadKeys reads every key of the configuration and tries those that sign or will.
func (s *system) loadKeys(p *problems) *keyring {
	c := &s.config.Signing
	before := len(p.list)
	k := &keyring{engines: map[string]string{}, places: map[string]string{}, away: map[string]error{},
		tokens: map[string]*pkcs11.Key{}, names: map[*pkcs11.Key]string{}}
	compute := s.loadEngine(p)
	s.checkTokenLimits(p)
	if compute == nil || len(p.list) > before {
		return nil
	}
	var err error
	switch {
	case c.Dir.Line > 0 && (c.Key.V != "" || c.PKCS12.V != "" || c.Certificate.V != "" || c.PassphraseFile.V != ""):
		p.add(c.Dir.Line, "signing: either dir, or key and certificate")
		return nil
	case c.Dir.Line > 0:
		k.mark = markOf(filepath.Join(s.config.path(c.Dir), keyFileName)) // before it is read: a later change shows
		k.set, err = s.loadSchedule(k, compute)
	default:
		k.set, err = s.loadSingle(k, compute)
	}
	if err != nil {
		p.add(s.config.signingLine(), "signing: %v", err)
		k.close(s.keys)
		return nil
	}
	return k
}

func (s *system) checkTokenLimits(p *problems) {
	t := &s.config.Signing.Token
	for _, n := range []struct {
		v    value[int]
		name string
	}{{t.Sessions, "sessions"}, {t.Waiting, "waiting"}} {
		if n.v.Line > 0 && n.v.V <= 0 {
			p.add(n.v.Line, "signing: token %s: must be positive", n.name)
		}
	}
	for _, d := range []struct {
		v    value[duration]
		name string
	}{{t.Timeout, "timeout"}, {t.HealthInterval, "health-interval"}} {
		if d.v.Line > 0 && d.v.V == 0 {
			p.add(d.v.Line, "signing: token %s: must be positive", d.name)
		}
	}
}

// loadSingle reads the one key of a configuration without a folder. It has been current
// since its certificate began.
func (s *system) loadSingle(k *keyring, compute engine) (*certs.KeySet, error) {
	c := &s.config.Signing
	key := certs.KeyConfig{
		Key: c.Key.V, Certificate: s.config.path(c.Certificate),
		PKCS12: s.config.path(c.PKCS12), PassphraseFile: s.config.path(c.PassphraseFile), At: s.now(),
	}
	k.places[singleKey] = key.PKCS12
	if c.Key.V != "" {
		if err := s.place(k, singleKey, s.config.dir, &key); err != nil {
			return nil, err
		}
	}
	signer, err := s.open(k, singleKey, key, compute)
	if err != nil {
		return nil, err
	}
	config := s.config.keySchedule()
	began := signer.Certificate().NotBefore()
	config.Keys = []certs.ScheduledKey{{ID: singleKey, Certificate: signer.Certificate(), Signer: signer, Published: began, Activate: began}}
	return certs.NewKeySet(config)
}

// place finds out where Key of a KeyConfig is: a path, a file URI, or a URI of a token,
// whose key is opened once. Paths are relative to dir.
func (s *system) place(k *keyring, id, dir string, key *certs.KeyConfig) error {
	text := key.Key
	k.places[id] = text
	if pkcs11.IsURI(text) {
		uri, err := tokenURI(text, dir)
		if err != nil {
			return err
		}
		k.places[id] = uri.String()
		key.Key = ""
		key.Open = func(public crypto.PublicKey) (crypto.Signer, error) { return s.openToken(k, id, uri, public) }
		return nil
	}
	if strings.HasPrefix(text, "file:") {
		u, err := url.Parse(text)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("%q is no file URI", text)
		}
		text = u.Path
	}
	key.Key = within(dir, text)
	k.places[id] = key.Key
	return nil
}

func within(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// tokenURI reads the URI of a key on a token; the paths in it are relative to dir, but
// for a module that the system's loader is to find.
func tokenURI(text, dir string) (pkcs11.URI, error) {
	uri, err := pkcs11.ParseURI(text)
	if err != nil {
		return uri, err
	}
	uri.PINSource = within(dir, uri.PINSource)
	if strings.ContainsRune(uri.ModulePath, '/') {
		uri.ModulePath = within(dir, uri.ModulePath)
	}
	return uri, nil
}

// open loads a key and remembers what computes with it.
func (s *system) open(k *keyring, id string, key certs.KeyConfig, compute engine) (*certs.Signer, error) {
	name := "token"
	if key.Open == nil {
		key.Engine = func(key crypto.Signer) (crypto.Signer, error) { return compute(key, &name) }
	}
	signer, err := certs.LoadSigner(key)
	if err != nil {
		return nil, err
	}
	if err := signer.MayIssue(); err != nil {
		return nil, fmt.Errorf("signing key %s: %w", k.places[id], err)
	}
	k.engines[id] = name
	return signer, nil
}

// openToken opens a key on a token, or takes over what the keyring before it opened: a
// token has few sessions, and one that is away just now comes back by itself.
func (s *system) openToken(k *keyring, id string, uri pkcs11.URI, public crypto.PublicKey) (crypto.Signer, error) {
	t := &s.config.Signing.Token
	c := pkcs11.Config{
		URI: uri, Public: public, Sessions: t.Sessions.V, Waiting: t.Waiting.V, Timeout: time.Duration(t.Timeout.V),
		HealthInterval: time.Duration(t.HealthInterval.V), Log: s.log,
	}
	comparable, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil, fmt.Errorf("public key of the kind %T", public)
	}
	name := fmt.Sprintf("%s %d %d %v %v", uri, c.Sessions, c.Waiting, c.Timeout, c.HealthInterval)
	for _, old := range []*keyring{s.keys, k} {
		if old == nil {
			continue
		}
		for _, key := range old.tokens {
			if old.names[key] == name && comparable.Equal(key.Public()) {
				k.tokens[id], k.names[key] = key, name
				return key, nil
			}
		}
	}
	key, err := pkcs11.Open(c)
	if err != nil {
		return nil, err
	}
	k.tokens[id], k.names[key] = key, name
	return key, nil
}

// close closes the tokens that another keyring does not have.
func (k *keyring) close(but *keyring) {
	if k == nil {
		return
	}
	for key := range k.names {
		if but == nil || but.names[key] == "" {
			key.Close()
		}
	}
}

// loadSchedule reads the keys of the folder. What is wrong with the current key, and what
// is wrong with the next one for good, stops a start; a next key whose token is away does
// not: it has time until its turn.
func (s *system) loadSchedule(k *keyring, compute engine) (*certs.KeySet, error) {
	dir := s.config.path(s.config.Signing.Dir)
	file, err := readKeyFile(dir)
	if err != nil {
		return nil, err
	}
	config := s.config.keySchedule()
	var entries []keyEntry
	for _, e := range file.Keys {
		if e.Certificate == "" {
			continue // it waits for its certificate
		}
		one, err := e.schedule(dir)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", e.ID, err)
		}
		config.Keys = append(config.Keys, one)
		entries = append(entries, e)
	}
	set, err := certs.NewKeySet(config)
	if err != nil {
		return nil, err
	}
	now := s.now()
	for i := range config.Keys {
		one := &config.Keys[i]
		state := set.State(i, now)
		if state != certs.KeyCurrent && state != certs.KeyNext {
			k.places[one.ID] = entries[i].Key
			continue
		}
		one.Signer, err = s.openScheduled(k, dir, &entries[i], one, now, compute)
		switch {
		case err == nil:
		case state == certs.KeyNext && certs.ReasonOf(err) == certs.Unavailable && pkcs11.IsURI(entries[i].Key):
			k.away[one.ID] = err
			s.log.Warn("the token of a key that is to sign later does not answer", "key", one.ID, "error", err)
		default:
			return nil, fmt.Errorf("key %s: %w", one.ID, err)
		}
		if one.Forced && state == certs.KeyNext {
			s.log.Warn("a key is to sign before relying parties had time to fetch its certificate: forced", "key", one.ID, "at", one.Activate)
		}
	}
	return certs.NewKeySet(config)
}

// schedule reads the certificate of an entry.
func (e *keyEntry) schedule(dir string) (certs.ScheduledKey, error) {
	ders, err := certs.ReadCertificates(within(dir, e.Certificate))
	if err != nil {
		return certs.ScheduledKey{}, err
	}
	certificate, err := certs.ParseCertificate(ders[0])
	return certs.ScheduledKey{ID: e.ID, Certificate: certificate, Published: e.Published, Activate: e.Activate,
		Withdrawn: e.Withdrawn, Forced: e.Forced}, err
}

// openScheduled opens the key of an entry as it must be when it signs first.
func (s *system) openScheduled(k *keyring, dir string, e *keyEntry, one *certs.ScheduledKey, now time.Time, compute engine) (*certs.Signer, error) {
	at := now
	for _, moment := range []time.Time{one.Activate, one.Certificate.NotBefore()} {
		if moment.After(at) {
			at = moment
		}
	}
	key := certs.KeyConfig{Key: e.Key, Certificate: within(dir, e.Certificate), At: at}
	if err := s.place(k, e.ID, dir, &key); err != nil {
		return nil, err
	}
	signer, err := s.open(k, e.ID, key, compute)
	if err == nil && signer.Certificate().Fingerprint() != one.Certificate.Fingerprint() {
		return nil, fmt.Errorf("the key's certificate is not the first in %s", e.Certificate)
	}
	return signer, err
}
