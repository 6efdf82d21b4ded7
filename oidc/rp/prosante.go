package rp

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"sceau/oidc/authn"
)

// ProSante is what Pro Santé Connect says of a professional (scope_all). Empty strings are what it does not say.
type ProSante struct {
	NameID                               string // SubjectNameID: the national identifier; "8" and the RPPS number, or another kind's
	PreferredUsername                    string
	GivenName, FamilyName, Civility      string
	Email                                string
	Roles                                []Coded // SubjectRole: profession, "10" of 1.2.250.1.213.1.1.5.5
	Organization, OrganizationID         string  // SubjectOrganization, SubjectOrganizationID: where he works just now
	Sector                               Coded   // Secteur_Activite
	Level                                Coded   // Palier_Authentification; the same for a card and for a telephone
	Mode                                 string  // authMode: "CARD" is a CPx card
	AccessReason                         string  // Mode_Acces_Raison
	MedicalRegulation                    string  // Acces_Regulation_Medicale
	InterchangeVersion, LocalIdentifiers string  // UITVersion, PSI_Locale
	OtherIDs                             []OtherID
	Practice                             Practice // SubjectRefPro
}

// Coded is a code and the object identifier of its list, as "10^1.2.250.1.213.1.1.5.5".
type Coded struct{ Code, List string }

func (c Coded) String() string {
	if c == (Coded{}) {
		return ""
	}
	return c.Code + "^" + c.List
}

// ParseCoded reads a code of a list.
func ParseCoded(s string) (Coded, error) {
	code, list, ok := strings.Cut(s, "^")
	if !ok || code == "" || len(s) > 256 || !isOID(list) || strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Coded{}, errors.New("rp: no code of a list")
	}
	return Coded{code, list}, nil
}

