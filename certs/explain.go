package certs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Explanation tells a person how a certificate fares: whom its subject names,
// believed or not, and what each profile makes of it. It is made of the rules that
// [Verifier.Identify] asks, and proves nothing.
type Explanation struct {
	Certificate *Certificate
	Kind        Kind // whom the subject names, Nobody when SubjectErr says why it names nobody that is known
	Type        IdentifierType
	Identifier  string
	Names       Names
	SubjectErr  error
	Profiles    []ProfileExplanation // in the order of the configuration
}

// ProfileExplanation is how a certificate fares by one profile.
type ProfileExplanation struct {
	Profile string
	Role    Role
	Kind    Kind // as which it would be identified, whatever breaks later
	Rules   []RuleResult
	Path    []PathStep // the certificate first, a root last; empty when none was found
	Status  RevocationStatus
	Err     error // the first rule that it breaks; nil: it would be identified
}

// RuleResult is one rule that was asked; the last of a list may be broken, and no other.
type RuleResult struct {
	Rule string
	Err  error
}

// PathStep is a certificate of a path and how its revocation stands. A root is not asked about.
type PathStep struct {
	Certificate *Certificate
	Configured  bool // the configuration knows it; otherwise it is the certificate itself, or came with it
	Root        bool
	Status      RevocationStatus
	Err         error     // why it is refused: revoked, or not known whether it is
	RevokedAt   time.Time // by the CRL that lists it; zero when none does
	Reason      int       // of the entry (RFC 5280 section 5.3.1)
}

// Explain asks every profile about a certificate at a moment. It takes the
// intermediates as Identify does, uses no cache and changes nothing: no OCSP responder is
// asked on its account.
func (v *Verifier) Explain(leaf *Certificate, intermediates []*Certificate, at time.Time) Explanation {
	if leaf == nil {
		return Explanation{SubjectErr: refuse(Malformed, errors.New("no certificate"))}
	}
	h := &leaf.holder
	e := Explanation{
		Certificate: leaf, Kind: h.kind, Type: h.identifierType, Identifier: h.identifier, SubjectErr: leaf.holderErr,
		Names: Names{Common: h.commonName, Given: h.givenNames, Surname: h.surname, Holder: h.name},
	}
	t := v.trust.Load()
	for _, p := range t.profiles {
		x := explaining{trust: t, profile: p, leaf: leaf, at: at}
		x.out.Profile, x.out.Role = p.Name, p.Role
		x.explain(intermediates)
		e.Profiles = append(e.Profiles, x.out)
	}
	return e
}

// explaining is the measuring of a certificate by one profile: verifyUnder, rule by rule.
type explaining struct {
	trust   *trust
	profile *profile
	leaf    *Certificate
	at      time.Time
	out     ProfileExplanation
}

// ask notes a rule and tells whether it is kept.
func (x *explaining) ask(rule string, err error) bool {
	x.out.Rules = append(x.out.Rules, RuleResult{rule, err})
	x.out.Err = err
	return err == nil
}

func (x *explaining) explain(intermediates []*Certificate) {
	p, leaf := x.profile, x.leaf
	x.out.Kind = p.admits(leaf)
	if !x.ask("subject that the profile admits", x.admitted(x.out.Kind)) ||
		!x.ask("validity", leaf.covers(x.at)) ||
		!x.ask("key", checkKeyShape(leaf.PublicKey(), p.MinRSABits)) {
		return
	}
	if p.pinned[leaf.fingerprint] {
		x.ask("key usage", p.checkPinned(leaf))
		x.out.Path, x.out.Status = []PathStep{{Certificate: leaf, Configured: true, Root: true}}, NotChecked
		return
	}
	for _, r := range leafRules() {
		if !x.ask(r.name, r.check(p, []*Certificate{leaf}, x.at)) {
			return
		}
	}
	path, paths := x.path(intermediates)
	if x.out.Err != nil {
		x.show(path)
		return
	}
	if x.ask("strong key", CheckKey(leaf.PublicKey(), p.MinRSABits)) {
		x.revocation(paths)
	}
}

