package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// written makes a closed journal of three files and gives its head.
func written(t testing.TB) (*memory, Anchor) {
	t.Helper()
	files := newMemory()
	c := testConfig(t, files)
	c.MaxFileBytes = minFileBytes
	j := mustOpen(t, c)
	for n := 1; files.files[fileName(3)] == nil || len(files.files[fileName(3)].content) < 2000; n++ {
		record(t, j, smallEvent(n))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	head := j.Head()
	mustBeIntact(t, files, head)
	return files, head
}

// change takes a file apart for a change and puts it together again.
func (m *memory) change(name string, change func(lines [][]byte) [][]byte) {
	file := m.files[name]
	lines := bytes.SplitAfter(slices.Clone(file.content), []byte("\n"))
	file.content = bytes.Join(change(lines[:len(lines)-1]), nil)
}

// forge makes a record that has a right hash after the given line.
func forge(after []byte, seq uint64) []byte {
	l, _ := parseLine(bytes.TrimSuffix(after, []byte("\n")))
	c := chain{link: link{seq: seq - 1, hash: l.hash}, digest: sha256.New()}
	return c.appendLine(nil, []byte(`"kind":"event"`), 1)
}

func TestTamperingIsFound(t *testing.T) {
	one, two, three := fileName(1), fileName(2), fileName(3)
	tests := []struct {
		name   string
		tamper func(m *memory)
		want   []FindingKind
	}{
		{"a refusal becomes a success", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte {
				l[4] = bytes.Replace(l[4], []byte(`"refused"`), []byte(`"success"`), 1)
				return l
			})
		}, []FindingKind{Changed}},
		{"a changed record with its own hash made right", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { l[4] = forge(l[3], seqOf(l[4])); return l })
		}, []FindingKind{Changed}}, // the next one shows it
		{"the hash of a record", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { l[4][len(l[4])-10] ^= 1; return l })
		}, nil},
		{"a space that means nothing to JSON", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte {
				l[4] = bytes.Replace(l[4], []byte(`,"kind"`), []byte(`, "kind"`), 1)
				return l
			})
		}, []FindingKind{Changed}},
		{"a space after the record", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte {
				l[4] = bytes.Replace(l[4], []byte("}\n"), []byte("} \n"), 1)
				return l
			})
		}, []FindingKind{MalformedLine}},
		{"an empty line", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { return slices.Insert(l, 5, []byte("\n")) })
		}, []FindingKind{MalformedLine}},
		{"a line removed", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { return slices.Delete(l, 4, 5) })
		}, []FindingKind{Missing}},
		{"three lines removed", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { return slices.Delete(l, 4, 7) })
		}, []FindingKind{Missing}},
		{"a line removed and the next renumbered", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte {
				l[5] = forge(l[3], seqOf(l[4]))
				return slices.Delete(l, 4, 5)
			})
		}, []FindingKind{Missing}},
		{"last lines of a file in the middle removed", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { return l[:len(l)-2] })
		}, []FindingKind{Missing}},
		{"first line of a file removed", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { return l[1:] })
		}, nil},
		{"first line of the journal removed", func(m *memory) {
			m.change(one, func(l [][]byte) [][]byte { return l[1:] })
		}, nil},
		{"a line twice", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { return slices.Insert(l, 5, l[4]) })
		}, []FindingKind{Misplaced}},
		{"an older line again (replayed)", func(m *memory) {
			m.change(three, func(l [][]byte) [][]byte { return append(l, l[2]) })
		}, []FindingKind{Misplaced}},
		{"two lines exchanged", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { l[4], l[5] = l[5], l[4]; return l })
		}, nil},
		{"a line inserted, its hash made right", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte { return slices.Insert(l, 5, forge(l[4], seqOf(l[5]))) })
		}, nil},
		{"a first record in the middle", func(m *memory) {
			first := bytes.SplitAfter(m.files[one].content, []byte("\n"))[0]
			m.change(two, func(l [][]byte) [][]byte { return slices.Insert(l, 5, first) })
		}, nil},
		{"a file in the middle removed", func(m *memory) { delete(m.files, two) }, []FindingKind{MissingFile, Missing}},
		{"two files exchanged", func(m *memory) { m.files[one], m.files[two] = m.files[two], m.files[one] }, nil},
		{"a file twice", func(m *memory) { m.files[fileName(4)] = m.files[three] }, nil},
		{"a file emptied", func(m *memory) { m.files[two].content = nil }, []FindingKind{Missing}},
		{"a file of another journal", func(m *memory) {
			other, _ := written(t)
			m.files[two] = other.files[two]
		}, nil},
		{"the number of a file", func(m *memory) {
			m.change(two, func(l [][]byte) [][]byte {
				l[0] = bytes.Replace(l[0], []byte(`"file":2`), []byte(`"file":3`), 1)
				return l
			})
		}, nil},
		{"the line end at the end", func(m *memory) { m.files[three].content = bytes.TrimSuffix(m.files[three].content, []byte("\n")) }, []FindingKind{Unfinished}},
		{"the end of a file in the middle torn", func(m *memory) {
			m.files[one].content = m.files[one].content[:len(m.files[one].content)-20]
		}, []FindingKind{Unfinished, Missing}},
		{"noise at the end", func(m *memory) {
			m.files[three].content = append(m.files[three].content, "\x00\x00\x00\x00"...)
		}, []FindingKind{Unfinished}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files, _ := written(t)
			test.tamper(files)
			report := mustVerify(t, files)
			if report.Intact() {
				t.Fatal("not found")
			}
			var kinds []FindingKind
			for _, f := range report.Findings {
				kinds = append(kinds, f.Kind)
				if f.File == "" || f.String() == "" {
					t.Errorf("no place: %+v", f)
				}
			}
			if test.want != nil && !slices.Equal(kinds, test.want) {
				t.Errorf("found %v, want %v", report.Findings, test.want)
			}
			if len(kinds) > 4 {
				t.Errorf("one change gives %d findings: %v", len(kinds), report.Findings)
			}
		})
	}
}

