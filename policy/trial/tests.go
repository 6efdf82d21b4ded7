package trial

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/policy"
	"sceau/policy/cedar"
)

// Folder is where the tests of policies lie, beside them.
const Folder = "tests"

const maxFileBytes = 4 << 20

// usual is the instant of a test that names none.
var usual = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// A Test is one question with the answer that is expected.
type Test struct {
	File string
	Line int
	Name string

	question *cedar.Question        // or
	release  *policy.ReleaseRequest //
	facts    map[about]Fact

	permit    bool // of a question
	permitted []*attrs.Definition
	denied    []*attrs.Definition
	onDenied  string // "": not said
	validFor  time.Duration
	by        []string // nil: not said
}

// Load reads the tests beside some policies; none is no error. The error is a *policy.Error, with everything that is wrong.
func Load(files fs.FS, catalogue *attrs.Catalogue) ([]Test, error) {
	entries, err := fs.ReadDir(files, Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &policy.Error{Reason: policy.Unreadable, Err: err}
	}
	l := &loader{catalogue: catalogue}
	for _, e := range entries {
		name := path.Join(Folder, e.Name())
		switch extension := path.Ext(name); {
		case e.IsDir() || strings.HasPrefix(e.Name(), ".") || extension == ".md" || extension == ".txt":
		case extension != ".yaml":
			l.wrong(name, 0, "not a file of tests: *.yaml; notes are *.md or *.txt")
		default:
			l.file(files, name)
		}
	}
	if len(l.problems) > 0 {
		return nil, &policy.Error{Reason: policy.InvalidRules, Problems: l.problems}
	}
	return l.tests, nil
}

type loader struct {
	catalogue *attrs.Catalogue
	tests     []Test
	problems  []policy.Problem
}

