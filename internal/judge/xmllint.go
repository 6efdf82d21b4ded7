package judge

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// complaint is how xmllint begins the report of an error in file N.
var complaint = regexp.MustCompile(`(?m)^(?:\S*/)?(\d{6})\.xml:\d+: (?:parser|namespace) error : (.*)$`)

// WellFormed asks xmllint about each document. The answer is empty for one that it
// takes without an error, its complaints otherwise. Namespace errors count: xmllint
// itself reports them and goes on.
func WellFormed(t testing.TB, documents [][]byte) [][]string {
	t.Helper()
	program := Require(t, "xmllint")
	answers := make([][]string, len(documents))
	const batch = 200
	for from := 0; from < len(documents); from += batch {
		folder := t.TempDir()
		arguments := []string{"--noout", "--nonet"}
		for i := from; i < min(from+batch, len(documents)); i++ {
			name := filepath.Join(folder, fmt.Sprintf("%06d.xml", i))
			write(t, name, documents[i])
			arguments = append(arguments, name)
		}
		_, stderr, _ := run(t, program, arguments...)
		for _, m := range complaint.FindAllSubmatch(stderr, -1) {
			i, _ := strconv.Atoi(string(m[1]))
			answers[i] = append(answers[i], string(m[2]))
		}
	}
	return answers
}

// Exclusive returns the exclusive canonical form of a whole document by xmllint,
// which keeps comments. ok is false when xmllint makes none.
func Exclusive(t testing.TB, document []byte) (canonical []byte, ok bool) {
	t.Helper()
	program := Require(t, "xmllint")
	name := filepath.Join(t.TempDir(), "document.xml")
	write(t, name, document)
	stdout, stderr, status := run(t, program, "--nonet", "--exc-c14n", name)
	if status != 0 || bytes.Contains(stderr, []byte(" error : ")) {
		return nil, false
	}
	return stdout, true
}