func seqOf(text []byte) uint64 {
	l, _ := parseLine(bytes.TrimSuffix(text, []byte("\n")))
	return l.seq
}

// What only an anchor shows: the chain needs no secret.
func TestAnchorsShowWhatTheChainCannot(t *testing.T) {
	t.Run("the end cut off", func(t *testing.T) {
		files, head := written(t)
		files.change(fileName(3), func(l [][]byte) [][]byte { return l[:len(l)-1] })
		mustBeIntact(t, files) // said plainly in the package comment
		mustFind(t, mustVerify(t, files, head), Truncated)
	})
	t.Run("the last file removed", func(t *testing.T) {
		files, head := written(t)
		delete(files.files, fileName(3))
		mustBeIntact(t, files)
		mustFind(t, mustVerify(t, files, head), Truncated)
	})
	t.Run("everything removed", func(t *testing.T) {
		_, head := written(t)
		mustFind(t, mustVerify(t, newMemory(), head), Truncated)
	})
	t.Run("the end written anew", func(t *testing.T) {
		files, head := written(t)
		files.change(fileName(3), func(l [][]byte) [][]byte {
			l[len(l)-1] = forge(l[len(l)-2], head.Seq)
			return l
		})
		mustBeIntact(t, files)
		mustFind(t, mustVerify(t, files, head), AnchorMismatch)
	})
	t.Run("another journal in its place", func(t *testing.T) {
		_, head := written(t)
		files, _ := written(t)
		mustFind(t, mustVerify(t, files, head), AnchorMismatch)
	})
	t.Run("older files archived", func(t *testing.T) {
		files, head := written(t)
		l, _ := parseLine(bytes.TrimSuffix(lastLine(files.files[fileName(1)].content), []byte("\n")))
		archived := Anchor{Journal: head.Journal, Seq: l.seq, Hash: l.hash}
		early := Anchor{Journal: head.Journal, Seq: 3}
		delete(files.files, fileName(1))
		report := mustBeIntact(t, files, head, archived, early)
		if report.Before != archived || len(report.Unchecked) != 1 || report.Unchecked[0] != early {
			t.Errorf("%+v", report)
		}
		archived.Hash[0] ^= 1
		mustFind(t, mustVerify(t, files, archived), AnchorMismatch)
	})
}

func lastLine(content []byte) []byte {
	lines := bytes.SplitAfter(content, []byte("\n"))
	return lines[len(lines)-2]
}

func mustFind(t *testing.T, report Report, kind FindingKind) {
	t.Helper()
	if len(report.Findings) != 1 || report.Findings[0].Kind != kind {
		t.Errorf("found %v, want %v", report.Findings, kind)
	}
}

// Every single-byte change in a journal of random events is found.
func TestEveryByteCounts(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		where := filepath.Join(dir, fmt.Sprint(run))
		j, err := Open(Config{Dir: where, Key: testKey(t), Logger: quiet(), MaxFileBytes: minFileBytes})
		if err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 12).Draw(rt, "events") {
			record(t, j, anyEvent().Draw(rt, "event"))
		}
		j.Close()
		if report, err := Verify(where, j.Head()); err != nil || !report.Intact() {
			rt.Fatalf("%v, %v", report.Findings, err)
		}
		// The bytes are then changed in memory: it is the same journal.
		files := newMemory()
		numbers, _, _ := fileNumbers(directory(where))
		for _, number := range numbers {
			content, err := os.ReadFile(filepath.Join(where, fileName(number)))
			if err != nil {
				rt.Fatal(err)
			}
			files.files[fileName(number)] = &memoryFile{content: content}
		}
		file := files.files[fileName(rapid.SampledFrom(numbers).Draw(rt, "file"))]
		at := rapid.IntRange(0, len(file.content)-1).Draw(rt, "at")
		flip := rapid.ByteRange(1, 255).Draw(rt, "flip")
		file.content[at] ^= flip
		if report, err := verify(files, nil); err != nil || report.Intact() {
			rt.Fatalf("byte %d changed by %#x: not found (%v)", at, flip, err)
		}
	})
}

