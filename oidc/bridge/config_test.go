package bridge_test

import (
	"strings"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/certs"
	"sceau/oidc/bridge"
	"sceau/saml"
)

// TestConfig (A8): what would exchange for nobody, or for anybody, is refused, all of it at once.
func TestConfig(t *testing.T) {
	good := newRig(t).config
	for name, c := range map[string]struct {
		change func(*bridge.Config)
		want   string
	}{
		"no issuer":          {func(c *bridge.Config) { c.Issuer = "" }, "no Issuer"},
		"no certificates":    {func(c *bridge.Config) { c.Certificates = nil }, "no Certificates"},
		"no policy":          {func(c *bridge.Config) { c.Policy = nil }, "no Policy"},
		"no recorder":        {func(c *bridge.Config) { c.Recorder = nil }, "no Recorder"},
		"no subjects":        {func(c *bridge.Config) { c.Subjects = nil }, "no Subjects"},
		"no once":            {func(c *bridge.Config) { c.Once = nil }, "no Once"},
		"no roles":           {func(c *bridge.Config) { c.HolderRoles = []certs.Role{} }, "HolderRoles"},
		"an STS as holder":   {func(c *bridge.Config) { c.HolderRoles = []certs.Role{certs.RoleSTS} }, "HolderRoles"},
		"an unserved role":   {func(c *bridge.Config) { c.HolderRoles = []certs.Role{certs.RoleClient} }, "serves the role"},
		"a long validity":    {func(c *bridge.Config) { c.MaximumValidity = 13 * time.Hour }, "MaximumValidity"},
		"a negative one":     {func(c *bridge.Config) { c.MaximumValidity = -1 }, "MaximumValidity"},
		"an old age":         {func(c *bridge.Config) { c.MaximumAge = 5 * time.Hour }, "MaximumAge"},
		"many actors":        {func(c *bridge.Config) { c.Actors = 17 }, "Actors"},
		"an empty STS":       {func(c *bridge.Config) { c.Assertions.Issuers = []string{""} }, "empty issuer"},
		"a wide skew":        {func(c *bridge.Config) { c.Assertions.Skew = time.Hour }, "Skew"},
		"back-dating":        {func(c *bridge.Config) { c.Assertions.BackDate = time.Hour }, "BackDate"},
		"issuer, no signing": {func(c *bridge.Config) { c.Assertions.Signing = nil }, "go together"},
		"certified, nobody":  {func(c *bridge.Config) { c.Assertions.Certified = map[string][]attrs.Designator{records: {isDoc}} }, "need Release"},
		"certified, no such": {func(c *bridge.Config) { c.Assertions.Certified = map[string][]attrs.Designator{records: {ssin}} }, "no certified attribute"},
		"a reserved claim":   {func(c *bridge.Config) { c.Claims = []bridge.Claim{{Name: "sub"}} }, "says what a token is"},
		"cnf as a claim":     {func(c *bridge.Config) { c.Claims = []bridge.Claim{{Name: "cnf"}} }, "says what a token is"},
		"a claim twice":      {func(c *bridge.Config) { c.Claims = []bridge.Claim{{Name: "a"}, {Name: "a"}} }, "twice"},
		"an attribute twice": {func(c *bridge.Config) {
			c.Claims = []bridge.Claim{{Name: "a", Attribute: ssin}, {Name: "b", Attribute: ssin}}
		}, "twice"},
		"a claim of ours": {func(c *bridge.Config) {
			c.Claims = []bridge.Claim{{Name: "a", Attribute: attrs.Designator{Name: "amr", Namespace: bridge.ClaimNamespace}}}
		}, "our own"},
		"upstream, ours":      {func(c *bridge.Config) { c.Upstreams[0].Issuer = opIssuer }, "one that is ours"},
		"upstream, no way":    {func(c *bridge.Config) { c.Upstreams[0].Introspector = nil }, "no Introspector"},
		"upstream, short":     {func(c *bridge.Config) { c.Upstreams[0].Lifetime = time.Minute }, "Lifetime"},
		"upstream, long":      {func(c *bridge.Config) { c.Upstreams[0].Lifetime = 5 * time.Hour }, "Lifetime"},
		"upstream, anybody's": {func(c *bridge.Config) { c.Upstreams[0].Parties = nil }, "no Parties"},
		"upstream, any level": {func(c *bridge.Config) { c.Upstreams[0].Levels = nil }, "no Levels"},
		"upstream, twice":     {func(c *bridge.Config) { c.Upstreams = append(c.Upstreams, c.Upstreams[0]) }, "twice"},
		"upstream, cnf":       {func(c *bridge.Config) { c.Upstreams[0].Claims = []string{"cnf"} }, "says what a token is"},
		"upstream, act":       {func(c *bridge.Config) { c.Upstreams[0].ActorClaims = []string{"act"} }, "says what a token is"},
		"upstream, both":      {func(c *bridge.Config) { c.Upstreams[0].ActorClaims = c.Upstreams[0].Claims }, "of both"},
		"methods":             {func(c *bridge.Config) { c.Methods = &bridge.Methods{ToSAML: []bridge.MethodRow{{}}} }, "without method"},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			config.Upstreams = append([]bridge.Upstream(nil), good.Upstreams...)
			c.change(&config)
			x, err := bridge.New(config)
			if x != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if _, err := bridge.New(bridge.Config{}); err == nil || strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("the zero configuration: %v", err)
	}
}

