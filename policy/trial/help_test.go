package trial

import (
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy"
	"sceau/policy/cedar"
)

const (
	ssin          = "urn:be:fgov:person:ssin"
	doctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"
	doctorNumber  = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
)

// start is when recorded decisions were made.
var start = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

// files gives the policies of docs/access-control.md, with some files otherwise; an empty one is left out.
func files(t testing.TB, changes map[string]string) fs.FS {
	t.Helper()
	examples := os.DirFS(filepath.Join("..", "cedar", "testdata", "examples"))
	all := fstest.MapFS{}
	entries, err := fs.ReadDir(examples, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := fs.ReadFile(examples, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = &fstest.MapFile{Data: content}
	}
	for name, text := range changes {
		if text == "" {
			delete(all, name)
		} else {
			all[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return all
}

func opener(files fs.FS) Opener {
	return func(a cedar.Attributes) (policy.PDP, error) {
		return cedar.Load(cedar.Config{Files: files, Catalogue: attrs.EHealth(), Attributes: a})
	}
}

func candidate(t testing.TB, open Opener) Candidate {
	t.Helper()
	pdp, err := open(&Facts{})
	if err != nil {
		t.Fatal(err)
	}
	words, err := WordsOf(pdp)
	if err != nil {
		t.Fatal(err)
	}
	return Candidate{open, words, attrs.EHealth()}
}

// policies gives the examples, changed, as a candidate.
func policies(t testing.TB, changes map[string]string) Candidate {
	t.Helper()
	all := files(t, changes)
	return candidate(t, opener(all))
}

// ruleFile gives a rule file as a candidate.
func ruleFile(t testing.TB, text string) Candidate {
	t.Helper()
	files := fstest.MapFS{"rules.yaml": {Data: []byte(text)}}
	return candidate(t, func(cedar.Attributes) (policy.PDP, error) {
		file, err := files.Open("rules.yaml")
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return policy.Load(file, attrs.EHealth())
	})
}

// key is that of the trail of the tests.
func key(t testing.TB) audit.Key {
	t.Helper()
	k, err := audit.NewKey([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pseudonym(t testing.TB, kind, value string) string {
	return key(t).Pseudonym(audit.Identifier{Type: kind, Value: value}).String()
}

// An asked is an attribute of a recorded release, and what became of it.
type asked struct{ name, disposition, rule string }

// release writes one as the trail has it.
func release(t testing.TB, id, mode string, signer, holder policy.Requestor, attributes ...asked) *audit.Entry {
	t.Helper()
	e := &audit.Entry{Kind: "event", ID: id, Time: start, Service: "saml11", Mode: mode}
	for _, side := range []struct {
		of policy.Requestor
		to *audit.PartyEntry
	}{{signer, &e.Identity}, {holder, &e.Holder}} {
		*side.to = audit.PartyEntry{Kind: side.of.Kind, Type: side.of.IdentifierType, Pseudonym: pseudonym(t, side.of.IdentifierType, side.of.Identifier)}
	}
	for _, a := range attributes {
		d, ok := Attribute(attrs.EHealth(), a.name)
		if !ok {
			t.Fatal(a.name)
		}
		e.Attributes = append(e.Attributes, audit.AttributeEntry{Name: d.Name, Namespace: d.Namespace, Disposition: a.disposition, Rule: a.rule})
	}
	return e
}

// question writes one as the trail has it; policies are those that permitted it.
func question(t testing.TB, id, subjectType, subject, action, resourceType, resource, policies string) *audit.Entry {
	t.Helper()
	e := &audit.Entry{
		Kind: "event", ID: id, Time: start, Service: "authzen", Operation: "evaluation", Client: "dtw", Action: action, Policies: policies,
		Subject:  audit.IdentifierEntry{Type: subjectType, Pseudonym: pseudonym(t, subjectType, subject)},
		Resource: audit.ResourceEntry{Type: resourceType, Name: resource}, Outcome: "success",
	}
	if policies == "" {
		e.Outcome = "refused"
	}
	return e
}

func trail(entries ...*audit.Entry) iter.Seq2[*audit.Entry, error] {
	return func(yield func(*audit.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}
