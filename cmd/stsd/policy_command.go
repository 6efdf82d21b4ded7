package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/attrs"
	"sceau/certs"
	"sceau/certs/pkcs11"
	"sceau/policy/cedar"
	"sceau/policy/store"
)

func policyCommand() *cobra.Command { return newPolicyCommand(time.Now) }

func newPolicyCommand(now func() time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Check, try and change policies, and explain what they decide",
		Long: `Policies lie in a directory, which may be kept in git, or as versions in the store
that the configuration names as policy.store. A version lives so:

  stsd policy propose DIR --key KEY       a version of the files in DIR, in review
  stsd policy diff N                      what it changes
  stsd policy dry-run N                   which recorded decisions would change
  stsd policy approve N --content DIGEST --key OTHER   by a second person: it is in force
  stsd policy rollback N --key KEY        back to what was in force before

Each step is signed with the key of an administrator, and every server verifies all
of them. lint, test, diff, dry-run and explain work on a directory too.

Where POLICIES is asked for, say a directory, the number of a version, or active:
what the configuration has now.`,
	}
	f := &policyFlags{now: now}
	c.PersistentFlags().StringVar(&f.config, "config", "", "configuration `file` of the server")
	_ = c.MarkPersistentFlagRequired("config") // fails only for a flag that is not there
	c.AddCommand(policyInitCommand(f), policyProposeCommand(f), policySubmitCommand(f), policyApproveCommand(f), policyActivateCommand(f),
		policyRejectCommand(f), policyWithdrawCommand(f), policyRollbackCommand(f), policyLogCommand(f), policyExportCommand(f), policyDiffCommand(f),
		policyLintCommand(f), policyTestCommand(f), policyDryRunCommand(f), policyExplainCommand(f))
	return c
}

// policyFlags are those of all commands of policy.
type policyFlags struct {
	now         func() time.Time
	config, key string
	note        string
}

func (f *policyFlags) addKey(c *cobra.Command) {
	c.Flags().StringVar(&f.key, "key", "", "your key: a PEM `file`, or a pkcs11 URI")
	c.Flags().StringVar(&f.note, "note", "", "`why`, in a line; it stays in the history")
	_ = c.MarkFlagRequired("key") // fails only for a flag that is not there
}

// A policyDesk is a configuration as one works on its policies.
type policyDesk struct {
	*system
	store   *store.Store // nil: the policies are in no store
	history *store.History
}

// desk reads the configuration, and the history of the store if there is one.
func (f *policyFlags) desk(ctx context.Context, write bool) (*policyDesk, error) {
	p := &problems{file: f.config}
	config := readConfig(f.config, p)
	if err := p.err(); err != nil {
		return nil, err
	}
	d := &policyDesk{system: &system{config: config, now: f.now, log: slog.New(slog.DiscardHandler)}}
	if config.Policy.Store.IsZero() {
		if write {
			return nil, errors.New("the configuration names no policy.store: its policies are changed where they lie")
		}
		return d, nil
	}
	if d.store = d.openPolicyStore(p, write); d.store == nil {
		return nil, p.err()
	}
	var err error
	if d.history, err = d.store.History(ctx); err != nil {
		return nil, errors.Join(err, d.store.Close())
	}
	return d, nil
}

// at runs a command at a desk.
func (f *policyFlags) at(write bool, run func(c *cobra.Command, d *policyDesk, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		d, err := f.desk(c.Context(), write)
		if err != nil {
			return err
		}
		if d.store == nil {
			return run(c, d, args)
		}
		return errors.Join(run(c, d, args), d.store.Close())
	}
}

