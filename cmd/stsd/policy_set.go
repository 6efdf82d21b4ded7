package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/policy"
	"sceau/policy/cedar"
	"sceau/policy/store"
	"sceau/policy/trial"
)

// What policy.engine may be.
const (
	policyRules = "rules"
	policyCedar = "cedar"
)

// Files of a set of policies that are not the engine's.
const (
	rulesFile       = "rules.yaml" // of engine rules
	definitionsFile = cedar.DefinitionsFile
)

// A policySet is policies as they lie somewhere: a rule file by itself, or a folder of files, in a directory or in a store.
type policySet struct {
	engine string
	files  fs.FS  // nil: a rule file by itself
	file   string // that rule file
	line   int    // of the configuration

	// Of a store: where that is, which version it is, and by what history.
	place   string
	version store.Version
	history *store.History
}

// open loads the policies. The error is a *policy.Error with everything that is wrong.
func (set *policySet) open(catalogue *attrs.Catalogue, from cedar.Attributes) (policy.PDP, error) {
	switch {
	case set.files == nil:
		file, err := os.Open(set.file)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return loadRules(file, catalogue)
	case set.engine == policyRules:
		if err := set.onlyRules(); err != nil {
			return nil, err
		}
		file, err := set.files.Open(rulesFile)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return loadRules(file, catalogue)
	}
	// Not the Policies themselves, which would be a PDP that is not nil and has none.
	policies, err := cedar.Load(cedar.Config{Files: set.files, Catalogue: catalogue, Attributes: from})
	if err != nil {
		return nil, err
	}
	return policies, nil
}

func loadRules(file io.Reader, catalogue *attrs.Catalogue) (policy.PDP, error) {
	rules, err := policy.Load(file, catalogue)
	if err != nil {
		return nil, err
	}
	return rules, nil
}

// onlyRules refuses files beside a rule file that somebody may take for rules.
func (set *policySet) onlyRules() error {
	entries, err := fs.ReadDir(set.files, ".")
	if err != nil {
		return &policy.Error{Reason: policy.Unreadable, Err: err}
	}
	var problems []policy.Problem
	for _, e := range entries {
		switch name := e.Name(); {
		case e.IsDir(), strings.HasPrefix(name, "."), name == rulesFile, name == definitionsFile, path.Ext(name) == ".md", path.Ext(name) == ".txt":
		default:
			problems = append(problems, policy.Problem{File: name, Text: "beside a rule file stand " + definitionsFile + ", and notes (*.md, *.txt)"})
		}
	}
	if len(problems) > 0 {
		return &policy.Error{Reason: policy.InvalidRules, Problems: problems}
	}
	return nil
}

// all gives the files as a bundle; of a rule file by itself that one.
func (set *policySet) all() (*store.Bundle, error) {
	if set.files != nil {
		return store.ReadBundle(set.files)
	}
	content, err := os.ReadFile(set.file)
	if err != nil {
		return nil, err
	}
	return store.NewBundle(map[string]string{rulesFile: string(content)})
}

// tests reads the tests that lie beside the policies.
func (set *policySet) tests(catalogue *attrs.Catalogue) ([]trial.Test, error) {
	if set.files == nil {
		return nil, nil
	}
	return trial.Load(set.files, catalogue)
}

// run runs them.
func (set *policySet) run(ctx context.Context, catalogue *attrs.Catalogue) ([]trial.Result, error) {
	tests, err := set.tests(catalogue)
	if err != nil || len(tests) == 0 {
		return nil, err
	}
	return trial.Run(ctx, tests, set.opener(catalogue))
}

func (set *policySet) opener(catalogue *attrs.Catalogue) trial.Opener {
	return func(from cedar.Attributes) (policy.PDP, error) { return set.open(catalogue, from) }
}

// hold refuses policies whose own tests do not hold.
func (set *policySet) hold(ctx context.Context, catalogue *attrs.Catalogue) error {
	results, err := set.run(ctx, catalogue)
	if err != nil {
		return err
	}
	if problems := trial.Problems(results); len(problems) > 0 {
		return &policy.Error{Reason: policy.InvalidRules, Err: errors.New("tests do not hold"), Problems: problems}
	}
	return nil
}

// definitions reads the attributes that the set defines.
func (set *policySet) definitions() ([]definitionConfig, error) {
	if set.files == nil {
		return nil, nil
	}
	content, err := fs.ReadFile(set.files, definitionsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []definitionConfig
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	err = decoder.Decode(&list)
	var wrong *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case errors.As(err, &wrong):
		p := &problems{}
		p.addTypes(wrong)
		var found []policy.Problem
		for _, one := range p.list {
			found = append(found, policy.Problem{File: definitionsFile, Line: one.line, Text: one.text})
		}
		return nil, &policy.Error{Reason: policy.InvalidRules, Problems: found}
	case err != nil:
		return nil, &policy.Error{Reason: policy.InvalidRules, Problems: []policy.Problem{{File: definitionsFile, Text: strings.TrimPrefix(err.Error(), "yaml: ")}}}
	}
	if decoder.Decode(new(yaml.Node)) == nil {
		return nil, &policy.Error{Reason: policy.InvalidRules, Problems: []policy.Problem{{File: definitionsFile, Text: "a second document in the file"}}}
	}
	for i := range list {
		list[i].file = definitionsFile
	}
	return list, nil
}

// String says which policies these are.
func (set *policySet) String() string {
	if set.history == nil {
		return "engine " + set.engine
	}
	return fmt.Sprintf("engine %s, version %d, content %s", set.engine, set.version.Number, set.version.Content)
}
