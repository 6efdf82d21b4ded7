package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sceau/wsc"
)

// sessionFlags say how a token is had and kept.
type sessionFlags struct {
	asking
	sts                              []string
	store, storeKey, storePassphrase string
	renewal                          string
}

func (f *sessionFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.sts, "sts", nil, "`URL` of the token service (repeatable: the next is asked when the one before fails)")
	f.asking.register(flags)
	f.fallback.register(flags, "an eHealth certificate that asks while the key of --identity does not sign")
	flags.StringVar(&f.action, "sts-action", wsc.ActionRequestSecurityToken, "SOAPAction `URI` for the token service")
	flags.StringVar(&f.store, "store", "", "`FILE` that keeps the token, encrypted; made when it does not exist")
	flags.StringVar(&f.storeKey, "store-key", "", "`FILE` with the key of --store: 32 octets, or 64 hexadecimal digits")
	flags.StringVar(&f.storePassphrase, "store-passphrase-file", "", "`FILE` with the passphrase of --store, in place of a key")
	flags.StringVar(&f.renewal, "renewal", wsc.SlidingWindow.String(), "sliding-window or on-expiry")
}

// open makes the session, and what closes it.
func (f *sessionFlags) open(cmd *cobra.Command, client *wsc.Client, lazy bool, log *slog.Logger) (*wsc.Session, func(), error) {
	renewal, err := wsc.ParseRenewal(f.renewal)
	if err != nil {
		return nil, nil, usageError{err}
	}
	credentials, request, err := f.ask(cmd)
	if err != nil {
		f.asking.close()
		return nil, nil, err
	}
	config := wsc.SessionConfig{
		Client: client, Endpoints: f.sts, Credentials: credentials, Request: *request, Renewal: renewal, Lazy: lazy,
		Notify: func(e wsc.SessionEvent) { logEvent(log, e) },
	}
	var session *wsc.Session
	if config.Store, err = f.openStore(); err == nil {
		session, err = wsc.NewSession(config)
	}
	if err != nil {
		f.asking.close()
		return nil, nil, err
	}
	return session, func() {
		session.Close()
		f.asking.close()
	}, nil
}

// openStore opens the store, nil without --store.
func (f *sessionFlags) openStore() (*wsc.Store, error) {
	if f.store == "" {
		if f.storeKey != "" || f.storePassphrase != "" {
			return nil, usage("a key of a store without --store")
		}
		return nil, nil
	}
	if (f.storeKey == "") == (f.storePassphrase == "") {
		return nil, usage("--store wants --store-key or --store-passphrase-file")
	}
	read, file := wsc.ReadStoreKey, f.storeKey
	if file == "" {
		read, file = wsc.ReadStorePassphrase, f.storePassphrase
	}
	key, err := read(file)
	if err != nil {
		return nil, err
	}
	return wsc.OpenStore(f.store, key)
}

// logEvent writes what happened in a session.
func logEvent(log *slog.Logger, e wsc.SessionEvent) {
	level, attributes := slog.LevelInfo, []any{}
	add := func(name string, value any, there bool) {
		if there {
			attributes = append(attributes, name, value)
		}
	}
	add("endpoint", e.Endpoint, e.Endpoint != "")
	add("mode", e.Mode.String(), e.Mode != 0)
	add("until", moment(e.Until), !e.Until.IsZero())
	add("next", moment(e.Next), !e.Next.IsZero())
	if e.Err != nil {
		level = slog.LevelWarn
		add("error", sentence(e.Err), true)
	}
	log.Log(context.Background(), level, e.Kind.String(), attributes...)
}
