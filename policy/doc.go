// Package policy decides which requestor may have which attributes and for how long: the
// policy decision point (PDP) of the seed's Policy Enforcement Model, and the rule file by which it is
// administered (PAP).
//
// # Deciding
//
// [PDP] is asked once a request, for all attributes that it wants, and answers with one
// [Decision] each. The zero Decision denies, the zero [Release] permits nothing, an error permits nothing, and an empty rule
// file permits nothing. [Rules] is the PDP behind a rule file; another one (policy/cedar, policies in the Cedar language) takes its
// place behind the same interface: the two [Requestor]s are the principal, releasing an attribute is the action, the definitions are the
// resources, mode and instant the context, and the names of rules and profiles are the determining policies.
//
// # The rule file
//
// There is no application identifier on the wire. What a client asks is a set of
// attributes, so a profile is a named set of attributes with the longest validity that an assertion with them may have, and a rule
// says who may have which profiles.
//
//	version: 1
//
//	profiles:
//	  APP2:
//	    description: is he a doctor?
//	    maximum-validity: 12h             # of an assertion with these attributes; hours, minutes, seconds
//	    fallback-maximum-validity: 1h     # without it the profile cannot be had in fallback mode
//	    attributes:
//	      - name: urn:be:fgov:person:ssin
//	        namespace: identification     # or the whole urn:be:fgov:identification-namespace
//	      - name: urn:be:fgov:person:ssin:doctor:boolean
//	        namespace: certified          # or the whole urn:be:fgov:certified-namespace:ehealth
//
//	rules:
//	  - id: care-providers                # named by the audit trail
//	    description: whoever has an eID and recognised software
//	    effect: permit
//	    identity:                         # the certificate that signed the message
//	      kinds: [eid]                    # eid, ehealth-person, ehealth-organisation, service
//	    holder:                           # the holder-of-key certificate
//	      kinds: [ehealth-organisation]
//	      identifier-types: [CBE, NIHII-HOSPITAL]
//	    modes: [session]                  # session, eid-only, fallback; without it: all
//	    profiles: [APP2]
//	    on-denied: omit                   # refuse (also without it) or omit
//	  - id: lost-key
//	    effect: deny
//	    holder:
//	      identifiers: [CBE=0809394427]   # TYPE=value, as certificates have it
//
//	exchange:                             # of tokens (package oidc/bridge): other rules, about clients
//	  - id: portal
//	    effect: permit
//	    clients: [portal]
//	    audiences: ["https://records.example"]
//	    directions: [saml1-to-token, token-to-saml1]
//	    methods: [hwk]                    # all of these happened (amr); levels: one of these (acr)
//	    to: [access_token, saml1]         # without it: whatever the direction gives
//	    scopes: [records]                 # no other may be asked for
//	    delegation: "yes"                 # somebody may act for the subject; without it nobody
//	    maximum-validity: 1h
//
// A part of a rule that is left out does not restrict it. Of what stands in identity or
// holder everything must hold: the kind is one of kinds, the type of the identifier one of identifier-types, and the
// identifier is one of identifiers or begins with one of identifier-prefixes (NIHII-HOSPITAL=71). A
// permit rule must say something of the identity.
//
// # Meaning
//
// An attribute is permitted if a permit rule that matches grants a profile that holds it, and no deny rule that
// matches denies it. A deny rule denies the attributes it lists, and those of the profiles it lists; with neither list it denies all.
// It denies attributes, not ways to them: one that stands in a denied profile is denied in every other. The order of rules
// has no meaning.
//
// The window of the assertion is the shortest maximum of the profiles used. Where several granted profiles
// hold an attribute, the one with the longest maximum is used, so that granting more never shortens a window.
//
// When some attributes are denied, the request is refused, unless something is permitted and every permit
// rule that matched, and every deny rule that denied, says omit: refusing wins.
//
// # Strictness
//
// [Load] refuses, all at once and with line numbers: unknown and repeated keys, a name used twice, unknown profiles, attributes that the
// catalogue does not know, durations that are not above zero, rules that can never match, YAML aliases, tags and
// second documents. [Rules.Lint] warns of what is allowed and hardly meant. The definitions of a request must come from the
// catalogue that Load was given; one of another catalogue is denied.
package policy
