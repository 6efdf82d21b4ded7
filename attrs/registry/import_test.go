package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sceau/attrs"
)

// said gives the problems of a report, one a line: line, column, rule.
func said(report Report) string {
	var all []string
	for _, p := range report.Problems {
		all = append(all, fmt.Sprintf("%d %s: %s", p.Line, p.Column, p.Rule))
	}
	return strings.Join(all, "\n")
}

func TestImportRefusesRows(t *testing.T) {
	const ssin = "ssin," + alice + ","
	tests := []struct {
		name string
		rows []string // after the header, from line 2 on
		want string
	}{
		{"wrong check digit of the subject", []string{"ssin,00000000098," + doctor + ",,true,,"}, "2 subject: not a valid subject of its type"},
		{"unknown type", []string{"SSIN," + alice + "," + doctor + ",,true,,"}, "2 subject_type: unknown type of subject"},
		{"no type", []string{"," + alice + "," + doctor + ",,true,,"}, "2 subject_type: unknown type of subject"},
		{"no subject", []string{"ssin,," + doctor + ",,true,,"}, "2 subject: not a valid subject of its type"},
		{"blank before", []string{"ssin, " + alice + "," + doctor + ",,true,,"}, "2 subject: not a valid subject of its type"},
		{"half a relation", []string{"nihii/ssin," + pharmacy + "," + titular + ",,true,,"}, "2 subject: not a valid subject of its type"},
		{"relation in the other order", []string{"nihii/ssin," + alice + "/" + pharmacy + "," + titular + ",,true,,"}, "2 subject: not a valid subject of its type"},
		{"wrong type for the attribute", []string{"nihii," + hospital + "," + doctor + ",,true,,"}, "2 subject_type: the attribute is not looked up by this type of subject"},
		{"unknown attribute", []string{ssin + "urn:x,,true,,"}, "2 attribute: unknown attribute"},
		{"attribute in another case", []string{ssin + strings.ToUpper(doctor) + ",,true,,"}, "2 attribute: unknown attribute"},
		{"unknown namespace", []string{ssin + doctor + ",urn:x,true,,"}, "2 attribute: unknown attribute"},
		{"identification attribute (H4)", []string{ssin + attrs.PersonSSIN + "," + attrs.NamespaceIdentification + "," + alice + ",,"}, "2 attribute: not an attribute that a source is asked for"},
		{"computed attribute", []string{ssin + attrs.UserSession + ",,true,,"}, "2 attribute: not an attribute that a source is asked for"},
		{"boolean in another case", []string{ssin + doctor + ",,TRUE,,"}, "2 value: not a valid value of the attribute's kind"},
		{"boolean as number", []string{ssin + doctor + ",,1,,"}, "2 value: not a valid value of the attribute's kind"},
		{"no value", []string{ssin + surname + ",,,,"}, "2 value: not a valid value of the attribute's kind"},
		{"wrong check digit of the value", []string{ssin + nihii11 + ",,71000041001,,"}, "2 value: not a valid value of the attribute's kind"},
		{"control character", []string{ssin + surname + ",,\"a\x1bb\",,"}, "2 value: not a valid value of the attribute's kind"},
		{"line break in a value", []string{ssin + surname + ",,\"a\nb\",,", ssin + "urn:x,,true,,"}, "2 value: not a valid value of the attribute's kind\n4 attribute: unknown attribute"},
		{"not UTF-8", []string{ssin + surname + ",,\xff,,"}, "2 value: not a valid value of the attribute's kind"},
		{"a date", []string{ssin + doctor + ",,true,2026-01-01,"}, "2 not_before: not a time"},
		{"a time without zone", []string{ssin + doctor + ",,true,2026-01-01T00:00:00,"}, "2 not_before: not a time"},
		{"a time with a blank", []string{ssin + doctor + ",,true,2026-01-01 00:00:00Z,"}, "2 not_before: not a time"},
		{"a comma in a time", []string{ssin + doctor + `,,true,"2026-01-01T00:00:00,5Z",`}, "2 not_before: not a time"},
		{"one digit of hour", []string{ssin + doctor + ",,true,2026-01-01T0:00:00Z,"}, "2 not_before: not a time"},
		{"offset of a day", []string{ssin + doctor + ",,true,2026-01-01T00:00:00+24:00,"}, "2 not_before: not a time"},
		{"nanoseconds", []string{ssin + doctor + ",,true,2026-01-01T00:00:00.000000001Z,"}, "2 not_before: not a time"},
		{"second 60", []string{ssin + doctor + ",,true,2026-01-01T00:00:60Z,"}, "2 not_before: not a time"},
		{"30 February", []string{ssin + doctor + ",,true,,2026-02-30T00:00:00Z"}, "2 not_on_or_after: not a time"},
		{"year 10000", []string{ssin + doctor + ",,true,,9999-12-31T23:59:59-01:00"}, "2 not_on_or_after: not a time"},
		{"the zero time", []string{ssin + doctor + ",,true,0001-01-01T00:00:00Z,"}, "2 not_before: not a time"},
		{"ends before it begins", []string{ssin + doctor + ",,true,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z"}, "2 not_on_or_after: ends before it begins"},
		{"ends when it begins", []string{ssin + doctor + ",,true,2026-01-01T00:00:00Z,2026-01-01T01:00:00+01:00"}, "2 not_on_or_after: ends before it begins"},
		{"everything at once", []string{"x,y,urn:z,,,a,b", "", "ssin,00000000098," + doctor + ",,maybe,,"},
			"2 subject_type: unknown type of subject\n2 attribute: unknown attribute\n2 not_before: not a time\n2 not_on_or_after: not a time\n" +
				"4 subject: not a valid subject of its type\n4 value: not a valid value of the attribute's kind"},
		{"too few cells", []string{"ssin", ssin + "urn:x,,true,,"}, "2 : not readable\n3 attribute: unknown attribute"},
		{"too many cells", []string{ssin + doctor + ",,true,,,"}, "2 : not readable"},
		{"a quote in a cell", []string{ssin + surname + `,,a"b,,`, "not,read"}, "2 : not readable"},
		{"a quote that is not closed", []string{ssin + doctor + ",,true,,", ssin + surname + `,,"a,,`}, "3 : not readable"},
		{"a quote that is closed far away", []string{ssin + surname + `,,"` + strings.Repeat("a", maxLineBytes+1) + `",,`}, "2 : not readable"},
		{"no rows", nil, "1 : no rows"},
		{"no rows but blank lines", []string{"", ""}, "1 : no rows"},

		{"twice", []string{ssin + doctor + ",,true,,", ssin + doctor + ",,true,,"}, "3 : stands twice"},
		{"twice, by an alias", []string{ssin + doctor + ",,true,,", ssin + "urn:be:fgov:person:ssin:ehealth:1.0:doctor:boolean,urn:be:fgov:certifiednamespace:ehealth,true,,"}, "3 : stands twice"},
		{"true and false", []string{ssin + doctor + ",,true,,", ssin + doctor + ",,false,,"}, "3 : overlaps"},
		{"overlap of one instant", []string{ssin + doctor + ",,true,,2026-01-01T00:00:00.000001Z", ssin + doctor + ",,false,2026-01-01T00:00:00Z,"}, "3 : overlaps"},
		{"within a longer one", []string{ssin + doctor + ",,true,2026-01-02T00:00:00Z,2026-01-03T00:00:00Z", ssin + doctor + ",,true,2026-01-04T00:00:00Z,2026-01-05T00:00:00Z", ssin + doctor + ",,true,,"},
			"4 : overlaps\n4 : overlaps"},
		{"two numbers", []string{ssin + nihii11 + ",,71000040001,,", ssin + nihii11 + ",,71000040002,,"}, "3 : overlaps"},
		{"one of several values twice", []string{ssin + quality + ",,a,,", ssin + quality + ",,b,,", ssin + quality + ",,a,,"}, "4 : stands twice"},
		{"one of several values overlaps", []string{ssin + quality + ",,a,,", ssin + quality + ",,a,2026-01-01T00:00:00Z,"}, "3 : overlaps"},
	}
	b := fresh(t)
	b.load(t, ModeReplace, ssin+surname+",,Before,,")
	for _, test := range tests {
		report, err := b.ImportCSV(t.Context(), strings.NewReader(header+strings.Join(test.rows, "\n")), ModeReplace)
		if got := said(report); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
		var invalid *InvalidImport
		if !errors.As(err, &invalid) || invalid.Problems != len(report.Problems) || invalid.First != report.Problems[0] || report.Epoch != 0 {
			t.Errorf("%s: %v, %+v", test.name, err, report)
		}
		for _, secret := range []string{alice, "00000000098", "71000041001", "maybe"} { // no personal data in what may be logged
			if strings.Contains(fmt.Sprint(err, report.Problems), secret) {
				t.Errorf("%s: the report repeats %s", test.name, secret)
			}
		}
	}
	if got := b.ask(t, alice, now, surname, doctor); got != "Before false" {
		t.Errorf("a refused import has changed something: %s", got)
	}
}