// TestDirectionsAreConfigured: what is not configured is not exchanged.
func TestDirectionsAreConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bridge.Config)
		form   func(*rig) (f []string)
	}{
		"no assertion is read": {func(c *bridge.Config) { c.Assertions.Issuers = nil }, func(r *rig) []string { return []string{encode(r.assertion(nil)), bridge.SAML1.String(), ""} }},
		"no token is made":     {func(c *bridge.Config) { c.Minter = nil }, func(r *rig) []string { return []string{encode(r.assertion(nil)), bridge.SAML1.String(), ""} }},
		"no token is read":     {func(c *bridge.Config) { c.Tokens = nil }, func(r *rig) []string { return []string{r.accessToken(nil), bridge.AccessToken.String(), ""} }},
		"no assertion is written": {func(c *bridge.Config) { c.Assertions.Issuer, c.Assertions.Signing = "", nil }, func(r *rig) []string {
			return []string{r.accessToken(nil), bridge.AccessToken.String(), bridge.SAML1.String()}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.change)
			f := c.form(r)
			r.refused(bridge.UnsupportedType, r.client(), form("subject_token", f[0], "subject_token_type", f[1], "requested_token_type", f[2], "audience", records))
		})
	}
}

// TestAliases: a claim that configuration names by an alias of an attribute is met under its own name, and under the alias.
func TestAliases(t *testing.T) {
	alias := attrs.Designator{Name: "urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean", Namespace: attrs.NamespaceCertified}
	if d, ok := attrs.EHealth().Find(alias); !ok || d.Designator != isDoc {
		t.Fatal("the catalogue has no such alias")
	}
	r := newRig(t, func(c *bridge.Config) {
		c.Claims = []bridge.Claim{{Name: "doctor", Attribute: alias}, {Name: "ssin", Attribute: ssin, Identifier: "ssin"}}
	})
	for _, name := range []attrs.Designator{isDoc, alias} {
		token := r.read(r.must(r.samlForm(r.assertion(func(i *saml.Issue) { i.Attributes[1].Name = name.Name }))))
		if token.Claims["doctor"] != true {
			t.Errorf("%s: %v", name.Name, token.Claims)
		}
	}
	// Under both names it stands there twice.
	r.refused(bridge.BadSubjectToken, r.client(), r.samlForm(r.assertion(func(i *saml.Issue) {
		i.Attributes = append(i.Attributes, saml.Statement{Name: alias.Name, Namespace: alias.Namespace, Values: []string{"false"}})
	})))
}

// TestTarget: where the client names none.
func TestTarget(t *testing.T) {
	r := newRig(t, func(c *bridge.Config) { c.Target = "https://default.example" })
	f := r.samlForm(r.assertion(nil))
	f.Del("audience")
	if token := r.read(r.must(f)); len(token.Audience) != 1 || token.Audience[0] != "https://default.example" {
		t.Errorf("%q", token.Audience)
	}
}
