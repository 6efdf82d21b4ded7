package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sceau/attrs"
	"sceau/attrs/registry"
)

func registryCommand() *cobra.Command { return newRegistryCommand(time.Now) }

func newRegistryCommand(now func() time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "registry",
		Short: "Fill and read the registry of certified attributes",
		Long: `The registry is the authentic source of attributes that comes with stsd: one
SQLite file of facts, each with its own validity. A running server notices an
import by itself.

A file to import has these columns (CSV) or keys (JSON):

  subject_type     ssin, nihii, cbe, ehp, or two joined by a slash: nihii/ssin
  subject          the number; for two, both joined by a slash
  attribute        name of a certified attribute (stsd registry attributes)
  namespace        may be missing or empty
  value            true or false for a boolean, otherwise the value
  not_before       RFC 3339 with zone; empty: since ever
  not_on_or_after  RFC 3339 with zone; empty: for ever

With --config the attributes that a server's file defines count too.`,
	}
	f := &registryFlags{now: now}
	c.PersistentFlags().StringVar(&f.config, "config", "", "a server's configuration `file`, for its definitions")
	c.AddCommand(registryImportCommand(f), registryExportCommand(f), registryListCommand(f), registryAttributesCommand(f))
	return c
}

// registryFlags are those of all commands of registry.
type registryFlags struct {
	now          func() time.Time
	path, config string // config may be empty
}

func (f *registryFlags) addDatabase(c *cobra.Command) {
	c.Flags().StringVar(&f.path, "db", "", "the registry's SQLite `file`")
	_ = c.MarkFlagRequired("db") // fails only for a flag that is not there
}

// catalogue gives eHealth's, with what the configuration defines besides. Nothing else of the configuration counts.
func (f *registryFlags) catalogue() (*attrs.Catalogue, error) {
	if f.config == "" {
		return attrs.EHealth(), nil
	}
	p := &problems{file: f.config}
	s := &system{config: readConfig(f.config, p), now: f.now}
	if err := p.err(); err != nil {
		return nil, err
	}
	if s.config.Policy.Line > 0 { // it may bring definitions along
		s.set = s.openPolicySet(p)
	}
	if s.policyStore != nil {
		defer s.policyStore.Close()
	}
	s.loadCatalogue(p)
	return s.catalogue, p.err()
}

// with opens the registry for as long as use takes.
func (f *registryFlags) with(access registry.Access, use func(*registry.Registry) error) error {
	catalogue, err := f.catalogue()
	if err != nil {
		return err
	}
	r, err := registry.Open(registry.Config{Path: f.path, Access: access, Catalogue: catalogue, Now: f.now})
	if err != nil {
		return err
	}
	return errors.Join(use(r), r.Close())
}