func (l *loader) wrong(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, policy.Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) file(files fs.FS, name string) {
	content, err := fs.ReadFile(files, name)
	if err == nil && len(content) > maxFileBytes {
		err = fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	if err != nil {
		l.wrong(name, 0, "%v", err)
		return
	}
	var form fileForm
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&form); err != nil && !errors.Is(err, io.EOF) {
		l.yamlError(name, err)
		return
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.wrong(name, 0, "more than one document")
		return
	}
	lines := testLines(content)
	if len(form.Tests) == 0 {
		l.wrong(name, 0, "no test in it")
	}
	for i := range form.Tests {
		t := Test{File: name, Name: form.Tests[i].Name}
		if i < len(lines) {
			t.Line = lines[i]
		}
		l.test(&form.Tests[i], &t)
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line ([0-9]+): (.*)$`)

func (l *loader) yamlError(file string, err error) {
	texts := []string{err.Error()}
	if wrong := (*yaml.TypeError)(nil); errors.As(err, &wrong) {
		texts = wrong.Errors
	}
	for _, text := range texts {
		line := 0
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			line, _ = strconv.Atoi(m[1])
			text = m[2]
		}
		l.wrong(file, line, "%s", text)
	}
}

// testLines gives the line on which each test begins. The file was read before.
func testLines(content []byte) (lines []int) {
	var root yaml.Node
	if yaml.Unmarshal(content, &root) != nil || len(root.Content) != 1 {
		return nil
	}
	top := root.Content[0]
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value == "tests" {
			for _, item := range top.Content[i+1].Content {
				lines = append(lines, item.Line)
			}
		}
	}
	return lines
}

func (l *loader) test(form *testForm, t *Test) {
	before := len(l.problems)
	wrong := func(format string, args ...any) {
		l.wrong(t.File, t.Line, "test %s: %s", strconv.QuoteToASCII(t.Name), fmt.Sprintf(format, args...))
	}
	if t.Name == "" {
		wrong("no name")
	}
	if slices.ContainsFunc(l.tests, func(other Test) bool { return other.File == t.File && other.Name == t.Name }) {
		wrong("another has this name")
	}
	at := form.At
	if at.IsZero() {
		at = usual
	}
	t.by, t.facts = form.By, map[about]Fact{}
	subject := ""
	question := form.Subject != nil || form.Action != "" || form.Resource != nil || form.Context != nil
	release := form.Identity != nil || form.Holder != nil || form.Mode != "" || form.Attributes != nil
	switch {
	case question == release:
		wrong("either a question (subject, action, resource) or a release (identity, holder, attributes)")
		return
	case question:
		subject = l.question(form, t, at, wrong)
	default:
		subject = l.release(form, t, at, wrong)
	}
	l.facts(form.Facts, identifierOf(subject), t, wrong)
	for who, facts := range form.Others {
		l.facts(facts, identifierOf(who), t, wrong)
	}
	if len(l.problems) == before {
		l.tests = append(l.tests, *t)
	}
}

// identifierOf gives the value of TYPE=value.
func identifierOf(id string) string {
	if _, value, ok := strings.Cut(id, "="); ok {
		return value
	}
	return id
}

func (l *loader) question(form *testForm, t *Test, at time.Time, wrong func(string, ...any)) (subject string) {
	if form.Subject == nil || form.Action == "" || form.Resource == nil {
		wrong("a question has subject, action and resource")
		return ""
	}
	q := &cedar.Question{
		Subject: cedar.Entity{Type: form.Subject.Type, ID: form.Subject.ID, Properties: form.Subject.Properties},
		Action:  form.Action, At: at, Context: jsonObject(form.Context),
		Resource: cedar.Entity{Type: form.Resource.Type, ID: form.Resource.ID, Properties: jsonObject(form.Resource.Properties)},
	}
	if form.Subject.Kind != "" {
		q.Subject.Properties = map[string]any{"kind": form.Subject.Kind}
	}
	for _, e := range []*entityForm{form.Subject, form.Resource} {
		if e.Type == cedar.Person || e.Type == cedar.Organisation {
			named(e.Type, e.ID, wrong)
		}
	}
	t.question = q
	switch e := &form.Expect; {
	case e.word == "permit":
		t.permit = true
	case e.word != "deny" || len(e.Permitted)+len(e.Denied) > 0:
		wrong("expect is permit or deny")
	}
	return form.Subject.ID
}

// jsonObject makes of what YAML says what JSON would: times are texts, whole numbers floats.
func jsonObject(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	out := map[string]any{}
	for name, value := range m {
		out[name] = jsonValue(value)
	}
	return out
}

func jsonValue(value any) any {
	switch v := value.(type) {
	case int:
		return float64(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z")
	case map[string]any:
		return jsonObject(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = jsonValue(v[i])
		}
		return list
	}
	return value
}

func (l *loader) release(form *testForm, t *Test, at time.Time, wrong func(string, ...any)) (subject string) {
	if form.Identity == nil || len(form.Attributes) == 0 {
		wrong("a release has identity and attributes")
		return ""
	}
	if form.Holder == nil {
		form.Holder = form.Identity
	}
	named("identity", form.Identity.ID, wrong)
	named("holder", form.Holder.ID, wrong)
	r := &policy.ReleaseRequest{Identity: requestor(form.Identity), Holder: requestor(form.Holder), Mode: form.Mode, At: at}
	if r.Mode == "" {
		r.Mode = policy.ModeSession
	}
	r.Attributes = l.attributes(form.Attributes, wrong)
	t.release = r
	switch e := &form.Expect; {
	case e.word == "permit":
		t.permitted = r.Attributes
	case e.word == "deny":
		t.denied = r.Attributes
	case e.word != "" || len(e.Permitted)+len(e.Denied) == 0:
		wrong("expect is permit, deny, or which attributes are permitted and denied")
	default:
		t.permitted, t.denied = l.attributes(e.Permitted, wrong), l.attributes(e.Denied, wrong)
	}
	if t.onDenied = form.Expect.OnDenied; t.onDenied != "" && t.onDenied != "omit" && t.onDenied != "refuse" {
		wrong("on-denied is omit or refuse")
	}
	if text := form.Expect.ValidFor; text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			wrong("valid-for is a duration such as 12h")
		}
		t.validFor = d
	}
	for _, d := range slices.Concat(t.permitted, t.denied) {
		if !slices.Contains(r.Attributes, d) {
			wrong("%s is expected, and not asked for", d.Name)
		}
	}
	return form.Identity.ID
}

// named refuses an identifier without its type: no source would know of it, and every denial would hold.
func named(who, id string, wrong func(string, ...any)) {
	if t, _, ok := strings.Cut(id, "="); !ok || t == "" {
		wrong("%s: it is named TYPE=value", who)
	}
}

func requestor(p *partyForm) policy.Requestor {
	t, value, ok := strings.Cut(p.ID, "=")
	if !ok {
		t, value = "", p.ID
	}
	return policy.Requestor{Kind: p.Kind, IdentifierType: t, Identifier: value}
}

func (l *loader) attributes(names []string, wrong func(string, ...any)) (list []*attrs.Definition) {
	for _, name := range names {
		d, ok := Attribute(l.catalogue, name)
		if !ok {
			wrong("the catalogue has no %s", strconv.QuoteToASCII(name))
			continue
		}
		list = append(list, d)
	}
	return list
}

// Attribute finds an attribute by its name, which may have certified: or identification: before it; without, a certified one goes first.
func Attribute(catalogue *attrs.Catalogue, name string) (*attrs.Definition, bool) {
	namespaces := []string{attrs.NamespaceCertified, attrs.NamespaceIdentification}
	if rest, ok := strings.CutPrefix(name, "certified:"); ok {
		name, namespaces = rest, namespaces[:1]
	} else if rest, ok := strings.CutPrefix(name, "identification:"); ok {
		name, namespaces = rest, namespaces[1:]
	}
	for _, namespace := range namespaces {
		if d, ok := catalogue.Find(attrs.Designator{Name: name, Namespace: namespace}); ok {
			return d, true
		}
	}
	return nil, false
}

func (l *loader) facts(forms map[string]factForm, identifier string, t *Test, wrong func(string, ...any)) {
	for name, form := range forms {
		d, ok := Attribute(l.catalogue, name)
		if !ok || !d.Certified() {
			wrong("no source certifies %s", strconv.QuoteToASCII(name))
			continue
		}
		fact := Fact{State: attrs.Affirmed, Values: form.values, Until: form.Until}
		word := ""
		if len(form.values) == 1 {
			word = form.values[0]
		}
		switch {
		case word == "unknown":
			fact.State, fact.Values = attrs.Unknown, nil
		case d.Kind == attrs.Boolean && word == "true":
			fact.Values = nil
		case d.Kind == attrs.Boolean && word == "false":
			fact.State, fact.Values = attrs.Denied, nil
		case d.Kind == attrs.Boolean:
			wrong("%s is true, false or unknown", name)
		case len(form.values) == 0 || len(form.values) > 1 && !d.Multiple:
			wrong("%s has one value", name)
		}
		for _, value := range fact.Values {
			if !d.Kind.Valid(value) {
				wrong("%s: a value that it cannot have", name)
			}
		}
		t.facts[about{identifier, d.Name}] = fact
	}
}
