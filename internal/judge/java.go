package judge

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

//go:embed Judge.java
var javaSource []byte

// A Java gathers questions to the JDK and asks them all in one run of a JVM.
type Java struct {
	t      testing.TB
	folder string
	files  int
	tasks  []string
	ran    bool
	answer []string
	outs   []string
}

// JDK returns a Java without questions. It needs the java of a JDK 17 or later,
// which compiles the program as it starts.
func JDK(t testing.TB) *Java {
	t.Helper()
	Require(t, "javac")
	Require(t, "java")
	return &Java{t: t, folder: t.TempDir()}
}

func (j *Java) file(data []byte) string {
	name := filepath.Join(j.folder, fmt.Sprintf("%06d", j.files))
	j.files++
	if data != nil {
		write(j.t, name, data)
	}
	return name
}

func (j *Java) task(out string, fields ...string) int {
	for _, f := range fields {
		if strings.ContainsAny(f, "\t\n") {
			j.t.Fatalf("a field of a question to the JDK has a tab or newline: %q", f)
		}
	}
	j.tasks = append(j.tasks, strings.Join(fields, "\t"))
	j.outs = append(j.outs, out)
	return len(j.tasks) - 1
}

// Verify asks whether the n-th ds:Signature of the document, counted from 0 in
// document order, verifies with a public key in PKIX DER form. It returns the
// number of the question.
func (j *Java) Verify(document, publicKeyDER []byte, n int) int {
	return j.task("", "verify", j.file(document), j.file(publicKeyDER), strconv.Itoa(n))
}

// Canonicalize asks for the exclusive canonical form without comments of the n-th
// element, counted from 0 in document order. omit is another element to leave out,
// or -1.
func (j *Java) Canonicalize(document []byte, n, omit int, prefixList string) int {
	out := j.file(nil)
	return j.task(out, "canonicalize", j.file(document), strconv.Itoa(n), strconv.Itoa(omit), strings.Join(strings.Fields(prefixList), " "), out)
}

// A JavaReference is what a signature made by the JDK refers to.
type JavaReference struct {
	ID         string
	Enveloped  bool
	Digest     string // algorithm identifier
	PrefixList string // of exclusive canonicalization; none when empty
}

// Sign asks for a ds:Signature as the last child of the n-th element. The private
// key is in PKCS #8 DER form, keyType "RSA" or "EC". prefix is that of the ds
// namespace, empty for the default one.
func (j *Java) Sign(document, privateKeyDER []byte, keyType, method, prefix, prefixList string, n int, references ...JavaReference) int {
	out := j.file(nil)
	fields := []string{"sign", j.file(document), j.file(privateKeyDER), keyType, method, prefix, prefixList, strconv.Itoa(n), out}
	for _, r := range references {
		fields = append(fields, r.ID, strconv.FormatBool(r.Enveloped), r.Digest, r.PrefixList)
	}
	return j.task(out, fields...)
}

// Run asks everything. It is called once, after the last question.
func (j *Java) Run() {
	j.t.Helper()
	if j.ran {
		j.t.Fatal("the JDK was asked already")
	}
	j.ran = true
	source := filepath.Join(j.folder, "Judge.java")
	write(j.t, source, javaSource)
	tasks := filepath.Join(j.folder, "tasks")
	write(j.t, tasks, []byte(strings.Join(j.tasks, "\n")+"\n"))
	stdout, stderr, status := run(j.t, Require(j.t, "java"), "-XX:TieredStopAtLevel=1",
		"--add-exports", "java.xml.crypto/com.sun.org.apache.xml.internal.security=ALL-UNNAMED",
		"--add-exports", "java.xml.crypto/com.sun.org.apache.xml.internal.security.c14n=ALL-UNNAMED",
		source, tasks)
	if status != 0 {
		j.t.Fatalf("java: status %d: %s", status, stderr)
	}
	j.answer = strings.Split(strings.TrimSuffix(string(stdout), "\n"), "\n")
	if len(j.answer) != len(j.tasks) {
		j.t.Fatalf("java: %d answers to %d questions: %s", len(j.answer), len(j.tasks), stderr)
	}
}

// Answer returns "ok" or what was wrong.
func (j *Java) Answer(question int) string { return j.answer[question] }

// Output returns what a Canonicalize or Sign question produced; ok is false when
// the answer is not "ok".
func (j *Java) Output(question int) (output []byte, ok bool) {
	j.t.Helper()
	if j.answer[question] != "ok" {
		return nil, false
	}
	return read(j.t, j.outs[question]), true
}
