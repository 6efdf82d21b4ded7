package attrs

import (
	"slices"
	"strings"
	"testing"
)

// expand writes out the braces in which the wire document abbreviates its lists.
func expand(pattern string) []string {
	before, rest, ok := strings.Cut(pattern, "{")
	if !ok {
		return []string{pattern}
	}
	choices, after, _ := strings.Cut(rest, "}")
	var all []string
	for choice := range strings.SplitSeq(choices, ",") {
		all = append(all, expand(before+choice+after)...)
	}
	return all
}

const section5Organisations = "{hospital,pharmacy,medicalhouse,guardpost,sortingcenter,officedoctors,groupofnurses,reeducation,retirement}"

// section5 transcribes the tables of the wire document, independently of the catalogue: pattern, kind, and by which
// identification attributes it is keyed (alternatives separated by "|", conjunction by "+"). Numbers are counted by hand.
var section5 = []struct {
	group   Group
	pattern string
	count   int
	kind    ValueKind
	keys    string
}{
	{GroupIdentification, "urn:be:fgov:person:ssin", 1, SSIN, ""},
	{GroupIdentification, "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin", 1, SSIN, ""},
	{GroupIdentification, "urn:be:fgov:ehealth:1.0:" + section5Organisations + ":nihii-number", 9, NIHII8, ""},
	{GroupIdentification, "urn:be:fgov:ehealth:1.0:certificateholder:" + section5Organisations + ":nihii-number", 9, NIHII8, ""},
	{GroupIdentification, "urn:be:fgov:ehealth:1.0:certificateholder:enterprise:cbe-number", 1, CBE, ""},
	{GroupIdentification, "urn:be:fgov:kbo-bce:organization:cbe-number", 1, CBE, ""},
	{GroupIdentification, "urn:be:fgov:ehealth:1.0:organization:ehp-number", 1, EHP, ""},
	{GroupIdentification, "urn:be:fgov:ehealth:1.0:certificateholder:organization:ehp-number", 1, EHP, ""},
	{GroupIdentification, "urn:be:fgov:ehealth:1.0:{servicename:external,service-name}", 2, Text, ""},

	{GroupPerson, "urn:be:fgov:person:ssin:{doctor,nurse}:boolean", 2, Boolean, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:ehealth:1.0:{doctor,nurse,dentist,midwife,physiotherapist}:nihii11", 5, NIHII11, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:ehealth:1.0:nihii:{doctor,dentist,nurse,midwife,physiotherapist,logopedist,dietician,clinicalpsychologist,optician,podologist}:nihii11", 10, NIHII11, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:ehealth:1.0:fpsph:{doctor,dentist,nurse,midwife,physiotherapist,logopedist,dietician,clinicalpsychologist}:boolean", 8, Boolean, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:ehealth:1.0:professional:{dentist,physiotherapist,midwife,logopedist,dietician,clinicalpsychologist}:boolean", 6, Boolean, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:ehealth:1.0:{givenname,surname}", 2, Text, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:{ehealth:1.0:recognisedmandatary,mandate:insurability}:boolean", 2, Boolean, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:ehealth:1.0:pharmacy-holder", 1, Text, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:person:ssin:ehealth:1.0:pharmacy-holder:certified:nihii11", 1, NIHII11, "urn:be:fgov:person:ssin"},
	{GroupPerson, "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin:usersession:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:person:ssin"},

	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:hospital:nihii-number:recognisedhospital:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:hospital:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:hospital:nihii-number:recognisedhospital:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:hospital:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number:recognisedhospital:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:hospital:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number:{recognisedpharmacy,recognisedhospitalpharmacy}:boolean", 2, Boolean, "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number:{recognisedpharmacy,recognisedhospitalpharmacy}:nihii11", 2, NIHII11, "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:pharmacy:nihii-number:{recognisedpharmacy,recognisedhospitalpharmacy}:boolean", 2, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:pharmacy:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:medicalhouse:nihii-number:recognisedmedicalhouse:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:medicalhouse:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:medicalhouse:nihii-number:recognisedmedicalhouse:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:medicalhouse:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:medicalhouse:nihii-number:recognisedmedicalhouse:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:medicalhouse:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:guardpost:nihii-number:recognisedguardpost:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:guardpost:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:guardpost:nihii-number:recognisedguardpost:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:guardpost:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:guardpost:nihii-number:recognisedguardpost:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:guardpost:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:sortingcenter:nihii-number:recognisedsortingcenter:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:sortingcenter:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:sortingcenter:nihii-number:recognisedsortingcenter:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:sortingcenter:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:sortingcenter:nihii-number:recognisedsortingcenter:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:sortingcenter:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:officedoctors:nihii-number:recognisedofficedoctors:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:officedoctors:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:officedoctors:nihii-number:recognisedofficedoctors:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:officedoctors:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:officedoctors:nihii-number:recognisedofficedoctors:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:officedoctors:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:groupofnurses:nihii-number:recognisedgroupofnurses:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:groupofnurses:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:groupofnurses:nihii-number:recognisedgroupofnurses:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:groupofnurses:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:groupofnurses:nihii-number:recognisedgroupofnurses:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:groupofnurses:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:reeducation:nihii-number:recognisedreeducation:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:reeducation:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:reeducation:nihii-number:recognisedreeducation:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:reeducation:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:reeducation:nihii-number:recognisedreeducation:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:reeducation:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:retirement:nihii-number:recognisedretirement:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:retirement:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:retirement:nihii-number:recognisedretirement:nihii11", 1, NIHII11, "urn:be:fgov:ehealth:1.0:retirement:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:retirement:nihii-number:recognisedretirement:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:retirement:nihii-number"},

	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:sortingcenter:nihii-number", 1, NIHII8, "urn:be:fgov:ehealth:1.0:certificateholder:sortingcenter:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:officedoctors:nihii-number", 1, NIHII8, "urn:be:fgov:ehealth:1.0:certificateholder:officedoctors:nihii-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:groupofnurses:nihii-number", 1, NIHII8, "urn:be:fgov:ehealth:1.0:certificateholder:groupofnurses:nihii-number"},

	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:pharmacy:nihii-number:person:ssin:ehealth:1.0:pharmacy-holder:boolean", 1, Boolean,
		"urn:be:fgov:ehealth:1.0:pharmacy:nihii-number+urn:be:fgov:person:ssin"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:recognisedorganization:boolean", 1, Boolean,
		strings.Join(expand("urn:be:fgov:ehealth:1.0:certificateholder:"+section5Organisations+":nihii-number"), "|") +
			"|urn:be:fgov:ehealth:1.0:certificateholder:enterprise:cbe-number|urn:be:fgov:ehealth:1.0:certificateholder:organization:ehp-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:organization:ehp-number:recognisedehp:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:organization:ehp-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:organization:ehp-number:recognisedehp:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:organization:ehp-number"},
	{GroupOrganisation, "urn:be:fgov:ehealth:1.0:certificateholder:enterprise:cbe-number:ehealth:1.0:cbe_daas_authorized:boolean", 1, Boolean, "urn:be:fgov:ehealth:1.0:certificateholder:enterprise:cbe-number"},
	{GroupOrganisation, "urn:be:fgov:kbo-bce:organization:cbe-number:ehealth:1.0:hio:boolean", 1, Boolean, "urn:be:fgov:kbo-bce:organization:cbe-number"},
}