// admitted says why a profile does not admit a subject.
func (x *explaining) admitted(kind Kind) error {
	switch {
	case kind != Nobody:
		return nil
	case x.leaf.holderErr != nil:
		return x.leaf.holderErr
	}
	if of := x.leaf.holder.kind; !slices.Contains(x.profile.Kinds, of) {
		var kinds []string
		for _, kind := range x.profile.Kinds {
			kinds = append(kinds, kind.String())
		}
		return refuse(WrongProfile, fmt.Errorf("it is of the kind %s; the profile admits %s", of, strings.Join(kinds, ", ")))
	}
	return refuse(WrongProfile, errors.New("the profile admits its kind, and not its name"))
}

// path finds the paths that keep every rule, and otherwise the one that breaks the rule that tells most.
func (x *explaining) path(intermediates []*Certificate) (shown []*Certificate, good [][]*Certificate) {
	const rule = "path to a root of the profile"
	candidates, refusal, err := usable(x.leaf, intermediates)
	if err != nil {
		x.ask(rule, err)
		return nil, nil
	}
	chains, err := x.trust.build(x.profile, x.leaf, candidates)
	if err != nil {
		x.ask(rule, moreTelling(refusal, err))
		return nil, nil
	}
	x.ask(rule, nil)
	before := len(x.out.Rules)
	var best []RuleResult
	for _, chain := range chains {
		path := []*Certificate{x.leaf}
		for _, c := range chain[1:] {
			path = append(path, x.trust.find(c, candidates))
		}
		x.out.Rules = x.out.Rules[:before]
		x.walk(path)
		switch {
		case x.out.Err == nil:
			good = append(good, path)
			shown, best = path, append(best[:0], x.out.Rules[before:]...)
		case len(good) == 0 && (best == nil || telling(ReasonOf(x.out.Err)) > telling(ReasonOf(best[len(best)-1].Err))):
			shown, best = path, append(best[:0], x.out.Rules[before:]...)
		}
	}
	x.out.Rules = append(x.out.Rules[:before], best...)
	x.out.Err = x.out.Rules[len(x.out.Rules)-1].Err
	return shown, good
}

// walk asks the rules of one path.
func (x *explaining) walk(path []*Certificate) {
	if len(path) < 2 {
		x.ask("path to a root of the profile", refuse(UntrustedIssuer, errors.New("a root identifies nobody")))
		return
	}
	for _, r := range pathRules() {
		if !x.ask(r.name, r.check(x.profile, path, x.at)) {
			return
		}
	}
	x.ask("strong keys of the path", x.trust.checkPath(x.profile, path, x.at))
}

// revocation shows the first path on which nothing is revoked or unknown, otherwise the one that is refused for the
// reason that tells most.
func (x *explaining) revocation(paths [][]*Certificate) {
	var refusal error
	for _, path := range paths {
		v := &verified{trust: x.trust, quiet: true}
		v.follow(path)
		status, err := v.revocation(x.at)
		if err == nil {
			x.show(path)
			x.out.Status = status
			x.ask("revocation", nil)
			return
		}
		if next := moreTelling(refusal, err); next != refusal {
			refusal = next
			x.show(path)
		}
	}
	x.ask("revocation", refusal)
}

// show tells how each certificate of a path stands.
func (x *explaining) show(path []*Certificate) {
	x.out.Path = nil
	v := &verified{trust: x.trust, quiet: true}
	if len(path) > 0 {
		v.follow(path)
	}
	for i, c := range path {
		step := PathStep{Certificate: c, Configured: x.trust.known[c.fingerprint] != nil, Root: i == len(path)-1}
		if !step.Root {
			l := &v.links[i]
			step.Status, step.Err = l.standing(x.at, x.trust.skew)
			if l.authority != nil {
				m := &crlMoment{authority: l.authority, at: x.at, skew: x.trust.skew}
				if entry := l.authority.slot.current().judge(c, m).entry; entry != nil {
					step.RevokedAt, step.Reason = time.Unix(int64(entry.at), 0).UTC(), int(entry.reason)
				}
			}
		}
		x.out.Path = append(x.out.Path, step)
	}
}
