package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sceau/policy/store"
)

func policyInitCommand(f *policyFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "init --config FILE",
		Short: "Make the policy store, or bring it up to date",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p := &problems{file: f.config}
			config := readConfig(f.config, p)
			if err := p.err(); err != nil {
				return err
			}
			if config.Policy.Store.IsZero() {
				return errors.New("the configuration names no policy.store")
			}
			s := &system{config: config, now: f.now}
			settings, _ := s.readPolicyStore(p)
			if err := p.err(); err != nil {
				return err
			}
			if err := store.Init(c.Context(), settings); err != nil {
				return err
			}
			opened, err := store.Open(settings)
			if err != nil {
				return err
			}
			history, err := opened.History(c.Context())
			if err := errors.Join(err, opened.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "policy store %s, %s\n", history.Store(), count(len(history.Versions()), "version", "versions"))
			return err
		},
	}
}

// step takes one step in the life of a version and says where it stands then.
func (d *policyDesk) step(c *cobra.Command, f *policyFlags, act store.Act) (store.Version, error) {
	signer, err := d.signer(f.key)
	if err != nil {
		return store.Version{}, err
	}
	act.Note, act.Key = f.note, signer
	e, err := d.store.Append(c.Context(), act)
	if err != nil {
		return store.Version{}, asFinding(err)
	}
	if d.history, err = d.store.History(c.Context()); err != nil {
		return store.Version{}, err
	}
	v, err := d.history.Version(e.Version)
	if err != nil {
		return v, err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "version %d: %s (event %d, %s by %s)\n", v.Number, v.State, e.Number, e.Kind, e.Actor)
	return v, err
}

// asFinding makes of what the rules refuse a plain no.
func asFinding(err error) error {
	switch store.ReasonOf(err) {
	case store.NotAllowed, store.SameHand, store.WrongState, store.Stale, store.NoVersion:
		return finding(err.Error())
	}
	return err
}

// checkVersion makes all checks of a version.
func (d *policyDesk) checkVersion(ctx context.Context, v store.Version) (*checked, error) {
	set, err := d.stored(ctx, v)
	if err != nil {
		return nil, err
	}
	return d.check(ctx, set)
}

func policyProposeCommand(f *policyFlags) *cobra.Command {
	var draft bool
	var again int64
	c := &cobra.Command{
		Use:   "propose DIR --key KEY --config FILE",
		Short: "Make a version of the files in a directory, and hand it in for review",
		Long: `Propose checks the files as a server does, runs the tests beside them, and keeps
them as a new version, on top of the one that is in force. --draft keeps them
without handing them in, and without a check that they are good: stsd policy
submit does that. --version N changes version N, a draft or one that was rejected.`,
		Args: cobra.ExactArgs(1),
		RunE: f.at(true, func(c *cobra.Command, d *policyDesk, args []string) error {
			bundle, err := store.ReadBundle(os.DirFS(args[0]))
			if err != nil {
				return err
			}
			set := &policySet{engine: d.config.Policy.Engine.or(policyRules), files: bundle.FS()}
			if !draft {
				one, err := d.check(c.Context(), set)
				if err != nil {
					return err
				}
				one.warn(c.ErrOrStderr())
			}
			v, err := d.step(c, f, store.Act{Kind: store.KindDraft, Version: again, Bundle: bundle})
			if err != nil || draft {
				return err
			}
			if v, err = d.step(c, f, store.Act{Kind: store.KindSubmit, Version: v.Number, Content: v.Content}); err != nil {
				return err
			}
			return d.writeContent(c, v)
		}),
	}
	f.addKey(c)
	c.Flags().BoolVar(&draft, "draft", false, "keep it, and do not hand it in")
	c.Flags().Int64Var(&again, "version", 0, "change version `N`")
	return c
}

// writeContent says what a second person is to look at.
func (d *policyDesk) writeContent(c *cobra.Command, v store.Version) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), "content %s\n", v.Content)
	return err
}

func policySubmitCommand(f *policyFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "submit N --key KEY --config FILE",
		Short: "Hand in a draft for review, checked and with its tests run",
		Args:  cobra.ExactArgs(1),
		RunE: f.at(true, func(c *cobra.Command, d *policyDesk, args []string) error {
			v, err := d.versionArg(args[0])
			if err != nil {
				return err
			}
			one, err := d.checkVersion(c.Context(), v)
			if err != nil {
				return err
			}
			one.warn(c.ErrOrStderr())
			if v, err = d.step(c, f, store.Act{Kind: store.KindSubmit, Version: v.Number, Content: v.Content}); err != nil {
				return err
			}
			return d.writeContent(c, v)
		}),
	}
	f.addKey(c)
	return c
}