func TestEHealthIsSection5(t *testing.T) {
	listed := map[Designator]bool{}
	counts := map[Group]int{}
	for _, row := range section5 {
		names := expand(row.pattern)
		if len(names) != row.count {
			t.Errorf("%s: %d names, counted %d by hand", row.pattern, len(names), row.count)
		}
		for _, name := range names {
			namespace := NamespaceCertified
			if row.group == GroupIdentification {
				namespace = NamespaceIdentification
			}
			listed[Designator{name, namespace}] = true
			counts[row.group]++
			d, ok := EHealth().Lookup([]byte(name), []byte(namespace))
			if !ok {
				t.Errorf("%s is not in the catalogue", name)
				continue
			}
			var keys []string
			for _, key := range d.KeyedBy {
				keys = append(keys, strings.Join(key, "+"))
			}
			if d.Name != name || d.Namespace != namespace || d.Kind != row.kind || d.Group() != row.group ||
				strings.Join(keys, "|") != row.keys {
				t.Errorf("%s: got %s %s, %v, %v, keys %s", name, d.Name, d.Namespace, d.Kind, d.Group(), strings.Join(keys, "|"))
			}
			if d.Title == "" {
				t.Errorf("%s has no title", name)
			}
			if computed := strings.Contains(name, "usersession"); d.Computed != computed {
				t.Errorf("%s: computed %v", name, d.Computed)
			}
			if d.Certified() != (row.group != GroupIdentification) {
				t.Errorf("%s: certified %v", name, d.Certified())
			}
		}
	}
	if counts[GroupIdentification] != 26 || counts[GroupPerson] != 38 || counts[GroupOrganisation] != 39 || len(listed) != 103 {
		t.Errorf("the list has %v, %d in all", counts, len(listed))
	}
	if EHealth().Len() != len(listed) {
		t.Errorf("the catalogue has %d attributes, the list %d", EHealth().Len(), len(listed))
	}
	for d := range EHealth().All() {
		if !listed[d.Designator] {
			t.Errorf("%s in %s is not in the list", d.Name, d.Namespace)
		}
	}
	n := 0
	for _, g := range []Group{GroupIdentification, GroupPerson, GroupOrganisation} {
		for d := range EHealth().In(g) {
			if d.Group() != g {
				t.Errorf("%s is of group %v, not %v", d.Name, d.Group(), g)
			}
			n++
		}
	}
	if n != EHealth().Len() {
		t.Errorf("the groups hold %d attributes", n)
	}
}

