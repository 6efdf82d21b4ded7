package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/certs"
	"sceau/certs/pkcs11"
)

func keysCommand() *cobra.Command { return newKeysCommand(time.Now) }

func newKeysCommand(now func() time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "Make signing keys, change them by schedule, and see how they stand",
		Long: `The signing keys lie in the folder that the configuration names as signing.dir,
and with them keys.yaml, which says when each of them signs. A key lives so:

  stsd keys generate ID --subject "C=BE, O=…, CN=…"   a key, and a request for the CA
  stsd keys install ID CERTIFICATE                     the CA's answer: it is published
  stsd keys rollover ID                                it is to sign, when all can know it
  stsd keys retire OLD                                 (rarely) no longer published

Every command checks the whole schedule before it changes anything. A running
server notices a change by itself within seconds, and says in its log that it
took or refused it.`,
	}
	c.AddCommand(keysListCommand(now), keysGenerateCommand(now), keysAddCommand(now), keysInstallCommand(now), keysRolloverCommand(now), keysRetireCommand(now))
	return c
}

// keysFlags adds the flag that every command of keys has.
func keysFlags(c *cobra.Command, path *string) *cobra.Command {
	c.Flags().StringVar(path, "config", "", "configuration `file` of the server")
	_ = c.MarkFlagRequired("config") // fails only for a flag that is not there
	return c
}

// keySystem reads what of a configuration speaks of signing.
func keySystem(path string, now func() time.Time) (*system, error) {
	p := &problems{file: path}
	config := readConfig(path, p)
	if err := p.err(); err != nil {
		return nil, err
	}
	return &system{config: config, now: now, log: slog.New(slog.DiscardHandler)}, nil
}

// keysAt reads what of a configuration speaks of signing, and gives the folder of the keys.
func keysAt(path string, now func() time.Time) (s *system, dir string, err error) {
	if s, err = keySystem(path, now); err != nil {
		return nil, "", err
	}
	dir, err = s.keyFolder()
	return s, dir, err
}

// keyFolder gives the folder of the keys.
func (s *system) keyFolder() (string, error) {
	if s.config.Signing.Dir.V == "" {
		return "", errors.New("the configuration names no signing.dir: one key of signing.key is not changed by schedule; see: stsd keys --help")
	}
	return s.config.path(s.config.Signing.Dir), nil
}

// changeKeys changes the schedule, and refuses what would not be a good one afterwards.
func (s *system) changeKeys(dir string, change func(*keyFile) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return changeKeyFile(dir, func(f *keyFile) error {
		if err := change(f); err != nil {
			return err
		}
		config := s.config.keySchedule()
		for i := range f.Keys {
			if f.Keys[i].Certificate == "" {
				continue
			}
			one, err := f.Keys[i].schedule(dir)
			if err != nil {
				return fmt.Errorf("key %s: %w", f.Keys[i].ID, err)
			}
			config.Keys = append(config.Keys, one)
		}
		_, err := certs.NewKeySet(config)
		return err
	})
}

// try opens the key of an entry and lets it sign a probe, as the server will.
func (s *system) try(dir string, e *keyEntry) (*certs.Signer, error) {
	p := &problems{}
	compute := s.loadEngine(p)
	if compute == nil {
		return nil, errors.New(p.list[0].text)
	}
	one, err := e.schedule(dir)
	if err != nil {
		return nil, err
	}
	k := &keyring{engines: map[string]string{}, places: map[string]string{}, tokens: map[string]*pkcs11.Key{}, names: map[*pkcs11.Key]string{}}
	defer k.close(nil)
	return s.openScheduled(k, dir, e, &one, s.now(), compute)
}