// set gives the policies that a word names: a version, active, or a directory.
func (d *policyDesk) set(ctx context.Context, word string) (*policySet, error) {
	set := &policySet{engine: d.config.Policy.Engine.or(policyRules), line: d.config.Policy.Line}
	number, err := strconv.ParseInt(word, 10, 64)
	switch {
	case word == "active" && d.store == nil:
		p := &problems{file: "policy"}
		if set = d.openPolicySet(p); set == nil {
			return nil, p.err()
		}
		return set, nil
	case word == "active":
		v, ok := d.history.Active()
		if !ok {
			return nil, errors.New("no version is in force yet")
		}
		number = v.Number
	case err != nil || strings.ContainsRune(word, os.PathSeparator):
		if info, err := os.Stat(word); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, fmt.Errorf("%s is no directory", word)
		}
		set.files = os.DirFS(word)
		return set, nil
	case d.store == nil:
		return nil, fmt.Errorf("%s is the number of a version, and the configuration names no policy.store; a directory of that name is ./%s", word, word)
	}
	v, err := d.history.Version(number)
	if err != nil {
		return nil, err
	}
	return d.stored(ctx, v)
}

// stored gives the policies of a version.
func (d *policyDesk) stored(ctx context.Context, v store.Version) (*policySet, error) {
	b, err := d.store.Bundle(ctx, v.Content)
	if err != nil {
		return nil, err
	}
	return &policySet{engine: d.config.Policy.Engine.or(policyRules), files: b.FS(), version: v, history: d.history}, nil
}

// catalogueOf gives the attributes that a set of policies may speak of.
func (d *policyDesk) catalogueOf(set *policySet) (*attrs.Catalogue, error) {
	p := &problems{file: d.config.dir}
	probe := &system{config: d.config, set: set}
	if probe.loadCatalogue(p); len(p.list) > 0 {
		return nil, p.err()
	}
	return probe.catalogue, nil
}

// A checked is a set of policies that loads and whose tests hold.
type checked struct {
	*policySet
	catalogue *attrs.Catalogue
	warnings  []string
	tests     int
}

// check makes every check that a server makes before it puts policies in force, but for which attributes its sources have.
func (d *policyDesk) check(ctx context.Context, set *policySet) (*checked, error) {
	catalogue, err := d.catalogueOf(set)
	if err != nil {
		return nil, err
	}
	pdp, err := set.open(catalogue, noResolver{})
	if err != nil {
		return nil, err
	}
	if err := set.hold(ctx, catalogue); err != nil {
		return nil, err
	}
	tests, err := set.tests(catalogue)
	if err != nil {
		return nil, err
	}
	one := &checked{policySet: set, catalogue: catalogue, tests: len(tests)}
	for _, w := range lint(pdp) {
		one.warnings = append(one.warnings, plain(w.String()))
	}
	if policies, ok := pdp.(*cedar.Policies); ok {
		if err := checkClients(d.config, policies); err != nil {
			return nil, err
		}
	}
	return one, nil
}

func (c *checked) warn(out io.Writer) {
	for _, w := range c.warnings {
		fmt.Fprintln(out, "hardly meant:", w)
	}
}

// signer opens the key of an administrator.
func (d *policyDesk) signer(key string) (*certs.Signer, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	p := &problems{}
	var k policyStoreKeys
	decodeKeys(&d.config.Policy.Store, "policy: store", &k, p, policyStoreNames...)
	var last error
	for _, a := range k.Administrators {
		one := &keyring{engines: map[string]string{}, places: map[string]string{}, tokens: map[string]*pkcs11.Key{}, names: map[*pkcs11.Key]string{}}
		config := certs.KeyConfig{Key: key, Certificate: d.config.path(a.Certificate), At: d.now()}
		err := d.place(one, a.Name.V, dir, &config)
		if err != nil {
			return nil, err
		}
		signer, err := certs.LoadSigner(config)
		if err == nil {
			return signer, nil
		}
		one.close(nil)
		if reason := certs.ReasonOf(err); last == nil || reason != certs.Mismatch {
			last = err
		}
	}
	if last == nil || certs.ReasonOf(last) == certs.Mismatch {
		return nil, errors.New("the key is that of no administrator")
	}
	return nil, last
}

// versionArg reads the number of a version.
func (d *policyDesk) versionArg(text string) (store.Version, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return store.Version{}, fmt.Errorf("%q is no number of a version", text)
	}
	return d.history.Version(number)
}
