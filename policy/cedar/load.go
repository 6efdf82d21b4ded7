package cedar

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"sceau/attrs"
	"sceau/policy"
)

//go:embed platform.cedarschema
var platformSchema []byte

// PlatformSchema gives the schema that every directory builds on, in Cedar's own notation.
func PlatformSchema() string { return string(platformSchema) }

// Limits of a directory. It is the operator's own, yet a mistake in it should be told, not swallowed.
const (
	maxFiles     = 10_000
	maxFileBytes = 16 << 20
	maxWindow    = 31 * 24 * time.Hour
)

// Config says where policies come from.
type Config struct {
	// Files is the directory: *.cedar, *.cedarschema, *.json and profiles.yaml in it; nothing below it is read.
	Files     fs.FS
	Catalogue *attrs.Catalogue
	// Attributes answers for roles and for certified attributes that policies read. Nil is enough where none does.
	Attributes Attributes
}

// Load reads a directory of policies. The error is a *policy.Error: with Reason InvalidRules it holds everything that
// is wrong, in the order of files and lines.
func Load(c Config) (*Policies, error) {
	l := &loader{
		policies: &Policies{
			attributes: c.Attributes, catalogue: c.Catalogue, entities: engine.EntityMap{},
			roles: map[engine.EntityUID]*role{}, byID: map[engine.PolicyID]*rule{},
		},
		files: c.Files,
	}
	if c.Catalogue == nil || c.Files == nil {
		return nil, &policy.Error{Reason: policy.InvalidRules, Err: errors.New("no catalogue of attributes, or no directory")}
	}
	names, err := l.list()
	if err != nil {
		return nil, &policy.Error{Reason: policy.Unreadable, Err: err}
	}
	if routed, ok := c.Attributes.(interface{ Routed(*attrs.Definition) bool }); ok {
		l.routed = routed.Routed
	}
	if l.readSchema(names); len(l.problems) == 0 { // nothing can be held against a schema that is wrong
		l.readProfiles(names)
		l.readEntities(names)
		l.readPolicies(names)
	}
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, func(a, b policy.Problem) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
		})
		return nil, &policy.Error{Reason: policy.InvalidRules, Problems: l.problems}
	}
	l.policies.compile()
	return l.policies, nil
}

type loader struct {
	policies *Policies
	files    fs.FS
	problems []policy.Problem
	routed   func(*attrs.Definition) bool // whether a source is configured, where that is known
}