func keysAddCommand(now func() time.Time) *cobra.Command {
	var path, key, certificate string
	c := &cobra.Command{
		Use:   "add ID --key FILE|URI --certificate FILE --config FILE",
		Short: "Take up a key that is there already, with its certificate",
		Long: `Add takes up a key that was made elsewhere: a PEM file, or a key on a token by
its pkcs11 URI. Neither key nor certificate is copied. The key must sign a probe
that verifies with the certificate, as every key that comes into the schedule.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := keysAt(path, now)
			if err != nil {
				return err
			}
			e := keyEntry{ID: args[0], Key: key, Certificate: certificate}
			if !pkcs11.IsURI(key) {
				if e.Key, err = filepath.Abs(key); err != nil {
					return err
				}
			}
			if e.Certificate, err = filepath.Abs(certificate); err != nil {
				return err
			}
			if err := s.changeKeys(dir, func(f *keyFile) error {
				if err := f.fresh(e.ID); err != nil {
					return err
				}
				if _, err := s.try(dir, &e); err != nil {
					return err
				}
				e.Published = now().UTC().Truncate(time.Second)
				f.Keys = append(f.Keys, e)
				return nil
			}); err != nil {
				return err
			}
			return s.sayPublished(cmd.OutOrStdout(), e.ID)
		},
	}
	c.Flags().StringVar(&key, "key", "", "the private key: a PEM `file`, or a pkcs11 URI")
	c.Flags().StringVar(&certificate, "certificate", "", "its certificate, a PEM `file`")
	_ = c.MarkFlagRequired("key")
	_ = c.MarkFlagRequired("certificate")
	return keysFlags(c, &path)
}

// fresh refuses an id that is no name or is taken.
func (f *keyFile) fresh(id string) error {
	if !keyID.MatchString(id) {
		return fmt.Errorf("%q is no id of a key: letters, digits, dots, hyphens and underscores, up to 64", id)
	}
	if f.find(id) != nil {
		return fmt.Errorf("there is a key %s already", id)
	}
	return nil
}

func (s *system) sayPublished(out io.Writer, id string) error {
	ahead := s.config.keySchedule().PublishAhead
	_, err := fmt.Fprintf(out, `key %s: its certificate is published from now on, by a server that runs within seconds
next: after %s from now, stsd keys rollover %s
`, id, days(ahead), id)
	return err
}

// days writes a duration as people say it.
func days(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return count(int(d/(24*time.Hour)), "day", "days")
	}
	return d.String()
}

func keysInstallCommand(now func() time.Time) *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "install ID CERTIFICATE --config FILE",
		Short: "Take the certificate that the CA made for a key, and publish it",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := keysAt(path, now)
			if err != nil {
				return err
			}
			id, target := args[0], args[0]+".pem"
			if err := s.changeKeys(dir, func(f *keyFile) error {
				e := f.find(id)
				if e == nil {
					return fmt.Errorf("there is no key %s", plain(id))
				}
				if e.Certificate != "" {
					return fmt.Errorf("key %s has its certificate; another one wants a key of its own", id)
				}
				trial := *e
				if trial.Certificate, err = filepath.Abs(args[1]); err != nil {
					return err
				}
				if _, err := s.try(dir, &trial); err != nil {
					return err
				}
				content, err := os.ReadFile(args[1])
				if err != nil {
					return err
				}
				if err := writeNew(filepath.Join(dir, target), content, 0o644); err != nil {
					return err
				}
				e.Certificate, e.Published = target, now().UTC().Truncate(time.Second)
				return nil
			}); err != nil {
				return err
			}
			return s.sayPublished(cmd.OutOrStdout(), id)
		},
	}
	return keysFlags(c, &path)
}

func keysRolloverCommand(now func() time.Time) *cobra.Command {
	var path, at string
	var immediately, force bool
	c := &cobra.Command{
		Use:   "rollover ID --config FILE",
		Short: "Schedule a key to sign, or let it sign now",
		Long: `Rollover lets the key ID sign from a moment on, in place of the one before it:
by default as soon as its certificate has been published for
signing.publish-ahead, so that whoever verifies assertions could fetch it. Sooner
needs --force: then some will refuse what is signed until they have it.

The key is tried first: it must sign a probe, its certificate must be valid at
that moment and fit for signatures.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := keysAt(path, now)
			if err != nil {
				return err
			}
			if at != "" && immediately {
				return errors.New("either --at or --now")
			}
			var begins time.Time
			if err := s.changeKeys(dir, func(f *keyFile) error {
				begins, err = s.scheduleKey(f, dir, args[0], at, immediately, force)
				return err
			}); err != nil {
				return err
			}
			return sayRollover(cmd.OutOrStdout(), args[0], begins, now(), force)
		},
	}
	c.Flags().StringVar(&at, "at", "", "the `moment`, in RFC 3339: 2027-01-31T04:00:00+01:00")
	c.Flags().BoolVar(&immediately, "now", false, "at once")
	c.Flags().BoolVar(&force, "force", false, "even if its certificate was not published long enough")
	return keysFlags(c, &path)
}

func sayRollover(out io.Writer, id string, begins, now time.Time, forced bool) error {
	text := fmt.Sprintf("key %s signs from %s on, in %v\n", id, stamp(begins), begins.Sub(now).Round(time.Minute))
	if !begins.After(now) {
		text = fmt.Sprintf("key %s signs from now on, on a server that runs within seconds\n", id)
	}
	if forced {
		text += "forced: who has not fetched its certificate will refuse what it signs\n"
	}
	_, err := io.WriteString(out, text+"see: stsd keys list\n")
	return err
}

