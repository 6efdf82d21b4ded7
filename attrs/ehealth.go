package attrs

import "sync"

// Names that the sts must know by heart, because the certificates answer for them.
const (
	// PersonSSIN is the person who acts; the identity certificate bears it.
	PersonSSIN = "urn:be:fgov:person:ssin"

	// CertificateHolderSSIN is the person to whom the holder-of-key certificate was given.
	CertificateHolderSSIN = "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin"

	// UserSession is true where the user's session runs under his own certificate; the sts computes it.
	UserSession = CertificateHolderSSIN + ":usersession:boolean"
)

const (
	prefix = "urn:be:fgov:ehealth:1.0:"
	holder = prefix + "certificateholder:"
	person = PersonSSIN + ":ehealth:1.0:"
)

// EHealth gives the catalogue of the eHealth platform: every attribute of section 5 of the wire document. It is made once
// and shared, so that a definition is the same pointer for all who ask.
func EHealth() *Catalogue { return ehealth() }

// A value computed once and never changed after, not state.
var ehealth = sync.OnceValue(func() *Catalogue {
	c, err := NewCatalogue(append(append(identificationDefinitions(), personDefinitions()...), organisationDefinitions()...))
	if err != nil {
		panic("attrs: the built-in catalogue contradicts itself: " + err.Error()) // a test makes it
	}
	return c
})

// The organisations with a NIHII number: word in the names, word in certificates (wire document 6.2), title. The bare
// word NIHII is none of theirs: it says that a care provider has the number, not what he is, and would prove one number to
// be a hospital's, a pharmacy's and a guard post's at once (attacks.md H4).
var organisations = [...]struct{ name, certificateType, title string }{
	{"hospital", "NIHII-HOSPITAL", "hospital"},
	{"pharmacy", "NIHII-PHARMACY", "pharmacy"},
	{"medicalhouse", "NIHII-MEDICAL_HOUSE", "medical house"},
	{"guardpost", "NIHII-GUARD_POST", "guard post"},
	{"sortingcenter", "NIHII-SORTING_CENTER", "sorting centre"},
	{"officedoctors", "NIHII-OFFICE_DOCTORS", "office of doctors"},
	{"groupofnurses", "NIHII-GROUP", "group of nurses"},
	{"reeducation", "NIHII-REEDUCATION", "rehabilitation centre"},
	{"retirement", "NIHII-RETIREMENT", "home for the elderly"},
}

func identificationDefinitions() []Definition {
	define := func(name, title string, kind ValueKind, binding Binding, types ...string) Definition {
		return Definition{Designator: Designator{name, NamespaceIdentification}, Title: title, Kind: kind, Binding: binding,
			CertificateTypes: types}
	}
	all := []Definition{
		define(PersonSSIN, "the person who acts", SSIN, BindingIdentity, "SSIN"),
		define(CertificateHolderSSIN, "the person who holds the certificate", SSIN, BindingHolder, "SSIN"),
	}
	for _, o := range organisations {
		all = append(all, define(prefix+o.name+":nihii-number", "NIHII number of the "+o.title, NIHII8, BindingClaimed,
			o.certificateType))
	}
	for _, o := range organisations {
		all = append(all, define(holder+o.name+":nihii-number", "NIHII number of the "+o.title+" that holds the certificate",
			NIHII8, BindingHolder, o.certificateType))
	}
	return append(all,
		define(holder+"enterprise:cbe-number", "enterprise that holds the certificate", CBE, BindingHolder, "CBE"),
		define("urn:be:fgov:kbo-bce:organization:cbe-number", "enterprise number of the organisation", CBE, BindingClaimed, "CBE"),
		define(prefix+"organization:ehp-number", "eHealth party number of the organisation", EHP, BindingClaimed, "EHP"),
		define(holder+"organization:ehp-number", "eHealth party number of the holder of the certificate", EHP, BindingHolder, "EHP"),
		define(prefix+"servicename:external", "name of the service, for others", Text, BindingClaimed),
		define(prefix+"service-name", "name of the service", Text, BindingClaimed),
	)
}

// certified makes a definition of a certified attribute.
func certified(name, title string, kind ValueKind, keys ...Key) Definition {
	return Definition{Designator: Designator{name, NamespaceCertified}, Title: title, Kind: kind, KeyedBy: keys}
}