func TestBindings(t *testing.T) {
	for d := range EHealth().In(GroupIdentification) {
		want := BindingClaimed
		switch {
		case d.Name == "urn:be:fgov:person:ssin":
			want = BindingIdentity
		case strings.HasPrefix(d.Name, "urn:be:fgov:ehealth:1.0:certificateholder:"):
			want = BindingHolder
		}
		if d.Binding != want {
			t.Errorf("%s: %v, want %v", d.Name, d.Binding, want)
		}
		if want != BindingClaimed && len(d.CertificateTypes) == 0 {
			t.Errorf("%s: no type of certificate bears it", d.Name)
		}
	}
}

func TestAliases(t *testing.T) {
	tests := []struct{ asked, namespace, canonical string }{
		{"urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean", NamespaceCertified, "urn:be:fgov:person:ssin:doctor:boolean"},
		{"urn:be:fgov:person:ssin:doctor:boolean", NamespaceCertified, "urn:be:fgov:person:ssin:doctor:boolean"},
		{"urn:be:fgov:person:ssin:ehealth:1.0:nurse:boolean", NamespaceCertified, "urn:be:fgov:person:ssin:nurse:boolean"},
		{"urn:be:fgov:person:ssin:doctor:boolean", "urn:be:fgov:certifiednamespace:ehealth", "urn:be:fgov:person:ssin:doctor:boolean"},
		{"urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean", "urn:be:fgov:certifiednamespace:ehealth", "urn:be:fgov:person:ssin:doctor:boolean"},
	}
	for _, test := range tests {
		d, ok := EHealth().Lookup([]byte(test.asked), []byte(test.namespace))
		if !ok || d.Name != test.canonical || d.Namespace != NamespaceCertified {
			t.Errorf("%s in %s: %v, %v", test.asked, test.namespace, d, ok)
		}
		if found, ok := EHealth().Find(Designator{test.asked, test.namespace}); !ok || found != d {
			t.Errorf("%s: Find and Lookup differ", test.asked)
		}
	}
}

