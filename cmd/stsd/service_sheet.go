package main

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"sceau/attrs"
	"sceau/policy"
	"sceau/saml"
	"sceau/soap"
	"sceau/sts"
)

//go:embed service_sheet.md
var serviceSheet string

func serviceCommand() *cobra.Command {
	c := &cobra.Command{Use: "service", Short: "Tell applications what they need"}
	c.AddCommand(serviceSheetCommand())
	return c
}

func serviceSheetCommand() *cobra.Command {
	var path string
	var query bool
	c := &cobra.Command{
		Use:   "sheet APP --config FILE",
		Short: "Write the technical sheet of an application, in Markdown",
		Long: `Sheet writes what the makers of an application need: the attributes of a profile of
the policy in force, who may have them, addresses, certificates, first test cases with
their message, and the test procedure. APP is the name of the profile.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := &problems{file: path}
			var s *system
			if config := readConfig(path, p); config != nil {
				s = prepare(config, p, slog.New(slog.DiscardHandler), true)
			}
			if err := p.err(); err != nil {
				return err
			}
			defer s.close()
			sheet, err := s.sheet(args[0])
			if err != nil {
				return err
			}
			if query {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), sheet.Query)
				return err
			}
			return sheet.write(cmd.OutOrStdout())
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&query, "query", false, "write the query of the test cases and nothing else")
	return c
}

// A sheet is what the template shows.
type sheet struct {
	Name, Description, Environment, Made string
	URL, Base, Metadata, Issuer          string
	Maximum, Fallback                    string // Fallback empty: not in fallback
	Attributes                           []sheetAttribute
	Grants                               []string
	Decided                              string // who decides, where rules cannot be listed
	Trust                                []sheetTrust
	Certificates                         string
	Values                               []sheetValue
	Query                                string
	Cases                                []sheetCase
}

type sheetAttribute struct {
	Name, Namespace, Kind, Of, Title string
	Certified                        bool
}

type sheetTrust struct{ Role, Kind, Roots string }

// A sheetValue is an identification attribute of the query, and in which braces its value stands.
type sheetValue struct {
	Brace, Name, Of string
	proven          bool // by a certificate
}

// A sheetCase is a first test case: what is sent, and what is answered.
type sheetCase struct{ What, Answer string }

// sheet gathers the sheet of a profile.
func (s *system) sheet(name string) (*sheet, error) {
	profiles := s.profiles()
	i := slices.IndexFunc(profiles, func(p policy.Profile) bool { return p.Name == name })
	if i < 0 {
		var names []string
		for _, p := range profiles {
			names = append(names, p.Name)
		}
		return nil, fmt.Errorf("no profile %q in the policy; there are: %s", name, strings.Join(names, ", "))
	}
	profile, c := &profiles[i], s.config
	out := &sheet{
		Name: profile.Name, Description: profile.Description, Environment: c.Environment.V, Made: s.now().UTC().Format("2006-01-02"),
		Base: s.base(), URL: s.base() + pathQuery, Metadata: pathMetadata, Issuer: sts.IssuerName, Maximum: profile.MaximumValidity.String(),
	}
	if profile.FallbackMaximumValidity > 0 {
		out.Fallback = profile.FallbackMaximumValidity.String()
	}
	for _, d := range profile.Attributes {
		out.Attributes = append(out.Attributes, sheetAttribute{Name: d.Name, Namespace: d.Namespace, Kind: d.Kind.String(), Of: provenBy(d), Title: d.Title, Certified: d.Certified()})
	}
	out.grants(s.rules, profile)
	for i := range c.Trust.Profiles {
		t := &c.Trust.Profiles[i]
		var roots []string
		for _, r := range t.Roots {
			roots = append(roots, r.V)
		}
		out.Trust = append(out.Trust, sheetTrust{Role: t.Role.V, Kind: t.Kind.V, Roots: strings.Join(roots, ", ")})
	}
	s.publish(s.now())
	out.Certificates = string(s.published.pem)
	if err := out.query(profile); err != nil {
		return nil, err
	}
	out.cases(s.outside(profiles))
	return out, nil
}

// profiles gives those of the policy, whichever engine it is for.
func (s *system) profiles() []policy.Profile {
	if listed, ok := s.rules.(interface{ Profiles() []policy.Profile }); ok {
		return listed.Profiles()
	}
	return nil
}

// grants tells which rules grant the profile, and which deny it.
func (s *sheet) grants(pdp policy.PDP, profile *policy.Profile) {
	s.Decided = "Policies in Cedar decide: ask for a decision, or see the policies."
	rules, ok := pdp.(*policy.Rules)
	if !ok {
		return
	}
	s.Decided = "No rule grants it."
	for _, r := range rules.Rules() {
		if !slices.Contains(r.Profiles, profile.Name) && !r.Everything {
			continue
		}
		text := "granted"
		if !r.Permit {
			text = "denied"
		}
		text += " by `" + r.ID + "`"
		if r.Description != "" {
			text += ": " + r.Description
		}
		text += asked("identity", &r.Identity) + asked("holder", &r.Holder)
		if len(r.Modes) > 0 {
			text += "; mode " + strings.Join(r.Modes, " or ")
		}
		s.Grants = append(s.Grants, text)
	}
}

// asked says what a rule asks of a certificate. Identifiers that it names are counted and
// not told: they may be people's.
func asked(what string, m *policy.Match) string {
	var said []string
	for _, list := range [][]string{m.Kinds, m.IdentifierTypes, m.IdentifierPrefixes} {
		if len(list) > 0 {
			said = append(said, strings.Join(list, " or "))
		}
	}
	if n := len(m.Identifiers); n > 0 {
		said = append(said, fmt.Sprintf("one of %d that the rule names", n))
	}
	if said == nil {
		return ""
	}
	return "; " + what + " " + strings.Join(said, ", ")
}

// query writes the samlp:Request of the test cases, by the writer that our client has.
func (s *sheet) query(profile *policy.Profile) error {
	now := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	end := now.Add(time.Hour)
	holder := []byte("the holder's certificate")
	q := saml.Query{
		RequestID: "request-UUID", AssertionID: "assertion-UUID", IssueInstant: now, NotBefore: now, NotOnOrAfter: end,
		Issuer: "{SUBJECT}", Subject: saml.Name{Subject: "{SUBJECT}", Issuer: "{ISSUER}"}, Holder: holder,
	}
	claim := func(d *attrs.Definition) {
		v := sheetValue{Brace: fmt.Sprintf("{VALUE-%d}", len(s.Values)+1), Name: d.Name, Of: provenBy(d), proven: d.Binding != attrs.BindingClaimed}
		s.Values = append(s.Values, v)
		q.Identification = append(q.Identification, saml.Statement{Name: d.Name, Namespace: d.Namespace, Values: []string{v.Brace}})
	}
	for _, certified := range []bool{false, true} { // identification first (wire document 2.2)
		for _, d := range profile.Attributes {
			if d.Certified() != certified {
				continue
			}
			if !certified {
				claim(d)
			}
			q.Designators = append(q.Designators, saml.Statement{Name: d.Name, Namespace: d.Namespace})
		}
	}
	if len(q.Identification) == 0 { // one must be claimed, though nobody asks for it
		d, _ := attrs.EHealth().Find(attrs.Designator{Name: attrs.PersonSSIN, Namespace: attrs.NamespaceIdentification})
		claim(d)
	}
	text, err := saml.AppendQuery(nil, &q, nil)
	if err != nil {
		return err
	}
	s.Query = strings.NewReplacer("request-UUID", "request-{UUID}", "assertion-UUID", "assertion-{UUID}", "2001-01-01T00:00:00.000Z", "{NOW}",
		"2001-01-01T01:00:00.000Z", "{END}", base64.StdEncoding.EncodeToString(holder), "{HOLDER}").Replace(string(text))
	return nil
}

// outside gives a certified attribute that is in no profile; empty when every one is in some.
func (s *system) outside(profiles []policy.Profile) string {
	for d := range s.catalogue.In(attrs.GroupPerson) {
		if d.Hidden || slices.ContainsFunc(profiles, func(p policy.Profile) bool { return slices.Contains(p.Attributes, d) }) {
			continue
		}
		return d.Name
	}
	return ""
}

// The test cases of every sheet; their test sends each.
const (
	caseGood      = "the query as it is"
	caseAgain     = "the same message again"
	caseStale     = "its Timestamp an hour old"
	caseAltered   = "a byte of the Body changed after signing"
	caseUnsigned  = "another holder than the identity, and no signature of his inside"
	caseWindow    = "`{NOW}` and `{END}` of Conditions a day ago"
	caseClaim     = "somebody else's value in "
	caseUnknown   = "a designator of an attribute that does not exist"
	caseForbidden = "a designator of "
)

func (s *sheet) cases(outside string) {
	fault := func(f soap.Fault) string { return fmt.Sprintf("fault `%s`, %s", f.Code.Local, f.SOA.Code) }
	failed := func(r soap.Reason) string { return fault(soap.FaultOf(&soap.Error{Reason: r})) }
	s.Cases = []sheetCase{
		{caseGood, "Success, an assertion with all attributes"},
		{caseAgain, failed(soap.Replayed)},
		{caseStale, failed(soap.Expired)},
		{caseAltered, failed(soap.BadSignature)},
		{caseUnsigned, sts.ConfirmationFailed.Message()},
		{caseWindow, sts.WindowInvalid.Message()},
		{caseUnknown, sts.AttributeUnknown.Message()},
	}
	if i := slices.IndexFunc(s.Values, func(v sheetValue) bool { return v.proven }); i >= 0 {
		s.Cases = append(s.Cases, sheetCase{caseClaim + "`" + s.Values[i].Brace + "`", sts.IdentificationFailed.Message()})
	}
	if outside != "" {
		s.Cases = append(s.Cases, sheetCase{caseForbidden + "`" + outside + "`", sts.AttributeDenied.Message()})
	}
}

func (s *sheet) write(w io.Writer) error {
	return template.Must(template.New("sheet").Parse(serviceSheet)).Execute(w, s)
}