func registryImportCommand(f *registryFlags) *cobra.Command {
	var format string
	var replace bool
	c := &cobra.Command{
		Use:   "import FILE --db PATH [--config FILE]",
		Short: "Import facts, all of them or none",
		Long: `Import reads FILE ("-" is the standard input), checks every row, and then
changes the registry in one transaction. If anything is wrong, everything that
is wrong is said, by line, the registry stays as it was and the status is 1.

What the file says about an attribute of a subject replaces what the registry
held about it; with --replace the registry holds exactly the file afterwards.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := importFormat(format, args[0])
			if err != nil {
				return err
			}
			in := io.NopCloser(cmd.InOrStdin())
			if args[0] != "-" {
				if in, err = os.Open(args[0]); err != nil { // before a registry is made for nothing
					return err
				}
			}
			defer in.Close()
			mode := registry.ModeMerge
			if replace {
				mode = registry.ModeReplace
			}
			return f.with(registry.ReadWrite, func(r *registry.Registry) error {
				read := r.ImportCSV
				if format == "json" {
					read = r.ImportJSON
				}
				report, err := read(cmd.Context(), in, mode)
				if invalid := (*registry.InvalidImport)(nil); errors.As(err, &invalid) {
					writeProblems(cmd.ErrOrStderr(), args[0], &report)
					return finding(fmt.Sprintf("%s was not imported: %s wrong; the registry is as it was", args[0], count(invalid.Problems, "thing is", "things are")))
				}
				if err != nil {
					return err
				}
				return writeImport(cmd.OutOrStdout(), args[0], f.path, &report)
			})
		},
	}
	f.addDatabase(c)
	c.Flags().StringVar(&format, "format", "", "`csv or json`; else what the name of FILE ends in")
	c.Flags().BoolVar(&replace, "replace", false, "forget what FILE does not say")
	return c
}

// importFormat gives the format that was asked for, or that of the file's name.
func importFormat(asked, name string) (string, error) {
	if asked == "" {
		asked = strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")
	}
	switch asked {
	case "csv", "json":
		return asked, nil
	case "jsonl", "ndjson":
		return "json", nil
	}
	return "", fmt.Errorf("is %s CSV or JSON? say --format csv or --format json", name)
}

// writeProblems says what is wrong as compilers do, so that editors find the line.
func writeProblems(out io.Writer, name string, report *registry.Report) {
	for _, p := range report.Problems {
		place := fmt.Sprintf("%s:%d", name, p.Line)
		text := strings.TrimPrefix(p.String(), fmt.Sprintf("line %d: ", p.Line))
		fmt.Fprintf(out, "%s: %s\n", place, plain(text))
	}
	if report.Omitted > 0 {
		fmt.Fprintf(out, "%s: and %s more\n", name, count(report.Omitted, "problem", "problems"))
	}
}

func writeImport(out io.Writer, name, path string, report *registry.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "imported %s into %s (%s)\n", name, path, report.Mode)
	fmt.Fprintf(w, "  rows\t%d about %s\n", report.Rows, count(report.Subjects, "subject", "subjects"))
	fmt.Fprintf(w, "  added\t%d\n  removed\t%d\n  unchanged\t%d\n", report.Added, report.Removed, report.Unchanged)
	fmt.Fprintf(w, "  facts now\t%d\n  import\tnumber %d\n  sha256\t%x\n\n", report.Facts, report.Epoch, report.Digest)
	fmt.Fprintln(w, "ATTRIBUTE\tROWS")
	for _, a := range report.Attributes {
		fmt.Fprintf(w, "%s\t%d\n", a.Attribute, a.Rows)
	}
	return w.Flush()
}

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func registryExportCommand(f *registryFlags) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "export --db PATH [--output FILE]",
		Short: "Write all facts as CSV, as import reads them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(registry.ReadOnly, func(r *registry.Registry) error {
				if output == "" {
					_, err := r.ExportCSV(cmd.Context(), cmd.OutOrStdout())
					return err
				}
				return exportTo(cmd.Context(), r, output)
			})
		},
	}
	f.addDatabase(c)
	c.Flags().StringVar(&output, "output", "", "write to a new `file`, readable by its owner only")
	return c
}

// exportTo writes to a file that must not exist yet; it holds personal data, and is not
// left behind half written.
func exportTo(ctx context.Context, r *registry.Registry, name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = r.ExportCSV(ctx, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func registryListCommand(f *registryFlags) *cobra.Command {
	var subject string
	c := &cobra.Command{
		Use:   "list --db PATH --subject TYPE:NUMBER",
		Short: "Show what the registry holds about one subject",
		Long: `List shows every fact about a subject, past and future ones too, and the
relations it stands in (a pharmacy and a person). The status is 1 when there is
none: the server then answers false to booleans and an empty value otherwise.`,
		Example: "  stsd registry list --db registry.db --subject ssin:00000000097",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := parseSubject(subject)
			if err != nil {
				return err
			}
			return f.with(registry.ReadOnly, func(r *registry.Registry) error {
				facts, err := factsAbout(cmd.Context(), r, wanted)
				if err != nil {
					return err
				}
				if len(facts) == 0 {
					return finding("the registry holds nothing about that subject")
				}
				return writeFacts(cmd.OutOrStdout(), facts, f.now())
			})
		},
	}
	f.addDatabase(c)
	c.Flags().StringVar(&subject, "subject", "", "`TYPE:NUMBER`, such as ssin:00000000097")
	_ = c.MarkFlagRequired("subject") // fails only for a flag that is not there
	return c
}

func parseSubject(text string) (attrs.Subject, error) {
	t, number, _ := strings.Cut(text, ":")
	s := attrs.Subject{Type: attrs.SubjectType(strings.ToLower(t)), Value: number}
	if !s.Valid() { // the number is not repeated: it may be a person's
		return attrs.Subject{}, errors.New("--subject is not TYPE:NUMBER with TYPE ssin, nihii, cbe or ehp and a number whose check digits are right")
	}
	return s, nil
}

// A fact is one row of the registry, in the order of the columns of an export.
type fact struct {
	subject             attrs.Subject
	attribute, value    string
	notBefore, notAfter time.Time // zero: no bound
}

// factsAbout reads an export and keeps the rows about a subject: for a person at a
// terminal, who can wait for a look at the whole.
func factsAbout(ctx context.Context, r *registry.Registry, wanted attrs.Subject) ([]fact, error) {
	reader, writer := io.Pipe()
	go func() {
		_, err := r.ExportCSV(ctx, writer)
		writer.CloseWithError(err)
	}()
	defer reader.Close() // lets the export end when this returns early
	rows := csv.NewReader(reader)
	rows.ReuseRecord = true
	if _, err := rows.Read(); err != nil {
		return nil, err
	}
	var facts []fact
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return facts, nil
		}
		if err != nil {
			return nil, err
		}
		subject := attrs.Subject{Type: attrs.SubjectType(row[0]), Value: row[1]}
		if !concerns(subject, wanted) {
			continue
		}
		f := fact{subject: subject, attribute: row[2], value: row[4]}
		for i, bound := range []*time.Time{&f.notBefore, &f.notAfter} {
			if text := row[5+i]; text != "" {
				if *bound, err = time.Parse(time.RFC3339Nano, text); err != nil {
					return nil, err
				}
			}
		}
		facts = append(facts, f)
	}
}

// concerns tells whether subject is wanted, or a relation in which wanted stands.
func concerns(subject, wanted attrs.Subject) bool {
	if subject == wanted {
		return true
	}
	types, values := strings.Split(string(subject.Type), "/"), strings.Split(subject.Value, "/")
	for i := range min(len(types), len(values)) {
		if types[i] == string(wanted.Type) && values[i] == wanted.Value {
			return true
		}
	}
	return false
}

func writeFacts(out io.Writer, facts []fact, at time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SUBJECT\tATTRIBUTE\tVALUE\tFROM\tUNTIL\tNOW")
	for _, f := range facts {
		holds := "yes"
		switch {
		case !f.notBefore.IsZero() && at.Before(f.notBefore):
			holds = "not yet"
		case !f.notAfter.IsZero() && !at.Before(f.notAfter):
			holds = "ended"
		}
		fmt.Fprintf(w, "%s:%s\t%s\t%s\t%s\t%s\t%s\n", f.subject.Type, f.subject.Value, f.attribute, plain(f.value),
			moment(f.notBefore, "since ever"), moment(f.notAfter, "for ever"), holds)
	}
	return w.Flush()
}

// moment writes a time, or other words for none.
func moment(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func registryAttributesCommand(f *registryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "attributes",
		Short: "List the attributes that requests may ask for",
		Long: `Attributes lists the eHealth catalogue and, with --config, what the file defines
besides. Identification attributes are claimed and
compared with certificates; certified ones are looked up in an authentic source
by the number that "of" names. Only certified ones can be imported, those that
the server computes itself excepted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			catalogue, err := f.catalogue()
			if err != nil {
				return err
			}
			return writeCatalogue(cmd.OutOrStdout(), catalogue)
		},
	}
}

