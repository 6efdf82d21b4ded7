// Package cedar is the policy decision point (PDP) on policies in the Cedar language, by cedar-go: a directory of
// files behind [policy.PDP], and behind questions of any other kind that a schema can describe ([Policies.Decide]).
//
// # The directory
//
//	*.cedar         policies
//	profiles.yaml   sets of attributes with the longest validity of an assertion: the profiles of a rule file
//	*.json          entities in Cedar's own form: roles and how they are had, members, applications
//	*.cedarschema   types and actions of other applications, beside those of the platform
//	*.md, *.txt     notes
//
// Files of other names are refused, since a policy in one would be missed; folders and hidden files are passed over.
//
// # What policies speak of
//
// The platform's schema is [PlatformSchema]. Principals are Person, Organisation and Service, named TYPE=value as
// certificates have it: Person::"SSIN=00000000097". Actions are release-attribute, hold, enter, exchange-token and
// administer; resources are Attribute, Role, Application, Service and Profile. An attribute is named
// Attribute::"certified:NAME" or Attribute::"identification:NAME" and is in its profiles. Every policy is validated against the
// schema, strictly, and the attributes, profiles, roles and annotations that it names must exist.
//
//	@id("doctor-for-app2")                  // required: names it in the audit trail
//	@on_denied("omit")                      // or refuse, also without it
//	@maximum_validity("1h")                 // shortens the profile's; required where no profile is named
//	@fallback_maximum_validity("30m")
//	permit (principal is Person, action == Action::"release-attribute", resource in Profile::"APP2")
//	when { principal.kind == "eid" && context.mode == "session" };
//
// # Roles
//
// Which certified attribute gives which role is an entity, and so policy and no code:
//
//	{"uid": {"type": "Role", "id": "doctor"},
//	 "attrs": {"attribute": "urn:be:fgov:person:ssin:doctor:boolean"},   // with "values": […] unless it is a boolean
//	 "parents": [{"type": "Role", "id": "care-provider"}]}
//
// A principal has a role when a source affirms its attribute, when the entities name him as a member, or when he has a
// role in it. Policies read other certified attributes as tags: principal.getTag("urn:…").contains("true"). Attributes
// are asked for once a request, only those that the policies which can hold for it speak of, and what is released does
// not outlive them. A source that does not answer is an error, and nothing is permitted, also where the attribute is optional
// for consumers.
//
// # Meaning
//
// An attribute is released if a permit holds and no forbid does. A forbid that cannot be evaluated denies; a permit that
// cannot be evaluated permits nothing. Of several permits, that with the longest window counts, so that permitting more
// never shortens one; the assertion has the shortest window of its attributes. In fallback mode a permit without a window
// for it says nothing. When some attributes are denied the request is refused, unless something is permitted and every
// policy that determined a decision says omit. (A rule file also asks the permit rules that match and grant nothing of
// what was asked; otherwise the two mean the same, and a test holds random rule files against their translation.)
// A decision names all policies that determined it.
//
// # Cost
//
// Policies are filed by action, by what the scope says of the resource, and by what it says of the principal; a request
// is evaluated against those alone that can hold for it. What stands in the scope makes a policy cheap, what stands in
// conditions only does not: write principal == Organisation::"NIHII-HOSPITAL=71000436" rather than comparing identifiers.
package cedar
