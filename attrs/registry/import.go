package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Mode says what an import does with what the registry holds. The zero Mode is none and refused.
type Mode uint8

const (
	// ModeMerge replaces what the registry holds about each subject and attribute that the import names.
	ModeMerge Mode = iota + 1

	// ModeReplace replaces all.
	ModeReplace
)

// String gives the name of the mode as ParseMode reads it.
func (m Mode) String() string {
	switch m {
	case ModeMerge:
		return "merge"
	case ModeReplace:
		return "replace"
	}
	return "invalid mode"
}

// ParseMode reads "merge" or "replace".
func ParseMode(s string) (Mode, error) {
	switch s {
	case "merge":
		return ModeMerge, nil
	case "replace":
		return ModeReplace, nil
	}
	return 0, fmt.Errorf("%q is not a mode of import: merge or replace", s)
}

// Limits of one import. All its rows are in memory while they are checked.
const (
	MaxImportBytes = 512 << 20
	MaxImportRows  = 4_000_000
	MaxProblems    = 1000 // reported; more are counted
)

// A Report says what an import did, or why it did nothing.
type Report struct {
	Mode       Mode
	Digest     [32]byte // SHA-256 of the octets read
	Rows       int      // read
	Subjects   int      // different ones among them
	Attributes []AttributeCount

	// What became of the registry; zero if the import was refused.
	Added, Removed, Unchanged, Facts, Epoch int64

	// What is wrong, in the order of lines. If there is anything the registry is as it was.
	Problems []Problem
	Omitted  int // problems beyond MaxProblems
}

// AttributeCount is how many rows an import has about one attribute.
type AttributeCount struct {
	Attribute string
	Rows      int
}

// A Problem is one thing wrong with an import. It never repeats a value or a subject, which may be a person's.
type Problem struct {
	Line   int    // first is 1; in CSV that is the header
	Column string // name of the column, or empty if it is about the row
	Rule   Rule
	Detail string
}

// String gives the problem in one line.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d: ", p.Line)
	if p.Column != "" {
		b.WriteString(p.Column + ": ")
	}
	b.WriteString(string(p.Rule))
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	return b.String()
}

// A Rule is a name for what a row can break.
type Rule string

const (
	RuleSyntax        Rule = "not readable"
	RuleHeader        Rule = "wrong header"
	RuleSubjectType   Rule = "unknown type of subject"
	RuleSubject       Rule = "not a valid subject of its type"
	RuleAttribute     Rule = "unknown attribute"
	RuleNotCertified  Rule = "not an attribute that a source is asked for"
	RuleNotOf         Rule = "the attribute is not looked up by this type of subject"
	RuleValue         Rule = "not a valid value of the attribute's kind"
	RuleTime          Rule = "not a time"
	RuleEmptyInterval Rule = "ends before it begins"
	RuleDuplicate     Rule = "stands twice"
	RuleOverlap       Rule = "overlaps"
	RuleNothing       Rule = "no rows"
	RuleTooMuch       Rule = "too much for one import"
)

// InvalidImport is the error of an import that was refused for what is in it. The Report lists everything.
type InvalidImport struct {
	Problems int     // how many
	First    Problem // the first of them
}

// Error gives the first problem and how many more there are.
func (e *InvalidImport) Error() string {
	if e.Problems == 1 {
		return "import refused: " + e.First.String()
	}
	return fmt.Sprintf("import refused: %s, and %d more", e.First, e.Problems-1)
}

// ImportCSV reads facts as comma-separated values (RFC 4180) with a header. See the package comment for the columns. The
// registry changes wholly or, on an error, not at all. If the error is an *InvalidImport the report says everything that is wrong.
func (r *Registry) ImportCSV(ctx context.Context, in io.Reader, mode Mode) (Report, error) {
	return r.importFrom(ctx, in, mode, readCSV)
}

// ImportJSON reads facts as an array of JSON objects or as objects one after another, and is otherwise like ImportCSV.
func (r *Registry) ImportJSON(ctx context.Context, in io.Reader, mode Mode) (Report, error) {
	return r.importFrom(ctx, in, mode, readJSON)
}

func (r *Registry) importFrom(ctx context.Context, in io.Reader, mode Mode, read func(io.Reader, *collector) error) (Report, error) {
	report := Report{Mode: mode}
	switch {
	case mode != ModeMerge && mode != ModeReplace:
		return report, errors.New("registry: an import needs a mode, merge or replace")
	case r.config.Access != ReadWrite:
		return report, errors.New("registry: opened read-only")
	}
	digest := sha256.New()
	c := newCollector(r.config.Catalogue)
	err := read(io.TeeReader(&bounded{in: &cancelable{ctx, in}, left: MaxImportBytes}, digest), c)
	if errors.Is(err, errTooLong) {
		c.problem(Problem{Line: c.line, Rule: RuleTooMuch, Detail: fmt.Sprintf("more than %d bytes", MaxImportBytes)})
		err = nil
	}
	if err != nil {
		return report, fmt.Errorf("registry: import: %w", err)
	}
	c.finish(&report)
	if len(report.Problems) > 0 {
		return report, &InvalidImport{Problems: len(report.Problems) + report.Omitted, First: report.Problems[0]}
	}
	digest.Sum(report.Digest[:0])
	if err := r.write(ctx, c.rows, &report); err != nil {
		report.Added, report.Removed, report.Unchanged, report.Facts, report.Epoch = 0, 0, 0, 0, 0
		return report, fmt.Errorf("registry: import: %w", err)
	}
	return report, nil
}

