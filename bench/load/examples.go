package main

import (
	"embed"
	"path"
	"strings"
)

//go:embed scenarios/*.yaml
var examples embed.FS

// exampleText gives an example by its name, with or without .yaml.
func exampleText(name string) ([]byte, bool) {
	text, err := examples.ReadFile(path.Join("scenarios", strings.TrimSuffix(name, ".yaml")+".yaml"))
	return text, err == nil
}

// exampleNames lists the examples, in the order of their names.
func exampleNames() ([]string, error) {
	entries, err := examples.ReadDir("scenarios")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names, nil
}