func (l *loader) wrong(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, policy.Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) warn(file string, line int, format string, args ...any) {
	l.policies.warnings = append(l.policies.warnings, policy.Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// list gives the files of the directory by name. What is of no known kind is a mistake: a policy in a file named
// otherwise would be missed, and it might forbid.
func (l *loader) list() ([]string, error) {
	entries, err := fs.ReadDir(l.files, ".")
	if err != nil {
		return nil, err
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("more than %d files", maxFiles)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		switch path.Ext(name) {
		case ".cedar", ".cedarschema", ".json":
			names = append(names, name)
		case ".md", ".txt":
		default:
			switch {
			case name == profilesFile:
				names = append(names, name)
			case name == DefinitionsFile: // whoever makes the catalogue reads it
			case e.IsDir() || strings.HasPrefix(name, "."):
			default:
				l.wrong(name, 0, "not a file of policies: *.cedar, *.cedarschema, *.json, %s; notes are *.md or *.txt", profilesFile)
			}
		}
	}
	return names, nil
}

func (l *loader) read(name string) ([]byte, bool) {
	info, err := fs.Stat(l.files, name)
	if err == nil && info.Size() > maxFileBytes {
		err = fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	var content []byte
	if err == nil {
		content, err = fs.ReadFile(l.files, name)
	}
	if err != nil {
		l.wrong(name, 0, "%v", err)
		return nil, false
	}
	return content, true
}

// readSchema joins the platform's schema and the directory's own.
func (l *loader) readSchema(names []string) {
	text := bytes.Clone(platformSchema)
	file := "the schema of the platform"
	for _, name := range names {
		if path.Ext(name) != ".cedarschema" {
			continue
		}
		content, ok := l.read(name)
		if !ok {
			return
		}
		var alone schema.Schema // told by itself, so that a mistake in it has its line
		alone.SetFilename(name)
		if err := alone.UnmarshalCedar(content); err != nil {
			l.wrong(name, lineOf(err), "%v", err)
			return
		}
		text, file = append(append(text, '\n'), content...), name
	}
	var all schema.Schema
	if err := all.UnmarshalCedar(text); err != nil {
		l.wrong(file, 0, "%v", err)
		return
	}
	resolved, err := all.Resolve()
	if err != nil {
		l.wrong(file, 0, "%v", err)
		return
	}
	l.policies.schema, l.policies.validator = resolved, validate.New(resolved, validate.WithStrict())
	for uid, action := range resolved.Actions {
		entity := action.Entity
		entity.UID = uid
		l.policies.entities[uid] = entity
	}
}

const profilesFile = "profiles.yaml"

// DefinitionsFile may lie beside policies: attributes that they bring along. Load is given the catalogue that has them.
const DefinitionsFile = "definitions.yaml"

// readProfiles reads the sets of attributes, as a rule file has them, and makes the entities of both.
func (l *loader) readProfiles(names []string) {
	p := l.policies
	parents := map[*attrs.Definition][]engine.EntityUID{}
	if slices.Contains(names, profilesFile) {
		content, ok := l.read(profilesFile)
		if !ok {
			return
		}
		rules, err := policy.Load(bytes.NewReader(content), p.catalogue)
		var wrong *policy.Error
		if errors.As(err, &wrong) {
			for _, problem := range wrong.Problems {
				l.wrong(profilesFile, problem.Line, "%s", problem.Text)
			}
			return
		}
		if err != nil {
			l.wrong(profilesFile, 0, "%v", err)
			return
		}
		if rules.HasExchanges() {
			l.wrong(profilesFile, 0, "exchange: rules stand in *.cedar")
		}
		if list := rules.Rules(); len(list) > 0 {
			l.wrong(profilesFile, list[0].Line, "rules stand in *.cedar")
		}
		p.profiles = rules.Profiles()
	}
	for i := range p.profiles {
		uid := engine.NewEntityUID(Profile, engine.String(p.profiles[i].Name))
		p.entities[uid] = engine.Entity{UID: uid}
		for _, d := range p.profiles[i].Attributes {
			parents[d] = append(parents[d], uid)
		}
	}
	for d := range p.catalogue.All() {
		uid := AttributeUID(d)
		p.entities[uid] = engine.Entity{UID: uid, Parents: engine.NewEntityUIDSet(parents[d]...), Attributes: engine.NewRecord(
			engine.RecordMap{"name": engine.String(d.Name), "namespace": engine.String(d.Namespace)})}
	}
}

// AttributeUID gives the entity of an attribute: Attribute::"certified:NAME" or Attribute::"identification:NAME".
func AttributeUID(d *attrs.Definition) engine.EntityUID {
	return engine.NewEntityUID(Attribute, engine.String(AttributeID(d.Designator)))
}

// AttributeID gives the id of that entity.
func AttributeID(d attrs.Designator) string {
	if d.Namespace == attrs.NamespaceCertified {
		return "certified:" + d.Name
	}
	return "identification:" + d.Name
}

// readPolicies reads every *.cedar file, in the order of names.
func (l *loader) readPolicies(names []string) {
	p := l.policies
	for _, name := range names {
		if path.Ext(name) != ".cedar" {
			continue
		}
		content, ok := l.read(name)
		if !ok {
			continue
		}
		list, err := engine.NewPolicyListFromBytes(name, content)
		if err != nil {
			l.wrong(name, lineOf(err), "no Cedar: %s", parserPlace.ReplaceAllString(err.Error(), ""))
			continue
		}
		for _, one := range list {
			r := rule{policy: one, order: len(p.rules), forbid: one.Effect() == engine.Forbid, file: name, line: one.Position().Line}
			l.annotations(&r)
			if err := p.validator.Policy("", (*internalast.Policy)(one.AST())); err != nil {
				l.wrong(name, r.line, "%s: %s", r.title(), strings.ReplaceAll(err.Error(), "\n", "; "))
			}
			l.mentions(&r)
			l.windows(&r)
			p.rules = append(p.rules, r)
		}
	}
	for i := range p.rules {
		r := &p.rules[i]
		if first := p.byID[engine.PolicyID(r.id)]; first != nil && r.id != "" {
			l.wrong(r.file, r.line, "%s: another policy has this id, in %s:%d", r.title(), first.file, first.line)
		}
		p.byID[engine.PolicyID(r.id)] = r
	}
}

func (r *rule) title() string {
	if r.id == "" {
		return "policy"
	}
	return "policy " + strconv.QuoteToASCII(r.id)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// annotations reads what the policy says of itself. An unknown one is a mistake: a window misspelled would not bound.
func (l *loader) annotations(r *rule) {
	known := r.policy.Annotations()
	for _, name := range slices.Sorted(annotationNames(known)) {
		text := string(known[types.AnnotationKey(name)])
		switch name {
		case "id":
			r.id = text
		case "description":
		case "on_denied":
			switch text {
			case "omit":
				r.onDenied = policy.Omit
			case "refuse":
			default:
				l.wrong(r.file, r.line, "@on_denied is refuse or omit")
			}
		case "maximum_validity":
			r.declared = l.duration(r, name, text)
		case "fallback_maximum_validity":
			r.declaredF = l.duration(r, name, text)
		default:
			l.wrong(r.file, r.line, "unknown annotation @%s", name)
		}
	}
	if !idForm.MatchString(r.id) {
		l.wrong(r.file, r.line, `a policy begins with @id("…"), a name of up to 64 letters, digits, and inside it - _ .`)
		r.id = ""
	}
}

func annotationNames(a engine.Annotations) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range a {
			if !yield(string(name)) {
				return
			}
		}
	}
}

func (l *loader) duration(r *rule, name, text string) time.Duration {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d <= 0 || d%time.Second != 0:
		l.wrong(r.file, r.line, "@%s: %s is not a duration in whole seconds above zero, such as 12h or 90m", name, strconv.QuoteToASCII(text))
	case d > maxWindow:
		l.wrong(r.file, r.line, "@%s: must not be above %s", name, maxWindow)
	case r.forbid:
		l.wrong(r.file, r.line, "@%s: a forbid has no window", name)
	default:
		return d
	}
	return 0
}

// windows finds how long what a permit releases may be valid: the maxima of the profile in the scope of its resource,
// shortened by annotations. A permit that may release an attribute and has neither is refused, and one that asks
// nothing of who asks.
func (l *loader) windows(r *rule) {
	if r.forbid {
		return
	}
	if !l.releases(r) {
		r.window = r.declared
		if r.declaredF > 0 || r.declared > 0 && !l.speaksOf(r, ExchangeToken) {
			l.wrong(r.file, r.line, "%s: a window is for %s and %s, that of fallback mode for the first alone", r.title(), ReleaseAttribute, ExchangeToken)
		}
		return
	}
	r.window, r.fallback = r.declared, r.declaredF
	if i := slices.IndexFunc(l.policies.profiles, func(p policy.Profile) bool { return p.Name == r.profile }); i >= 0 && r.profile != "" {
		profile := &l.policies.profiles[i]
		r.window = shorter(r.window, profile.MaximumValidity)
		r.fallback = shorter(r.fallback, profile.FallbackMaximumValidity)
		if profile.FallbackMaximumValidity == 0 {
			r.fallback = 0 // the profile cannot be had in fallback mode
		}
	}
	switch {
	case r.window == 0:
		l.wrong(r.file, r.line, "%s: name a profile (resource in Profile::\"…\") or give @maximum_validity", r.title())
	case r.fallback > r.window:
		l.wrong(r.file, r.line, "%s: the window of fallback mode is longer than the other", r.title())
	}
	ast := r.policy.AST()
	if _, all := (*internalast.Policy)(ast).Principal.(internalast.ScopeTypeAll); all && len((*internalast.Policy)(ast).Conditions) == 0 {
		l.wrong(r.file, r.line, "%s: it releases attributes to everybody: say who the principal is", r.title())
	}
}

// shorter gives the shorter of two windows, where zero is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

var errorLine = regexp.MustCompile(`:([0-9]+):[0-9]+`)

// parserPlace is how the engine says where it stopped; the line is told otherwise.
var parserPlace = regexp.MustCompile(`^parser error: parse error at <input>:[0-9]+:[0-9]+ `)

// lineOf reads the line out of an error of the engine, which has it in its text only.
func lineOf(err error) int {
	if m := errorLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		return line
	}
	return 0
}