// minContent is how much of a digest is said at least, in hex digits: what nobody makes another content for.
const minContent = 32

func policyApproveCommand(f *policyFlags) *cobra.Command {
	var content string
	var hold bool
	c := &cobra.Command{
		Use:   "approve N --content DIGEST --key KEY --config FILE",
		Short: "Approve a version that others wrote, and put it in force",
		Long: `Approve says that you have looked at version N with this content (stsd policy diff
shows it, with the digest: all of it, or the first 32 digits and more) and that it
is to be in force. Whoever had a hand in a version cannot approve it. When it has
the approvals that the configuration asks for it is put in force, unless --hold
leaves that for stsd policy activate. It is checked, and its tests are run, first.`,
		Args: cobra.ExactArgs(1),
		RunE: f.at(true, func(c *cobra.Command, d *policyDesk, args []string) error {
			v, err := d.versionArg(args[0])
			if err != nil {
				return err
			}
			if len(content) < minContent || !strings.HasPrefix(v.Content.String(), strings.ToLower(content)) {
				return finding(fmt.Sprintf("version %d does not have the content that --content says; look at it: stsd policy diff %d", v.Number, v.Number))
			}
			one, err := d.checkVersion(c.Context(), v)
			if err != nil {
				return err
			}
			one.warn(c.ErrOrStderr())
			v, err = d.step(c, f, store.Act{Kind: store.KindApprove, Version: v.Number, Content: v.Content})
			if err != nil || hold || v.State != store.StateApproved {
				return err
			}
			_, err = d.step(c, f, store.Act{Kind: store.KindActivate, Version: v.Number, Content: v.Content})
			return err
		}),
	}
	f.addKey(c)
	c.Flags().StringVar(&content, "content", "", "`digest` of the content that you have looked at")
	c.Flags().BoolVar(&hold, "hold", false, "do not put it in force yet")
	_ = c.MarkFlagRequired("content") // fails only for a flag that is not there
	return c
}

// stepCommand makes a command that takes one step; with check the version is checked as a whole before.
func (f *policyFlags) stepCommand(kind store.Kind, short, long string, check bool) *cobra.Command {
	c := &cobra.Command{
		Use:   string(kind) + " N --key KEY --config FILE",
		Short: short, Long: long, Args: cobra.ExactArgs(1),
		RunE: f.at(true, func(c *cobra.Command, d *policyDesk, args []string) error {
			v, err := d.versionArg(args[0])
			if err != nil {
				return err
			}
			if check {
				one, err := d.checkVersion(c.Context(), v)
				if err != nil {
					return err
				}
				one.warn(c.ErrOrStderr())
			}
			_, err = d.step(c, f, store.Act{Kind: kind, Version: v.Number, Content: v.Content})
			return err
		}),
	}
	f.addKey(c)
	return c
}

func policyActivateCommand(f *policyFlags) *cobra.Command {
	return f.stepCommand(store.KindActivate, "Put an approved version in force", "", true)
}

func policyRejectCommand(f *policyFlags) *cobra.Command {
	return f.stepCommand(store.KindReject, "Reject a version that is in review or approved", "Reject gives a version back: it may be changed (propose --version N) and handed in again.", false)
}

func policyWithdrawCommand(f *policyFlags) *cobra.Command {
	return f.stepCommand(store.KindWithdraw, "Take back a version that you had a hand in", "", false)
}

func policyRollbackCommand(f *policyFlags) *cobra.Command {
	return f.stepCommand(store.KindRollback, "Put in force again what was in force before", `Rollback puts version N in force again, which was in force before and has its
approvals: one person may do that. It is checked, and its tests are run, since
attributes may have changed meanwhile.`, true)
}

func policyExportCommand(f *policyFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "export POLICIES DIR --config FILE",
		Short: "Write the files of a version into a new directory",
		Args:  cobra.ExactArgs(2),
		RunE: f.at(false, func(c *cobra.Command, d *policyDesk, args []string) error {
			set, err := d.set(c.Context(), args[0])
			if err != nil {
				return err
			}
			if set.files == nil {
				return errors.New("the policies are one file, where it lies")
			}
			if _, err := os.Stat(args[1]); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s is there already", args[1])
			}
			return os.CopyFS(args[1], set.files)
		}),
	}
}