func personDefinitions() []Definition {
	key := Key{PersonSSIN}
	define := func(name, title string, kind ValueKind, aliases ...string) Definition {
		d := certified(name, title, kind, key)
		d.Aliases = aliases
		return d
	}
	var all []Definition
	// The seed writes …:ehealth:1.0:doctor:boolean, every public client …:doctor:boolean (wire document, corrections).
	for _, p := range []string{"doctor", "nurse"} {
		all = append(all, define(PersonSSIN+":"+p+":boolean", "recognised "+p, Boolean, person+p+":boolean"))
	}
	for _, p := range []string{"doctor", "nurse", "dentist", "midwife", "physiotherapist"} {
		all = append(all, define(person+p+":nihii11", "NIHII number and qualification as "+p, NIHII11))
	}
	for _, p := range []string{"doctor", "dentist", "nurse", "midwife", "physiotherapist", "logopedist", "dietician",
		"clinicalpsychologist", "optician", "podologist"} {
		all = append(all, define(person+"nihii:"+p+":nihii11", "NIHII number and qualification as "+p+", by the NIHII", NIHII11))
	}
	for _, p := range []string{"doctor", "dentist", "nurse", "midwife", "physiotherapist", "logopedist", "dietician",
		"clinicalpsychologist"} {
		all = append(all, define(person+"fpsph:"+p+":boolean", p+" in the register of the FPS Public Health", Boolean))
	}
	for _, p := range []string{"dentist", "physiotherapist", "midwife", "logopedist", "dietician", "clinicalpsychologist"} {
		all = append(all, define(person+"professional:"+p+":boolean", "recognised professional: "+p, Boolean))
	}
	session := certified(UserSession, "the session runs under the user's own certificate", Boolean, Key{CertificateHolderSSIN})
	session.Computed = true
	return append(all,
		define(person+"givenname", "given name", Text),
		define(person+"surname", "surname", Text),
		define(person+"recognisedmandatary:boolean", "recognised mandatary", Boolean),
		define(PersonSSIN+":mandate:insurability:boolean", "mandate to consult insurability", Boolean),
		define(person+"pharmacy-holder", "titular of a pharmacy", Text), // no public document shows a value
		define(person+"pharmacy-holder:certified:nihii11", "NIHII number and qualification as titular of a pharmacy", NIHII11),
		session,
	)
}

func organisationDefinitions() []Definition {
	var all []Definition
	var holders []Key // by which the organisation that holds the certificate can be known
	recognised := func(organisation, as, title string) {
		all = append(all,
			certified(prefix+organisation+":nihii-number:recognised"+as+":boolean", "recognised "+title, Boolean,
				Key{prefix + organisation + ":nihii-number"}),
			certified(prefix+organisation+":nihii-number:recognised"+as+":nihii11", "NIHII number of the recognised "+title, NIHII11,
				Key{prefix + organisation + ":nihii-number"}),
			certified(holder+organisation+":nihii-number:recognised"+as+":boolean", "the holder of the certificate is a recognised "+title,
				Boolean, Key{holder + organisation + ":nihii-number"}),
		)
	}
	for _, o := range organisations {
		recognised(o.name, o.name, o.title)
		if o.name == "pharmacy" {
			recognised(o.name, "hospitalpharmacy", "hospital pharmacy")
		}
		holders = append(holders, Key{holder + o.name + ":nihii-number"})
	}
	// Asked by clients in both namespaces under one name (wire document, section 5).
	for _, o := range []string{"sortingcenter", "officedoctors", "groupofnurses"} {
		name := holder + o + ":nihii-number"
		all = append(all, certified(name, "NIHII number of the holder of the certificate, certified", NIHII8, Key{name}))
	}
	holders = append(holders, Key{holder + "enterprise:cbe-number"}, Key{holder + "organization:ehp-number"})
	return append(all,
		// A relation: is this person the titular of this pharmacy? A registry that knew it by the person alone could not
		// tell two pharmacies apart, so the subject is both numbers.
		certified(prefix+"pharmacy:nihii-number:person:ssin:ehealth:1.0:pharmacy-holder:boolean",
			"the person is titular of the pharmacy", Boolean, Key{prefix + "pharmacy:nihii-number", PersonSSIN}),
		certified(holder+"recognisedorganization:boolean", "the holder of the certificate is a recognised organisation", Boolean,
			holders...),
		// The wire document abbreviates the beginning of this name and of its key in the same way: both readings are held.
		certified(prefix+"organization:ehp-number:recognisedehp:boolean", "recognised eHealth party", Boolean,
			Key{prefix + "organization:ehp-number"}),
		certified(holder+"organization:ehp-number:recognisedehp:boolean", "the holder of the certificate is a recognised eHealth party",
			Boolean, Key{holder + "organization:ehp-number"}),
		certified(holder+"enterprise:cbe-number:ehealth:1.0:cbe_daas_authorized:boolean", "enterprise authorised for DAAS", Boolean,
			Key{holder + "enterprise:cbe-number"}),
		certified("urn:be:fgov:kbo-bce:organization:cbe-number:ehealth:1.0:hio:boolean", "health insurance organisation", Boolean,
			Key{"urn:be:fgov:kbo-bce:organization:cbe-number"}),
	)
}