// scheduleKey schedules a key in the file.
func (s *system) scheduleKey(f *keyFile, dir, id, at string, immediately, force bool) (time.Time, error) {
	now := s.now().UTC().Truncate(time.Second)
	e := f.find(id)
	switch {
	case e == nil:
		return now, fmt.Errorf("there is no key %s", plain(id))
	case e.Certificate == "":
		return now, fmt.Errorf("key %s waits for its certificate: stsd keys install %s CERTIFICATE", id, id)
	case !e.Activate.IsZero() && !e.Activate.After(now):
		return now, fmt.Errorf("key %s signs since %s, or has signed; what was cannot be changed", id, stamp(e.Activate))
	}
	config := s.config.keySchedule()
	others := 0
	for i := range f.Keys {
		if o := &f.Keys[i]; o.ID != id && !o.Activate.IsZero() {
			others++
		}
	}
	moment := e.Published.Add(config.PublishAhead)
	switch {
	case at != "":
		var err error
		if moment, err = time.Parse(time.RFC3339, at); err != nil {
			return now, fmt.Errorf("%q is no moment such as 2027-01-31T04:00:00+01:00", plain(at))
		}
		if moment.Before(now) {
			return now, fmt.Errorf("%s is past", stamp(moment))
		}
	case immediately || others == 0: // nobody could know the first
		moment = now
	case moment.Before(now):
		moment = now
	}
	if others == 0 && moment.After(now) {
		return now, errors.New("no key signs before this one: the first begins at once (--now)")
	}
	moment = moment.UTC().Truncate(time.Second)
	e.Activate, e.Forced = moment, force
	_, err := s.try(dir, e)
	return moment, err
}

func keysRetireCommand(now func() time.Time) *cobra.Command {
	var path string
	var force bool
	c := &cobra.Command{
		Use:   "retire ID --config FILE",
		Short: "Publish the certificate of a key no longer, or take back a key that has not signed",
		Long: `A key that has ceased to sign stays published for signing.publish-after by itself,
so that the last assertion which it signed can be verified. Retire ends that
before; it needs --force while such an assertion may live, as after a compromise.
A key that has not signed yet is taken out of the schedule. No file of a key is
deleted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := keysAt(path, now)
			if err != nil {
				return err
			}
			var said string
			if err := s.changeKeys(dir, func(f *keyFile) error {
				said, err = s.retire(f, dir, args[0], force)
				return err
			}); err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), said)
			return err
		},
	}
	c.Flags().BoolVar(&force, "force", false, "although assertions that it signed may live")
	return keysFlags(c, &path)
}

// retire withdraws a key, or takes it out.
func (s *system) retire(f *keyFile, dir, id string, force bool) (string, error) {
	now := s.now().UTC().Truncate(time.Second)
	e := f.find(id)
	if e == nil {
		return "", fmt.Errorf("there is no key %s", plain(id))
	}
	state, set, i, err := s.stateOf(f, dir, id, now)
	if err != nil {
		return "", err
	}
	switch {
	case state == certs.KeyCurrent:
		return "", fmt.Errorf("key %s signs: let another begin first (stsd keys rollover)", id)
	case state == certs.KeyRetired && !force:
		return "", fmt.Errorf("assertions that key %s signed may live until %s, when it is published no longer by itself; --force ends it now",
			id, stamp(set.PublishedUntil(i)))
	case state == certs.KeyRetired:
		e.Withdrawn = now
		return fmt.Sprintf("key %s: its certificate is published no longer; what it signed is refused by whoever follows\nits private key may be destroyed: %s\n", id, e.Key), nil
	case state == certs.KeyGone:
		return fmt.Sprintf("key %s is published no longer since %s\nits private key may be destroyed: %s\n", id, stamp(set.PublishedUntil(i)), e.Key), nil
	}
	var kept []keyEntry
	for _, one := range f.Keys {
		if one.ID != id {
			kept = append(kept, one)
		}
	}
	said := fmt.Sprintf("key %s is out of the schedule; it had not signed\nits files are left: %s\n", id, strings.TrimSuffix(e.Key+" "+e.Certificate, " "))
	f.Keys = kept
	return said, nil
}

// stateOf tells where a key is in its life; one without a certificate is next.
func (s *system) stateOf(f *keyFile, dir, id string, now time.Time) (certs.KeyState, *certs.KeySet, int, error) {
	config := s.config.keySchedule()
	at := -1
	for i := range f.Keys {
		if f.Keys[i].Certificate == "" {
			continue
		}
		one, err := f.Keys[i].schedule(dir)
		if err != nil {
			return 0, nil, 0, fmt.Errorf("key %s: %w", f.Keys[i].ID, err)
		}
		if one.ID == id {
			at = len(config.Keys)
		}
		config.Keys = append(config.Keys, one)
	}
	set, err := certs.NewKeySet(config)
	if err != nil || at < 0 {
		return certs.KeyNext, set, at, err
	}
	return set.State(at, now), set, at, nil
}