// The same, of one small journal, for every byte and every bit.
func TestEveryBitOfAJournal(t *testing.T) {
	files := newMemory()
	j := mustOpen(t, testConfig(t, files))
	record(t, j, smallEvent(1), smallEvent(2))
	j.Close()
	content := files.files[fileName(1)].content
	last := len(content) - 1 // changing the last line end makes Verify wait for a writer: once is enough
	for at := range last {
		for bit := range 8 {
			content[at] ^= 1 << bit
			if mustVerify(t, files).Intact() {
				t.Fatalf("bit %d of byte %d: not found", bit, at)
			}
			content[at] ^= 1 << bit
		}
	}
	content[last] ^= 1
	mustFind(t, mustVerify(t, files), Unfinished)
}

// Open must not go on from a journal that was tampered with: it would cut off evidence.
func TestOpenRefusesWhatATearCannotExplain(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(m *memory)
	}{
		{"a record changed", func(m *memory) {
			m.change(fileName(3), func(l [][]byte) [][]byte { l[2][20] ^= 1; return l })
		}},
		{"a record removed", func(m *memory) {
			m.change(fileName(3), func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) })
		}},
		{"the first record changed", func(m *memory) {
			m.change(fileName(3), func(l [][]byte) [][]byte { l[0][20] ^= 1; return l })
		}},
		{"all files but the last removed, and its first record", func(m *memory) {
			delete(m.files, fileName(1))
			delete(m.files, fileName(2))
			m.change(fileName(3), func(l [][]byte) [][]byte { return l[1:] })
		}},
		{"the file before a fresh one torn", func(m *memory) {
			m.files[fileName(4)] = &memoryFile{}
			m.files[fileName(3)].content = m.files[fileName(3)].content[:len(m.files[fileName(3)].content)-7]
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files, _ := written(t)
			test.tamper(files)
			before := len(files.files)
			contents := string(files.files[fileName(3)].content)
			if _, err := Open(testConfig(t, files)); reasonOf(err) != Broken {
				t.Errorf("got %v", err)
			}
			if len(files.files) != before || string(files.files[fileName(3)].content) != contents {
				t.Error("Open changed the evidence")
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	files, head := written(f)
	content := files.files[fileName(1)].content
	f.Add(content, files.files[fileName(2)].content)
	f.Add(content[:len(content)/2], []byte("{}\n"))
	f.Add([]byte(`{"seq":1,"kind":"file"}`+"\n"), []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		files := newMemory()
		// A whole last line: an unfinished one makes Verify wait for its writer.
		files.files[fileName(1)] = &memoryFile{content: append(bytes.Clone(first), '\n')}
		files.files[fileName(2)] = &memoryFile{content: append(bytes.Clone(second), '\n')}
		report, err := verify(files, []Anchor{head})
		if err != nil {
			t.Fatal(err)
		}
		if report.Intact() && report.Head.Seq < head.Seq {
			t.Fatal("intact, and the anchor is beyond its end")
		}
		for _, err := range list(files, Query{Control: true}) {
			if err != nil && reasonOf(err) != Malformed {
				t.Fatal(err)
			}
		}
		if j, err := Open(Config{FileSystem: files, Key: Key{make([]byte, 32)}, Logger: quiet()}); err == nil {
			record(t, j, smallEvent(1))
			j.Close()
		} else if reasonOf(err) != Broken {
			t.Fatal(err)
		}
	})
}

func FuzzLine(f *testing.F) {
	files, _ := written(f)
	for line := range bytes.Lines(files.files[fileName(1)].content) {
		f.Add(bytes.TrimSuffix(line, []byte("\n")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, ok := parseLine(text)
		if !ok {
			return
		}
		// One record has one text: what was read is written as it was.
		hashed := l.hashed()
		again := append([]byte(nil), hashed...)
		again = append(again, hashKey...)
		again = append(again, hexOf(l.hash)...)
		again = append(again, lineEnd...)
		if !bytes.Equal(again, text) {
			t.Fatalf("%q became %q", text, again)
		}
	})
}

func FuzzAnchor(f *testing.F) {
	f.Add(Anchor{numbered(1), 7, [32]byte{1}}.String())
	f.Add("sceau-audit-1:::")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseAnchor(text); err == nil && a.String() != text {
			t.Fatalf("%q became %q", text, a)
		}
	})
}

// What was recorded before there were events of ServiceOIDC holds together as it did.
func TestJournalFromBeforeVerifies(t *testing.T) {
	const dir = "testdata/before-oidc"
	anchor, err := ParseAnchor("sceau-audit-1:08346b76b82e20cdd4229d6cb23377f1:15:904d046673a132923acb97de113cb44224c5ba11b87474345f19e7f1e16ac220")
	if err != nil {
		t.Fatal(err)
	}
	report, err := Verify(dir, anchor)
	if err != nil || !report.Intact() || report.Events != 12 || report.Files != 3 || len(report.Unchecked) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	for entry, err := range List(dir, Query{}) {
		if err != nil || entry.Subject.Pseudonym != testKey(t).Pseudonym(Identifier{"ssin", "00000000097"}).String() || entry.Attributes[0].Rule != "doctors" {
			t.Fatalf("%+v, %v", entry, err)
		}
	}
}
