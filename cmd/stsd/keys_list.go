package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sceau/certs"
	"sceau/certs/pkcs11"
)

func keysListCommand(now func() time.Time) *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "list --config FILE",
		Short: "Say how every signing key stands: state, certificate, schedule, place, health",
		Long: `List tries every key that signs or will, as a server does at its start. The
status is 1 when the key that should sign now does not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := keySystem(path, now)
			if err != nil {
				return err
			}
			listed, err := s.listKeys()
			if err != nil {
				return err
			}
			for i := range listed {
				if err := listed[i].write(cmd.OutOrStdout(), now()); err != nil {
					return err
				}
			}
			for i := range listed {
				if listed[i].state == certs.KeyCurrent.String() {
					if listed[i].health != nil {
						return finding("the current key does not sign")
					}
					return nil
				}
			}
			return finding("no key is current; begin with one: stsd keys rollover ID --now")
		},
	}
	return keysFlags(c, &path)
}

// A listedKey is what list says of a key.
type listedKey struct {
	id, state, place  string
	certificate       *certs.Certificate
	from, until, gone time.Time
	published         time.Time
	forced, withdrawn bool
	tried             bool
	health            error
}

func (s *system) listKeys() ([]listedKey, error) {
	if s.config.Signing.Dir.V == "" {
		return s.listSingle()
	}
	dir, err := s.keyFolder()
	if err != nil {
		return nil, err
	}
	file, err := readKeyFile(dir)
	if err != nil {
		return nil, err
	}
	var listed []listedKey
	for i := range file.Keys {
		e := &file.Keys[i]
		one := listedKey{id: e.ID, place: e.Key, published: e.Published, from: e.Activate, forced: e.Forced, withdrawn: !e.Withdrawn.IsZero()}
		if e.Certificate == "" {
			one.state = "waits for its certificate"
			listed = append(listed, one)
			continue
		}
		state, set, at, err := s.stateOf(file, dir, e.ID, s.now())
		if err != nil {
			return nil, err
		}
		one.state, one.certificate = state.String(), set.Keys()[at].Certificate
		one.from, one.until = set.Window(at)
		one.gone = set.PublishedUntil(at)
		if state == certs.KeyCurrent || state == certs.KeyNext {
			one.tried = true
			_, one.health = s.try(dir, e)
		}
		listed = append(listed, one)
	}
	return listed, nil
}

// listSingle lists the one key of a configuration without a folder.
func (s *system) listSingle() ([]listedKey, error) {
	p := &problems{file: "signing"}
	k := s.loadKeys(p)
	if k == nil {
		return nil, p.err()
	}
	defer k.close(nil)
	if len(k.set.Keys()) != 1 {
		return nil, errors.New("no key")
	}
	key := &k.set.Keys()[0]
	return []listedKey{{id: key.ID, state: certs.KeyCurrent.String(), place: k.places[key.ID], certificate: key.Certificate,
		published: key.Published, from: key.Activate, tried: true}}, nil
}

func (l *listedKey) write(out io.Writer, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say := func(what, format string, arguments ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", what, plain(fmt.Sprintf(format, arguments...)))
	}
	fmt.Fprintf(w, "%s: %s\n", plain(l.id), l.state)
	place := l.place
	if pkcs11.IsURI(place) {
		say("key", "on a token: %s", place)
	} else {
		say("key", "%s", place)
	}
	if c := l.certificate; c != nil {
		fingerprint := c.Fingerprint()
		say("algorithm", "%s", algorithmOf(c.PublicKey()))
		say("subject", "%s", c.Subject())
		say("issuer", "%s", c.Issuer())
		say("SHA-256", "%x", fingerprint)
		say("valid", "%s to %s, %s", stamp(c.NotBefore()), stamp(c.NotAfter()), left(c.NotAfter().Sub(now)))
		say("published", "since %s%s", stamp(l.published), until(l.gone, l.withdrawn))
		if l.from.IsZero() {
			say("signs", "not scheduled: stsd keys rollover %s", l.id)
		} else {
			forced := ""
			if l.forced {
				forced = ", forced"
			}
			say("signs", "from %s%s%s", stamp(l.from), until(l.until, false), forced)
		}
	}
	switch {
	case l.tried && l.health != nil:
		say("health", "%s", strings.ReplaceAll(l.health.Error(), "\n", "; "))
	case l.tried:
		say("health", "signed a probe that verifies")
	}
	return w.Flush()
}

func until(t time.Time, withdrawn bool) string {
	switch {
	case t.IsZero():
		return ""
	case withdrawn:
		return " until " + stamp(t) + ", withdrawn"
	}
	return " until " + stamp(t)
}

func left(d time.Duration) string {
	if d < 0 {
		return "ended"
	}
	return count(int(d.Hours()/24), "day", "days") + " left"
}
