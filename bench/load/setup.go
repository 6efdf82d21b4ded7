package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"sceau/bench/load/message"
)

// stsdPackage is what is built where a scenario names no binary.
const stsdPackage = "sceau/cmd/stsd"

// queryPath is where stsd takes queries.
const queryPath = "/IAM/Saml11TokenService/v1"

// buildServer builds stsd from the module that the working folder is in.
func buildServer(ctx context.Context, into string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", into, stsdPackage)
	if said, err := build.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return cause(ctx)
		}
		return fmt.Errorf("stsd cannot be built here (%w): run the tool in the folder of the project, or say target.start.binary\n%s", err, indent(string(said)))
	}
	return nil
}

// setUpServer fills the folder of a server: its configuration and its registry.
func setUpServer(ctx context.Context, binary, dir string, pki *message.PKI, options message.ServerOptions, limits map[string]scalar) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := serverConfig(pki, options, limits)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "stsd.yaml"), text, 0o600); err != nil {
		return err
	}
	facts, err := filepath.Abs(filepath.Join(pki.Dir(), "registry.csv"))
	if err != nil {
		return err
	}
	load := exec.CommandContext(ctx, binary, "registry", "import", facts, "--db", "registry.db")
	load.Dir = dir
	if said, err := load.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return cause(ctx)
		}
		return fmt.Errorf("the server's registry cannot be filled: %w\n%s", err, indent(string(said)))
	}
	return nil
}

// serverConfig is the configuration that the PKI has for a server, with its limits, for a folder
// of its own: what lies in the PKI's folder is named by its whole path.
func serverConfig(pki *message.PKI, options message.ServerOptions, limits map[string]scalar) ([]byte, error) {
	text, err := pki.ServerConfig(options)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(pki.Dir())
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, fmt.Errorf("the PKI's configuration of a server: %w", err)
	}
	intoFolder(&document, folder)
	values := map[string]string{"limits.stop-timeout": "5s"} // less than the tool waits
	for key, value := range limits {
		values["limits."+key] = string(value)
	}
	for key, value := range values {
		if err := (place{&document}).set(key, value); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return yaml.Marshal(&document)
}

// intoFolder names the files of a PKI by their whole paths.
func intoFolder(n *yaml.Node, folder string) {
	if n.Kind == yaml.ScalarNode && (strings.HasPrefix(n.Value, "pki/") || n.Value == "policy.yaml") {
		n.Value = filepath.Join(folder, filepath.FromSlash(n.Value))
	}
	for _, c := range n.Content {
		intoFolder(c, folder)
	}
}

// lines are the last ones of a text from outside, each made safe.
func lines(text string) []string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	all = all[max(0, len(all)-lastLines):]
	for i, line := range all {
		all[i] = plain(line)
	}
	return all
}

// indented sets lines off from what the tool says.
func indented(lines []string) string { return "    " + strings.Join(lines, "\n    ") }

// indent sets the end of a text from outside off.
func indent(text string) string { return indented(lines(text)) }