func TestImportRefusesHeaders(t *testing.T) {
	b := fresh(t)
	const row = "\nssin," + alice + "," + doctor + ",true,,"
	for name, text := range map[string]string{
		"empty":            "",
		"unknown column":   "subject_type,subject,attribute,value,not_before,not_on_or_after,comment" + row,
		"another case":     "Subject_Type,subject,attribute,value,not_before,not_on_or_after" + row,
		"a blank":          "subject_type, subject,attribute,value,not_before,not_on_or_after" + row,
		"twice":            "subject_type,subject,attribute,value,value,not_before,not_on_or_after" + row,
		"missing":          "subject_type,subject,attribute,value,not_before" + row,
		"semicolons":       "subject_type;subject;attribute;value;not_before;not_on_or_after" + row,
		"byte order mark":  "\ufeff" + header + row,
		"UTF-16":           "\xff\xfes\x00u\x00",
		"a quote too many": `subject_type"` + row,
		"no header":        row[1:],
	} {
		report, err := b.ImportCSV(t.Context(), strings.NewReader(text), ModeReplace)
		if err == nil || len(report.Problems) == 0 || report.Problems[0].Line != 1 {
			t.Errorf("%s: %v, %+v", name, err, report.Problems)
		}
	}
	text := "value,attribute,not_on_or_after,subject,subject_type,not_before\r\ntrue," + doctor + ",," + alice + ",ssin,\r\n"
	if report, err := b.ImportCSV(t.Context(), strings.NewReader(text), ModeReplace); err != nil || report.Added != 1 {
		t.Errorf("another order, no namespace: %v, %+v", err, report)
	}
}

