package policy

// A Key documents one key of the rule file. Load reads the file by the same table.
type Key struct {
	In       string // the mapping it stands in: "", "profiles.*", "profiles.*.attributes[]", "rules[]", "rules[].identity"
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
)

// Schema gives every key of the rule file, for documentation. What stands in "rules[].identity" stands in holder
// too, and what stands in "profiles.*.attributes[]" in the attributes of a deny rule.
func Schema() []Key {
	return []Key{
		{inFile, "version", true, "1"},
		{inFile, "profiles", false, "name of a profile: what it is"},
		{inFile, "rules", false, "list of rules; their order has no meaning"},

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
