package policy

// A Key documents one key of the rule file. Load reads the file by the same table.
type Key struct {
	In       string // the mapping it stands in: "", "profiles.*", "profiles.*.attributes[]", "rules[]", "rules[].identity", "exchange[]"
	Name     string
	Required bool
	Text     string
}

// The mappings of the rule file.
const (
	inFile      = ""
	inProfile   = "profiles.*"
	inAttribute = "profiles.*.attributes[]"
	inRule      = "rules[]"
	inMatch     = "rules[].identity"
	inExchange  = "exchange[]"
)

// Schema gives every key of the rule file, for documentation. What stands in "rules[].identity" stands in holder
// too, and what stands in "profiles.*.attributes[]" in the attributes of a deny rule.
func Schema() []Key {
	return []Key{
		{inFile, "version", true, "1"},
		{inFile, "profiles", false, "name of a profile: what it is"},
		{inFile, "rules", false, "list of rules; their order has no meaning"},
		{inFile, "exchange", false, "list of rules about the exchange of tokens; their order has no meaning"},

		{inProfile, "description", false, "for people"},
		{inProfile, "maximum-validity", true, "longest validity of an assertion with these attributes: 12h, 90m"},
		{inProfile, "fallback-maximum-validity", false, "the same in fallback mode, not longer; without it the profile cannot be had in that mode"},
		{inProfile, "attributes", true, "list of name and namespace"},

		{inAttribute, "name", true, "name of the attribute, or an alias of it"},
		{inAttribute, "namespace", true, "identification, certified, or the whole namespace"},

		{inRule, "id", true, "names the rule in the audit trail"},
		{inRule, "description", false, "for people"},
		{inRule, "effect", true, "permit or deny"},
		{inRule, "identity", false, "what is asked of the certificate that signed the message; a permit rule must have it"},
		{inRule, "holder", false, "what is asked of the holder-of-key certificate; without it nothing"},
		{inRule, "modes", false, "list of session, eid-only, fallback; without it all"},
		{inRule, "profiles", false, "granted by a permit rule, which must have it; whose attributes a deny rule denies"},
		{inRule, "attributes", false, "of a deny rule: denied besides those of profiles; a deny rule with neither denies all"},
		{inRule, "on-denied", false, "refuse (also without it) the request, or omit what is denied"},

		{inMatch, "kinds", false, "list of eid, ehealth-person, ehealth-organisation, service"},
		{inMatch, "identifier-types", false, "list of types: SSIN, CBE, NIHII-HOSPITAL"},
		{inMatch, "identifiers", false, "list of TYPE=value"},
		{inMatch, "identifier-prefixes", false, "list of TYPE=beginning"},

		{inExchange, "id", true, "names the rule in the audit trail"},
		{inExchange, "description", false, "for people"},
		{inExchange, "effect", true, "permit or deny"},
		{inExchange, "clients", false, "list of client ids; a permit rule must have it"},
		{inExchange, "audiences", false, "list of those for whom the result is; a permit rule must have it"},
		{inExchange, "directions", false, "list of saml1-to-token, token-to-saml1, token-to-token, upstream-to-token; a permit rule must have it"},
		{inExchange, "to", false, "list of access_token, id_token, jwt, saml1; without it all"},
		{inExchange, "methods", false, "references (amr) that the authentication must have, all of them"},
		{inExchange, "levels", false, "list of values of acr, of which it must have one"},
		{inExchange, "scopes", false, "what may be asked for; without it nothing"},
		{inExchange, "delegation", false, "\"yes\" where somebody may act for the subject; \"no\" also without it"},
		{inExchange, "maximum-validity", false, "longest validity of the result: 1h, 90m; a permit rule must have it"},
	}
}

func keysOf(in string) []Key {
	var keys []Key
	for _, k := range Schema() {
		if k.In == in {
			keys = append(keys, k)
		}
	}
	return keys
}