func writeCatalogue(out io.Writer, catalogue *attrs.Catalogue) error {
	for i, group := range []attrs.Group{attrs.GroupIdentification, attrs.GroupPerson, attrs.GroupOrganisation} {
		if i > 0 {
			fmt.Fprintln(out)
		}
		namespace, how := attrs.NamespaceCertified, "OF"
		if group == attrs.GroupIdentification {
			namespace, how = attrs.NamespaceIdentification, "PROVEN BY"
		}
		fmt.Fprintf(out, "%s (%s)\n\n", group, namespace)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "NAME\tKIND\t%s\tMEANING\n", how)
		for d := range catalogue.In(group) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Name, d.Kind, provenBy(d), d.Title)
			for _, alias := range d.Aliases {
				fmt.Fprintf(w, "%s\t\t\tthe same, by another name\n", alias)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// provenBy says on what an attribute rests: a certificate, or the subjects of a source.
func provenBy(d *attrs.Definition) string {
	switch {
	case !d.Certified():
		return d.Binding.String()
	case d.Computed:
		return "computed by the server"
	}
	var types []string
	for _, t := range d.SubjectTypes() {
		if len(types) == 0 || types[len(types)-1] != string(t) {
			types = append(types, string(t))
		}
	}
	return strings.Join(types, ", ")
}