// H4, H5: a name stands in its own namespace only, and near is not equal.
func TestLookupRefuses(t *testing.T) {
	tests := map[string]Designator{
		"identification attribute as certified": {PersonSSIN, NamespaceCertified},
		"certified attribute as identification": {PersonSSIN + ":doctor:boolean", NamespaceIdentification},
		"empty name":                            {"", NamespaceCertified},
		"empty namespace":                       {PersonSSIN, ""},
		"other case":                            {strings.ToUpper(PersonSSIN), NamespaceIdentification},
		"blank after":                           {PersonSSIN + " ", NamespaceIdentification},
		"prefix":                                {PersonSSIN[:len(PersonSSIN)-1], NamespaceIdentification},
		"NUL after":                             {PersonSSIN + "\x00", NamespaceIdentification},
		"namespace with slash":                  {PersonSSIN, NamespaceIdentification + "/"},
	}
	for name, d := range tests {
		if found, ok := EHealth().Lookup([]byte(d.Name), []byte(d.Namespace)); ok || found != nil {
			t.Errorf("%s: found %v", name, found)
		}
	}
	var zero Catalogue
	if _, ok := zero.Lookup([]byte(PersonSSIN), []byte(NamespaceIdentification)); ok || zero.Len() != 0 {
		t.Error("the zero catalogue knows an attribute")
	}
}