// isOID says whether a text is an object identifier in numbers.
func isOID(s string) bool {
	arcs := strings.Split(s, ".")
	return len(arcs) > 1 && len(s) <= 128 && !slices.ContainsFunc(arcs, func(arc string) bool {
		return arc == "" || len(arc) > 1 && arc[0] == '0' || !isDigits(arc)
	})
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// An OtherID is one more identifier of the professional, of the register Origin ("RPPS", "ADELI").
type OtherID struct {
	Identifier string `json:"identifiant"`
	Origin     string `json:"origine"`
	Quality    Scalar `json:"qualite"`
}

// A Scalar is text that some write as a number.
type Scalar string

// UnmarshalJSON takes a string, a number or null.
func (s *Scalar) UnmarshalJSON(text []byte) error {
	var n json.Number
	if json.Unmarshal(text, (*string)(s)) == nil {
		return nil
	}
	err := json.Unmarshal(text, &n)
	*s = Scalar(n)
	return err
}

// Practice is the professional in the register: each profession that he exercises, and where.
type Practice struct {
	Civility    string       `json:"codeCivilite"`
	Professions []Profession `json:"exercices"`
}

// A Profession is one that he exercises.
type Profession struct {
	Code       string     `json:"codeProfession"`
	Category   string     `json:"codeCategorieProfessionnelle"`
	Civility   string     `json:"codeCiviliteDexercice"`
	FamilyName string     `json:"nomDexercice"`
	GivenName  string     `json:"prenomDexercice"`
	SkillType  string     `json:"codeTypeSavoirFaire"`
	Skill      string     `json:"codeSavoirFaire"`
	Activities []Activity `json:"activities"`
}

// An Activity is where, and in what function, he exercises it.
type Activity struct {
	Mode            string `json:"codeModeExercice"`
	Sector          string `json:"codeSecteurDactivite"`
	PharmacySection string `json:"codeSectionPharmacien"`
	Role            string `json:"codeRole"`
	Kind            string `json:"codeGenreActivite"`
	SIRET           string `json:"numeroSiretSite"`
	SIREN           string `json:"numeroSirenSite"`
	FINESS          string `json:"numeroFinessSite"`
	LegalFINESS     string `json:"numeroFinessetablissementJuridique"`
	StructureID     string `json:"identifiantTechniqueDeLaStructure"`
	FormerID        string `json:"ancienIdentifiantDeLaStructure"`
	Name            string `json:"raisonSocialeSite"`
	CommercialName  string `json:"enseigneCommercialeSite"`
	PostalCode      string `json:"codePostal"`
	Municipality    string `json:"codeCommune"`
	Country         string `json:"codePays"`
	Department      string `json:"codeDepartement"`
	RegisteringBody string `json:"autoriteDenregistrement"`
}

// maxNational is the longest national identifier.
const maxNational = 64

// ParseProSante reads the claims of a login at Pro Santé Connect. What is there must be what it is to be: a claim of another kind,
// or a code without its list, is an error, and not as if nothing had been said. SubjectNameID must be there.
func ParseProSante(c Claims) (*ProSante, error) {
	s := new(ProSante)
	for name, into := range map[string]*string{"SubjectNameID": &s.NameID, "preferred_username": &s.PreferredUsername, "given_name": &s.GivenName,
		"family_name": &s.FamilyName, "email": &s.Email, "codeCivilite": &s.Civility, "SubjectOrganization": &s.Organization,
		"SubjectOrganizationID": &s.OrganizationID, "authMode": &s.Mode, "Mode_Acces_Raison": &s.AccessReason,
		"Acces_Regulation_Medicale": &s.MedicalRegulation, "UITVersion": &s.InterchangeVersion, "PSI_Locale": &s.LocalIdentifiers} {
		if !c.optional(name, into) {
			return nil, errors.New("rp: " + name + " is no text")
		}
	}
	for name, into := range map[string]*Coded{"Secteur_Activite": &s.Sector, "Palier_Authentification": &s.Level} {
		var text string
		if !c.optional(name, &text) {
			return nil, errors.New("rp: " + name + " is no text")
		}
		if text == "" {
			continue
		}
		var err error
		if *into, err = ParseCoded(text); err != nil {
			return nil, errors.New("rp: " + name + " is no code of a list")
		}
	}
	if err := s.roles(c); err != nil {
		return nil, err
	}
	ids := "otherIds"
	if !c.Has(ids) {
		ids = "otherIDs" // both are met with
	}
	if !c.optional(ids, &s.OtherIDs) {
		return nil, errors.New("rp: " + ids + " is no list of identifiers")
	}
	if !c.optional("SubjectRefPro", &s.Practice) {
		return nil, errors.New("rp: SubjectRefPro is not what it must be")
	}
	if s.Civility == "" {
		s.Civility = s.Practice.Civility
	}
	if s.NameID == "" || len(s.NameID) > maxNational || strings.ContainsFunc(s.NameID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("rp: SubjectNameID")
	}
	return s, nil
}

// optional reads a claim that need not be there, nor say anything (null); it says false where the claim is of another kind.
func (c Claims) optional(name string, into any) bool {
	return !c.Has(name) || string(c.members[name]) == "null" || c.Decode(name, into)
}

func (s *ProSante) roles(c Claims) error {
	roles := c.Strings("SubjectRole")
	if empty := c.String("SubjectRole") == "" && len(roles) == 1; empty {
		roles = nil
	}
	var list []string
	if roles == nil && !c.optional("SubjectRole", &list) && !c.optional("SubjectRole", new(string)) {
		return errors.New("rp: SubjectRole is neither text nor a list of texts")
	}
	for _, text := range append(roles, list...) {
		if text == "" {
			continue
		}
		role, err := ParseCoded(text)
		if err != nil {
			return errors.New("rp: SubjectRole is no code of a list")
		}
		s.Roles = append(s.Roles, role)
	}
	return nil
}

// RPPS is the number in the register of professionals, where the national identifier is one: "8" and eleven digits.
func (s *ProSante) RPPS() string {
	if len(s.NameID) != 12 || s.NameID[0] != '8' || !isDigits(s.NameID) {
		return ""
	}
	return s.NameID[1:]
}

// Identifier names the person by his RPPS number, or by the national identifier where that is another.
func (s *ProSante) Identifier() authn.Identifier {
	if rpps := s.RPPS(); rpps != "" {
		return authn.Identifier{Type: "rpps", Value: rpps}
	}
	return authn.Identifier{Type: "nationalid", Value: s.NameID}
}

// Attributes gives what was said as identification attributes, by the names of the claims; those below SubjectRefPro by their path.
// A name without a value is not there. Values stand in the order of the claims, each once: which activity belongs to which
// profession is in Practice alone.
func (s *ProSante) Attributes() map[string][]string {
	all := map[string][]string{}
	add := func(name, value string) {
		if value != "" && !slices.Contains(all[name], value) {
			all[name] = append(all[name], value)
		}
	}
	for _, a := range [][2]string{{"SubjectNameID", s.NameID}, {"preferred_username", s.PreferredUsername}, {"given_name", s.GivenName},
		{"family_name", s.FamilyName}, {"email", s.Email}, {"codeCivilite", s.Civility}, {"SubjectOrganization", s.Organization},
		{"SubjectOrganizationID", s.OrganizationID}, {"Secteur_Activite", s.Sector.String()}, {"Palier_Authentification", s.Level.String()},
		{"authMode", s.Mode}, {"Mode_Acces_Raison", s.AccessReason}, {"Acces_Regulation_Medicale", s.MedicalRegulation},
		{"UITVersion", s.InterchangeVersion}, {"PSI_Locale", s.LocalIdentifiers}} {
		add(a[0], a[1])
	}
	for _, r := range s.Roles {
		add("SubjectRole", r.String())
	}
	for _, id := range s.OtherIDs {
		add("otherIds."+id.Origin, id.Identifier)
	}
	const path = "SubjectRefPro.exercices."
	for _, p := range s.Practice.Professions {
		for _, a := range [][2]string{{"codeProfession", p.Code}, {"codeCategorieProfessionnelle", p.Category}, {"nomDexercice", p.FamilyName},
			{"prenomDexercice", p.GivenName}, {"codeTypeSavoirFaire", p.SkillType}, {"codeSavoirFaire", p.Skill}} {
			add(path+a[0], a[1])
		}
		for _, w := range p.Activities {
			for _, a := range [][2]string{{"codeModeExercice", w.Mode}, {"codeSecteurDactivite", w.Sector}, {"codeSectionPharmacien", w.PharmacySection},
				{"codeRole", w.Role}, {"codeGenreActivite", w.Kind}, {"numeroSiretSite", w.SIRET}, {"numeroSirenSite", w.SIREN},
				{"numeroFinessSite", w.FINESS}, {"numeroFinessetablissementJuridique", w.LegalFINESS},
				{"identifiantTechniqueDeLaStructure", w.StructureID}, {"raisonSocialeSite", w.Name}} {
				add(path+"activities."+a[0], a[1])
			}
		}
	}
	return all
}