func TestImportRefusesJSON(t *testing.T) {
	const sound = `{"subject_type":"ssin","subject":"` + alice + `","attribute":"` + doctor + `","value":"true"}`
	with := func(old, new string) string { return strings.Replace(sound, old, new, 1) }
	tests := []struct{ name, text, want string }{
		{"empty", "", "1 : no rows"},
		{"an empty array", "[\n]", "2 : no rows"},
		{"not JSON", "x", "1 : not readable"},
		{"a number", "1", "1 : not readable"},
		{"text", `"a"`, "1 : not readable"},
		{"an array of arrays", "[[]]", "1 : not readable"},
		{"an array of numbers", "[\n1]", "2 : not readable"},
		{"two arrays", "[" + sound + "]\n[]", "2 : not readable"},
		{"an object after an array", "[" + sound + "]\n" + sound, "2 : not readable"},
		{"an array after an object", sound + "\n[" + sound + "]", "2 : not readable"},
		{"not closed", "[" + sound + ",\n" + with(alice, bob), "2 : not readable"},
		{"cut off", sound + "\n" + sound[:30], "2 : not readable"},
		{"no comma", "[" + sound + "\n" + sound + "]", "2 : not readable"},
		{"unknown key", with(`"value"`, `"comment":"","value"`), "1 : not readable"},
		{"key in another case", with(`"value"`, `"Value"`), "1 : not readable"},
		{"key twice", with(`"value":`, "\"value\":\"false\",\n\"value\":"), "2 value: not readable"},
		{"number", with(`"`+alice+`"`, "97"), "1 subject: not readable"},
		{"array", with(`"true"`, `["true",{"a":[]}]`), "1 value: not readable"},
		{"object", with(`"true"`, `{"a":{}}`), "1 value: not readable"},
		{"boolean as subject", with(`"`+alice+`"`, "true"), "1 subject: not readable"},
		{"boolean for text", strings.Replace(with(`"true"`, "true"), doctor, surname, 1), "1 value: not readable"},
		{"null as value", with(`"true"`, "null"), "1 value: not a valid value of the attribute's kind"},
		{"nothing", "{}", "1 subject_type: unknown type of subject\n1 attribute: unknown attribute"},
		{"half a surrogate", strings.Replace(with(`"true"`, `"a\ud800"`), doctor, surname, 1), "1 value: not a valid value of the attribute's kind"},
		{"not UTF-8", strings.Replace(with(`"true"`, "\"a\xff\""), doctor, surname, 1), "1 value: not a valid value of the attribute's kind"},
		{"NUL", strings.Replace(with(`"true"`, `"a\u0000"`), doctor, surname, 1), "1 value: not a valid value of the attribute's kind"},
		{"twice", "[" + sound + ",\n\n" + sound + "]", "3 : stands twice"},
		{"several wrong", with(`"true"`, `"x"`) + "\n{\n\"subject_type\":1}\n" + with(alice, "1"),
			"1 value: not a valid value of the attribute's kind\n3 subject_type: not readable\n4 subject: not a valid subject of its type"},
		{"byte order mark", "\ufeff" + sound, "1 : not readable"},
		{"deep", strings.Repeat("[", 100000), "1 : not readable"},
		{"deep value", with(`"true"`, strings.Repeat("[", 100000)), "1 : not readable"},
	}
	b := fresh(t)
	for _, test := range tests {
		report, err := b.ImportJSON(t.Context(), strings.NewReader(test.text), ModeReplace)
		var invalid *InvalidImport
		if got := said(report); got != test.want || !errors.As(err, &invalid) || report.Epoch != 0 {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, err, got, test.want)
		}
	}
	accepted := []string{
		sound, sound + "\n", "[" + sound + "]", " [\n" + sound + "\n]\n", with(`"true"`, "true"),
		with(`"value"`, `"namespace":null,"not_before":"","not_on_or_after":null,"value"`),
		with(`"value"`, `"namespace":"urn:be:fgov:certifiednamespace:ehealth","value"`),
	}
	for _, text := range accepted {
		if report, err := b.ImportJSON(t.Context(), strings.NewReader(text), ModeReplace); err != nil || report.Rows != 1 {
			t.Errorf("%s: %v, %v", text, err, report.Problems)
		}
		if got := b.ask(t, alice, now, doctor); got != "true" {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestImportModes(t *testing.T) {
	b := fresh(t)
	row := func(who, attribute, value, from, to string) string {
		return strings.Join([]string{"ssin", who, attribute, "", value, from, to}, ",")
	}
	check := func(name string, report Report, rows int, added, removed, unchanged, facts, epoch int64) {
		t.Helper()
		if report.Rows != rows || report.Added != added || report.Removed != removed || report.Unchanged != unchanged || report.Facts != facts || report.Epoch != epoch {
			t.Errorf("%s: %+v", name, report)
		}
	}
	report := b.load(t, ModeReplace, row(alice, doctor, "true", "", ""), row(alice, surname, "Example", "", ""), row(bob, nurse, "true", "", ""))
	check("first", report, 3, 3, 0, 0, 3, 1)
	if report.Subjects != 2 || len(report.Attributes) != 3 || report.Attributes[0] != (AttributeCount{doctor, 1}) {
		t.Errorf("counts: %+v", report)
	}
	report = b.load(t, ModeMerge, row(alice, doctor, "true", "", "2026-12-01T00:00:00Z"), row(alice, doctor, "false", "2026-12-01T00:00:00Z", ""), row(alice, surname, "Example", "", ""))
	check("merge", report, 3, 2, 1, 1, 4, 2)
	if got := b.ask(t, alice, now, doctor, surname) + " " + b.ask(t, bob, now, nurse); got != "true Example true" {
		t.Error(got)
	}
	if got := b.ask(t, alice, now.AddDate(0, 1, 0), doctor); got != "false" {
		t.Error(got)
	}
	report = b.load(t, ModeMerge, row(alice, doctor, "true", "", "2026-12-01T00:00:00Z"), row(alice, doctor, "false", "2026-12-01T00:00:00Z", ""), row(alice, surname, "Example", "", ""))
	check("the same again", report, 3, 0, 0, 3, 4, 3)
	report = b.load(t, ModeReplace, row(bob, nurse, "true", "", ""), row(bob, surname, "Other", "", ""))
	check("replace", report, 2, 1, 3, 1, 2, 4)
	if got := b.ask(t, alice, now, doctor, surname) + " " + b.ask(t, bob, now, nurse, surname); got != "false  true Other" {
		t.Errorf("%q", got)
	}

	for _, mode := range []Mode{0, 3} {
		if _, err := b.ImportCSV(t.Context(), strings.NewReader(header+row(alice, doctor, "true", "", "")), mode); err == nil {
			t.Errorf("mode %d is accepted", mode)
		}
	}
	for _, mode := range []Mode{ModeMerge, ModeReplace} {
		if got, err := ParseMode(mode.String()); got != mode || err != nil {
			t.Errorf("mode %v: %v, %v", mode, got, err)
		}
	}
	if _, err := ParseMode(Mode(0).String()); err == nil {
		t.Error("the zero mode has a name")
	}

	text := header + row(alice, doctor, "true", "", "")
	report, err := b.ImportCSV(t.Context(), strings.NewReader(text), ModeReplace)
	if err != nil || report.Digest != sha256.Sum256([]byte(text)) {
		t.Errorf("the digest is not that of the octets: %v", err)
	}
	status, err := b.Status(t.Context())
	want := Import{Epoch: 5, At: now, Mode: ModeReplace, Digest: report.Digest, Rows: 1, Added: 1, Removed: 2, Facts: 1}
	if err != nil || status.Last != want {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestImportLimits(t *testing.T) {
	if _, err := io.ReadAll(&bounded{in: strings.NewReader("abcd"), left: 4}); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := io.ReadAll(&bounded{in: strings.NewReader("abcde"), left: 4}); !errors.Is(err, errTooLong) {
		t.Errorf("beyond the limit: %v", err)
	}
	c := newCollector(attrs.EHealth())
	c.read = MaxImportRows
	if c.add(7, &cells{"ssin", alice, doctor, "", "true", "", ""}) || len(c.problems) != 1 || c.problems[0].Rule != RuleTooMuch {
		t.Errorf("beyond the rows: %v", c.problems)
	}
	b := fresh(t)
	text := header + strings.Repeat("x,,,,,,\n", MaxProblems)
	report, err := b.ImportCSV(t.Context(), strings.NewReader(text), ModeReplace)
	var invalid *InvalidImport
	if len(report.Problems) != MaxProblems || report.Omitted != MaxProblems || !errors.As(err, &invalid) || invalid.Problems != 2*MaxProblems {
		t.Errorf("%d problems, %d omitted, %v", len(report.Problems), report.Omitted, err)
	}
}

// What is exported and imported again is the same registry, by CSV and by JSON, and the same text.
func TestExportRoundTrip(t *testing.T) {
	first, second := fresh(t), fresh(t)
	people := []string{alice, bob, "00012556777"}
	runes := []rune("abcÀé日 ,;\"'\\<>&=+-@%_|🙂0")
	rapid.Check(t, func(t *rapid.T) {
		moment := func(label string) string {
			if rapid.Bool().Draw(t, label+"?") {
				return ""
			}
			micros := rapid.Int64Range(-62135596799_000000, 253402300799_999999).Draw(t, label)
			zone := time.FixedZone("", rapid.IntRange(-23, 23).Draw(t, "zone")*3600)
			at := time.UnixMicro(micros).In(zone)
			if at.Year() < 1 || at.Year() > 9999 {
				at = at.UTC()
			}
			return at.Format(time.RFC3339Nano)
		}
		var rows []map[string]any
		for range rapid.IntRange(1, 12).Draw(t, "rows") {
			row := map[string]any{"subject_type": "ssin", "subject": rapid.SampledFrom(people).Draw(t, "who")}
			switch rapid.IntRange(0, 3).Draw(t, "attribute") {
			case 0:
				row["attribute"], row["value"] = doctor, rapid.Bool().Draw(t, "value")
			case 1:
				row["attribute"], row["value"] = nihii11, fmt.Sprintf("71000040%03d", rapid.IntRange(0, 999).Draw(t, "value"))
			case 2:
				row["attribute"], row["value"] = quality, strings.TrimSpace(rapid.StringOfN(rapid.RuneFrom(runes), 1, 8, -1).Draw(t, "value"))
			case 3:
				row["subject_type"], row["subject"] = "nihii/ssin", pharmacy+"/"+row["subject"].(string)
				row["attribute"], row["value"] = titular, rapid.Bool().Draw(t, "value")
			}
			row["not_before"], row["not_on_or_after"] = moment("from"), moment("to")
			// Rows that would be refused with this one are left out: they have their own tests.
			text, err := json.Marshal(append(rows, row))
			if err != nil {
				t.Fatal(err)
			}
			c := newCollector(first.catalogue)
			if err := readJSON(bytes.NewReader(text), c); err != nil {
				t.Fatal(err)
			}
			if c.finish(&Report{}); len(c.problems) == 0 {
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			return
		}
		text, err := json.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		a, err := first.ImportJSON(t.Context(), bytes.NewReader(text), ModeReplace)
		if err != nil {
			t.Fatal(err, a.Problems)
		}
		var out, again bytes.Buffer
		if n, err := first.ExportCSV(t.Context(), &out); err != nil || n != len(rows) {
			t.Fatal(n, err)
		}
		b, err := second.ImportCSV(t.Context(), bytes.NewReader(out.Bytes()), ModeReplace)
		if err != nil || b.Facts != a.Facts || b.Rows != len(rows) {
			t.Fatalf("%v, %v\n%s", err, b.Problems, out.String())
		}
		if _, err := second.ExportCSV(t.Context(), &again); err != nil || again.String() != out.String() {
			t.Fatalf("%v\n%s\nis not\n%s", err, again.String(), out.String())
		}
		same, err := first.ImportCSV(t.Context(), bytes.NewReader(out.Bytes()), ModeReplace)
		if err != nil || same.Added != 0 || same.Removed != 0 || same.Unchanged != int64(len(rows)) {
			t.Fatalf("the import of the export changes the registry: %+v, %v", same, err)
		}
	})
}

func TestExportFails(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	full := errors.New("no space left")
	if _, err := b.ExportCSV(t.Context(), &fullDisk{full}); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	b.Close()
	if _, err := b.ExportCSV(t.Context(), io.Discard); attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("%v", err)
	}
	if _, err := b.Status(t.Context()); attrs.ReasonOf(err) != attrs.SourceUnavailable {
		t.Errorf("%v", err)
	}
}

type fullDisk struct{ err error }

func (f *fullDisk) Write([]byte) (int, error) { return 0, f.err }

// sound says what must be true of rows in which no problem was found.
func sound(t *testing.T, c *collector) {
	t.Helper()
	c.finish(&Report{})
	if len(c.problems) > 0 {
		for _, p := range c.problems {
			if p.Line < 1 || p.Rule == "" {
				t.Errorf("problem %+v", p)
			}
		}
		return
	}
	if c.read != len(c.rows) || c.read == 0 {
		t.Errorf("%d rows read, %d kept, no problem", c.read, len(c.rows))
	}
	for _, w := range c.rows {
		d := w.definition
		if !w.subject.Valid() || !d.Certified() || d.Computed || !d.Kind.Valid(w.value) || w.notBefore >= w.notOnOrAfter {
			t.Errorf("row of line %d is not sound", w.line)
		}
		if _, _, err := bounds(w.notBefore, w.notOnOrAfter); err != nil {
			t.Errorf("row of line %d: %v", w.line, err)
		}
	}
}

func FuzzImportCSV(f *testing.F) {
	for _, rows := range []string{"ssin," + alice + "," + doctor + ",,true,,", "nihii/ssin," + pharmacy + "/" + alice + "," + titular + ",,true,2026-01-01T00:00:00Z,2027-01-01T00:00:00+01:00",
		`ssin,` + alice + `,` + surname + `,,"a""b",,`, "", "\"", "a,b\n\n\r\n", "ssin\x00"} {
		f.Add([]byte(header + rows))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := newCollector(attrs.EHealth())
		if err := readCSV(bytes.NewReader(text), c); err != nil {
			t.Errorf("an error of the reader without one: %v", err)
		}
		sound(t, c)
	})
}

func FuzzImportJSON(f *testing.F) {
	const row = `{"subject_type":"ssin","subject":"` + alice + `","attribute":"` + doctor + `","value":true,"not_before":"2026-01-01T00:00:00Z"}`
	for _, text := range []string{row, "[" + row + "]", row + row, "[]", "{", `{"value":[{}]}`, `{"value":1,"value":2}`, "\ufeff", "null", `{"a":"\ud800"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := newCollector(attrs.EHealth())
		if err := readJSON(bytes.NewReader(text), c); err != nil {
			t.Errorf("an error of the reader without one: %v", err)
		}
		sound(t, c)
	})
}

// What is deleted does not stay in the file.
func TestDeletedValuesAreGone(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+surname+",,Unforgettable,,")
	b.load(t, ModeReplace, "ssin,"+bob+","+surname+",,Other,,")
	b.Close()
	for _, name := range []string{b.path, b.path + "-wal"} {
		octets, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(octets, []byte("Unforgettable")) {
			t.Errorf("%s still holds the value", name)
		}
	}
}