func TestOneNameInBothNamespaces(t *testing.T) {
	for _, o := range []string{"sortingcenter", "officedoctors", "groupofnurses"} {
		name := "urn:be:fgov:ehealth:1.0:certificateholder:" + o + ":nihii-number"
		identification, certified := EHealth().ByName([]byte(name))
		if identification == nil || certified == nil || identification == certified ||
			identification.Certified() || !certified.Certified() || !slices.Equal(certified.KeyedBy[0], Key{name}) {
			t.Errorf("%s: %v, %v", name, identification, certified)
		}
	}
	if i, c := EHealth().ByName([]byte(PersonSSIN)); i == nil || c != nil {
		t.Errorf("%s: %v, %v", PersonSSIN, i, c)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	c := EHealth()
	name, namespace := []byte(PersonSSIN+":doctor:boolean"), []byte(NamespaceCertified)
	if n := testing.AllocsPerRun(100, func() { c.Lookup(name, namespace) }); n != 0 {
		t.Errorf("Lookup allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.ByName(name) }); n != 0 {
		t.Errorf("ByName allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { EHealth() }); n != 0 {
		t.Errorf("EHealth allocates %v times", n)
	}
}

func TestNewCatalogueRefuses(t *testing.T) {
	ssin := Definition{Designator: Designator{"a:ssin", NamespaceIdentification}, Kind: SSIN, Binding: BindingIdentity}
	boolean := Definition{Designator: Designator{"a:boolean", NamespaceCertified}, Kind: Boolean, KeyedBy: []Key{{"a:ssin"}}}
	if _, err := NewCatalogue([]Definition{boolean, ssin}); err != nil {
		t.Fatalf("the sound one: %v", err)
	}
	with := func(d Definition, change func(*Definition)) Definition { change(&d); return d }
	tests := map[string][]Definition{
		"no name":                {with(ssin, func(d *Definition) { d.Name = "" })},
		"name with blank":        {with(ssin, func(d *Definition) { d.Name = "a b" })},
		"name with markup":       {with(ssin, func(d *Definition) { d.Name = "a<b" })},
		"name with quote":        {with(ssin, func(d *Definition) { d.Name = "a'b" })},
		"name with comma":        {with(ssin, func(d *Definition) { d.Name = "a,b" })},
		"name not ASCII":         {with(ssin, func(d *Definition) { d.Name = "é" })},
		"name too long":          {with(ssin, func(d *Definition) { d.Name = strings.Repeat("a", 257) })},
		"no namespace":           {with(ssin, func(d *Definition) { d.Namespace = "" })},
		"foreign namespace":      {with(ssin, func(d *Definition) { d.Namespace = "urn:x" })},
		"misspelt namespace":     {with(ssin, func(d *Definition) { d.Namespace = namespaceCertifiedTypo })},
		"twice":                  {ssin, ssin},
		"alias is a name":        {ssin, with(ssin, func(d *Definition) { d.Name, d.Aliases = "b", []string{"a:ssin"} })},
		"alias is its own name":  {with(ssin, func(d *Definition) { d.Aliases = []string{"a:ssin"} })},
		"alias twice":            {with(ssin, func(d *Definition) { d.Aliases = []string{"b", "b"} })},
		"name is an alias":       {with(ssin, func(d *Definition) { d.Aliases = []string{"b"} }), with(ssin, func(d *Definition) { d.Name = "b" })},
		"alias is empty":         {with(ssin, func(d *Definition) { d.Aliases = []string{""} })},
		"no kind":                {with(ssin, func(d *Definition) { d.Kind = 0 })},
		"unknown kind":           {with(ssin, func(d *Definition) { d.Kind = Text + 1 })},
		"no binding":             {with(ssin, func(d *Definition) { d.Binding = 0 })},
		"unknown binding":        {with(ssin, func(d *Definition) { d.Binding = BindingClaimed + 1 })},
		"identification keyed":   {with(ssin, func(d *Definition) { d.KeyedBy = []Key{{"a:ssin"}} })},
		"identification made":    {with(ssin, func(d *Definition) { d.Computed = true })},
		"several booleans":       {ssin, with(boolean, func(d *Definition) { d.Multiple = true })},
		"certified bound":        {ssin, with(boolean, func(d *Definition) { d.Binding = BindingHolder })},
		"certified borne":        {ssin, with(boolean, func(d *Definition) { d.CertificateTypes = []string{"SSIN"} })},
		"certified without key":  {ssin, with(boolean, func(d *Definition) { d.KeyedBy = nil })},
		"certified, empty key":   {ssin, with(boolean, func(d *Definition) { d.KeyedBy = []Key{{}} })},
		"key unknown":            {ssin, with(boolean, func(d *Definition) { d.KeyedBy = []Key{{"b"}} })},
		"key is an alias":        {with(ssin, func(d *Definition) { d.Aliases = []string{"b"} }), with(boolean, func(d *Definition) { d.KeyedBy = []Key{{"b"}} })},
		"key names no subject":   {with(ssin, func(d *Definition) { d.Kind = Text }), boolean},
		"key has several values": {with(ssin, func(d *Definition) { d.Multiple = true }), boolean},
	}
	for name, definitions := range tests {
		if c, err := NewCatalogue(definitions); err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	_, err := NewCatalogue([]Definition{with(ssin, func(d *Definition) { d.Kind = 0 }), with(boolean, func(d *Definition) { d.Kind = 0 })})
	if err == nil || !strings.Contains(err.Error(), "a:ssin") || !strings.Contains(err.Error(), "a:boolean") {
		t.Errorf("not everything wrong at once: %v", err)
	}
}

func TestCatalogueWith(t *testing.T) {
	added := Definition{Designator: Designator{"urn:example:quality", NamespaceCertified}, Title: "x", Kind: Text, Multiple: true,
		KeyedBy: []Key{{PersonSSIN}}}
	c, err := EHealth().With(added)
	if err != nil {
		t.Fatal(err)
	}
	added.KeyedBy[0][0] = "changed" // the catalogue has its own
	d, ok := c.Find(Designator{"urn:example:quality", NamespaceCertified})
	if !ok || c.Len() != EHealth().Len()+1 || d.KeyedBy[0][0] != PersonSSIN || d.Group() != GroupPerson {
		t.Errorf("got %+v", d)
	}
	if _, ok := EHealth().Find(d.Designator); ok {
		t.Error("the original has it too")
	}
	if EHealth().holds(d) || !c.holds(d) {
		t.Error("it belongs to the wrong catalogue")
	}
	if _, err := EHealth().With(Definition{Designator: Designator{PersonSSIN, NamespaceIdentification}, Kind: SSIN, Binding: BindingIdentity}); err == nil {
		t.Error("a clash is accepted")
	}
}

func FuzzLookup(f *testing.F) {
	f.Add([]byte(PersonSSIN), []byte(NamespaceIdentification))
	f.Add([]byte(PersonSSIN+":doctor:boolean"), []byte(namespaceCertifiedTypo))
	f.Fuzz(func(t *testing.T, name, namespace []byte) {
		d, ok := EHealth().Lookup(name, namespace)
		if ok != (d != nil) {
			t.Fatal("found and nil")
		}
		if ok && d.Name != string(name) && !slices.Contains(d.Aliases, string(name)) {
			t.Fatalf("%q gives %q", name, d.Name)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	c, name, namespace := EHealth(), []byte(PersonSSIN+":doctor:boolean"), []byte(NamespaceCertified)
	b.ReportAllocs()
	for b.Loop() {
		c.Lookup(name, namespace)
	}
}