// write makes the checked rows the content of the registry, in one transaction.
func (r *Registry) write(ctx context.Context, rows []row, report *Report) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.view.Load().down == errClosed {
		return errClosed
	}
	db, err := openWriter(r.config)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil) // immediate: it takes the lock for writing now or fails
	if err != nil {
		return fmt.Errorf("the registry cannot be locked for writing: %w", err)
	}
	defer tx.Rollback() // no effect once committed
	if err := stage(ctx, tx, rows); err != nil {
		return err
	}
	if err := settle(ctx, tx, r.config.Now().UnixMicro(), report); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	// Both are for good measure, after the fact: what was deleted leaves the -wal file too, and this process sees the
	// import at once. Others look every PollInterval.
	ctx = context.WithoutCancel(ctx)
	db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	r.Refresh(ctx)
	return nil
}

// stage puts the rows into a temporary table, so that what changes is decided by set.
func stage(ctx context.Context, tx *sql.Tx, rows []row) error {
	_, err := tx.ExecContext(ctx, `CREATE TEMP TABLE incoming (
		subject_type TEXT NOT NULL, subject TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL,
		not_before INTEGER NOT NULL, not_on_or_after INTEGER NOT NULL,
		PRIMARY KEY (subject_type, subject, attribute, value, not_before, not_on_or_after)) STRICT, WITHOUT ROWID`)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO temp.incoming VALUES (?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range rows {
		w := &rows[i]
		_, err := insert.ExecContext(ctx, string(w.subject.Type), w.subject.Value, w.definition.Name, w.value, w.notBefore, w.notOnOrAfter)
		if err != nil {
			return fmt.Errorf("line %d: %w", w.line, err)
		}
	}
	return nil
}

const (
	same = `subject_type = fact.subject_type AND subject = fact.subject AND attribute = fact.attribute AND value = fact.value
		AND not_before = fact.not_before AND not_on_or_after = fact.not_on_or_after`

	removeAll   = `DELETE FROM fact WHERE NOT EXISTS (SELECT 1 FROM temp.incoming AS i WHERE ` + same + `)`
	removeNamed = `DELETE FROM fact WHERE (subject_type, subject, attribute) IN (SELECT subject_type, subject, attribute FROM temp.incoming)
		AND NOT EXISTS (SELECT 1 FROM temp.incoming AS i WHERE ` + same + `)`
	add   = `INSERT INTO fact SELECT * FROM temp.incoming WHERE true ON CONFLICT DO NOTHING`
	trace = `INSERT INTO import (epoch, at, mode, digest, rows, added, removed, unchanged, facts)
		SELECT coalesce(max(epoch), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ? FROM import RETURNING epoch`
)

// settle makes the facts those of the temporary table, counts what that changed, and leaves the trace.
func settle(ctx context.Context, tx *sql.Tx, now int64, report *Report) error {
	remove := removeNamed
	if report.Mode == ModeReplace {
		remove = removeAll
	}
	for _, step := range []struct {
		statement string
		count     *int64
	}{{remove, &report.Removed}, {add, &report.Added}} {
		result, err := tx.ExecContext(ctx, step.statement)
		if err != nil {
			return err
		}
		if *step.count, err = result.RowsAffected(); err != nil {
			return err
		}
	}
	report.Unchanged = int64(report.Rows) - report.Added
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM fact`).Scan(&report.Facts); err != nil {
		return err
	}
	err := tx.QueryRowContext(ctx, trace, now, report.Mode.String(), report.Digest[:], report.Rows, report.Added, report.Removed,
		report.Unchanged, report.Facts).Scan(&report.Epoch)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DROP TABLE temp.incoming`)
	return err
}

var errTooLong = errors.New("too long")

// bounded is an io.Reader that fails, instead of ending, where the input is too long: the rest is not forgotten silently.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.in.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// cancelable is an io.Reader that fails when its context has ended.
type cancelable struct {
	ctx context.Context
	in  io.Reader
}

func (c *cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.in.Read(p)
}

// finish checks the rows against each other and writes what is known into the report.
func (c *collector) finish(report *Report) {
	if len(c.rows) == 0 && len(c.problems) == 0 {
		c.problem(Problem{Line: max(c.line, 1), Rule: RuleNothing})
	}
	c.overlaps()
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return a.Line - b.Line })
	report.Rows, report.Problems, report.Omitted = c.read, c.problems, c.omitted
	subjects := make(map[any]struct{})
	counts := make(map[string]int)
	for i := range c.rows {
		subjects[c.rows[i].subject] = struct{}{}
		counts[c.rows[i].definition.Name]++
	}
	report.Subjects = len(subjects)
	for name, n := range counts {
		report.Attributes = append(report.Attributes, AttributeCount{name, n})
	}
	slices.SortFunc(report.Attributes, func(a, b AttributeCount) int { return strings.Compare(a.Attribute, b.Attribute) })
}
