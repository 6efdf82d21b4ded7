// Package trial tries policies before they count: on the tests that are kept with them, and on decisions that were recorded.
//
// # Tests
//
// The folder tests beside the policies has files *.yaml. What they say of certified attributes stands in the place of the authentic
// sources; a test that needs a fact and does not give it fails and names it, so that none holds by accident.
//
//	tests:
//	  - name: a doctor enters DTW
//	    subject: {type: Person, id: SSIN=00000000097}
//	    action: enter
//	    resource: {type: Application, id: DTW}
//	    facts: {"urn:be:fgov:person:ssin:doctor:boolean": true}
//	    expect: permit
//	    by: [doctors-enter-dtw]            # may be left out: the policies that decide
//
//	  - name: and may have doctor:boolean for APP2
//	    identity: {kind: eid, id: SSIN=00000000097}
//	    holder: {kind: ehealth-organisation, id: CBE=0417497106}
//	    mode: session                      # also without it
//	    attributes: ["urn:be:fgov:person:ssin:doctor:boolean", "identification:urn:be:fgov:person:ssin"]
//	    expect:
//	      permitted: ["urn:be:fgov:person:ssin:doctor:boolean"]
//	      denied: ["identification:urn:be:fgov:person:ssin"]
//	      on-denied: omit
//	      valid-for: 12h
//
// A question (subject, action, resource, context) is for policies in Cedar; a release (identity, holder, attributes) for those and
// for a rule file. expect is permit, deny or, of a release, which attributes are. A fact is true, false, unknown, a value, a list of
// values, or {is: …, until: TIME}. Persons and organisations are named TYPE=value, and the schema has what stands in context: a denial by a
// misspelling is none. facts are about the subject or the identity; others, by identifier (CBE=0417497106), stand under
// others. at is the instant; without it, one that is always the same.
//
// # Recorded decisions
//
// The audit trail says of each decision what was asked, how it ended and by which policies; it has pseudonyms for persons, and no values.
// [Replay] finds every way in which a decision can have come about that fits its record: which facts may have held, and what
// an identifier may have been, where the policies speak of any. A decision changes if it ends otherwise under the other
// policies in each of these ways, and may change if it does in some. What a client sent along with a question is not on the record: where the
// policies that read it differ, or decided, the decision cannot be repeated; it is counted, and not guessed. Of an attribute with several
// values each value that the policies mention is tried, any two of few, and all together.
//
// Nothing of a record is kept but what it comes to, and decisions that are alike are tried once: a trail may be long.
package trial
