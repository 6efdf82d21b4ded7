package attrs

// Binding says what must prove an identification attribute. The zero Binding proves nothing and is refused by
// [NewCatalogue]; certified attributes have no Binding.
type Binding uint8

const (
	// BindingIdentity: the value is the number in the certificate of the person who signs the message (the eID, or the
	// caregiver's eHealth certificate in fallback mode).
	BindingIdentity Binding = iota + 1

	// BindingHolder: the value is the number in the holder-of-key certificate (the owner of the software).
	BindingHolder

	// BindingClaimed: no certificate is named for it by any public document. The sts echoes the value as claimed, or
	// compares it with an identifier of either certificate if it is to be strict; whoever relies on it must know that.
	BindingClaimed
)

// String gives the name of the binding for tables and messages.
func (b Binding) String() string {
	switch b {
	case BindingIdentity:
		return "identity certificate"
	case BindingHolder:
		return "holder certificate"
	case BindingClaimed:
		return "claimed"
	}
	return "none"
}

// A Key names the identification attributes whose values together are the look-up key of a certified attribute: one for
// nearly all, two for a relation (a pharmacy and a person). Names are canonical, in [NamespaceIdentification].
type Key []string

// Group sorts definitions as the wire document does, for tables made for people.
type Group uint8

// The groups of section 5 of the wire document.
const (
	GroupIdentification Group = iota + 1
	GroupPerson
	GroupOrganisation
)

// String gives the title of the group.
func (g Group) String() string {
	switch g {
	case GroupIdentification:
		return "Identification"
	case GroupPerson:
		return "Certified, person"
	case GroupOrganisation:
		return "Certified, organisation"
	}
	return "invalid group"
}

// A Definition is what is known about one attribute. Those that a [Catalogue] gives out are shared by all who use it and
// must not be changed; two of one catalogue are the same attribute exactly if they are the same pointer.
type Definition struct {
	Designator        // canonical name; the namespace is NamespaceIdentification or NamespaceCertified
	Title      string // one line for people
	Kind       ValueKind

	// Multiple allows several values at one instant. Never for booleans.
	Multiple bool

	// Computed marks a certified attribute that no source holds: the sts makes the answer itself from the certificates
	// and hands it to the resolver in Query.Given.
	Computed bool

	// Hidden marks a certified attribute that no consumer may ask for: an input of derived attributes. [Catalogue.Lookup] and
	// [Catalogue.ByName], by which what stands on the wire is found, do not find it; [Catalogue.Find] does.
	Hidden bool

	// Binding is set for identification attributes only.
	Binding Binding

	// CertificateTypes lists, for a number that a certificate bears, the TYPE words of eHealth certificates that may
	// bear it (wire document 6.2). The pairing of organisations with words is inferred from their names.
	CertificateTypes []string

	// KeyedBy is set for certified attributes only: the ways of knowing the subject. Each Key is an alternative; a query
	// must offer exactly one of them (see Query.Subject).
	KeyedBy []Key

	// Aliases are other names of the same attribute in the same namespace.
	Aliases []string

	index    int             // place in its catalogue
	keys     [][]*Definition // KeyedBy, resolved
	subjects []SubjectType   // type of each key
	group    Group
}

// Certified says whether authentic sources, not the caller, are asked for the attribute.
func (d *Definition) Certified() bool { return d.Namespace == NamespaceCertified }

// Group says in which table for people the attribute stands.
func (d *Definition) Group() Group { return d.group }

// SubjectTypes gives the types of subject by which a source may know the attribute, one for each of KeyedBy; nil for an
// identification attribute. It must not be changed.
func (d *Definition) SubjectTypes() []SubjectType { return d.subjects }
