package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sceau/soap"
	"sceau/wsc"
)

type proxyFlags struct {
	network
	trust
	sessionFlags
	listen, password string
	to               []string
	expose           bool
}

func proxyCommand() *cobra.Command {
	f := &proxyFlags{sessionFlags: sessionFlags{asking: newAsking()}}
	cmd := &cobra.Command{
		Use:   "proxy --to URL --sts URL --identity FILE [--holder FILE] --trust FILE (--app NAME | --attribute NAME)…",
		Short: "Give an old client an endpoint that adds the security header",
		Long: `Listens on this machine for SOAP 1.1 messages without security header, puts the token
and the signature of the holder's key into each, sends it to --to, and gives back what
the service answers. The token is asked when it is first needed and renewed in time.

Everybody who reaches the endpoint acts in the name of the identity. It listens on
loopback only, refuses browsers, and with --password-file asks for a password (HTTP Basic,
any user name). --to /PATH=URL sends one path to one service, --to URL all others; the same
again names a second endpoint of the service.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8181", "`ADDRESS` to listen on; port 0 takes a free one")
	flags.StringArrayVar(&f.to, "to", nil, "`[/PATH=]URL` of the service (repeatable)")
	flags.StringVar(&f.password, "password-file", "", "`FILE` with the password that clients must give")
	flags.BoolVar(&f.expose, "expose", false, "allow other machines to reach the endpoint; wants --password-file")
	f.sessionFlags.register(flags)
	f.trust.register(flags)
	f.network.register(flags)
	return cmd
}

func (f *proxyFlags) run(cmd *cobra.Command) error {
	if err := need(cmd, "to", "sts", "identity", "trust"); err != nil {
		return err
	}
	p := &proxy{log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)), expose: f.expose}
	var err error
	if p.routes, err = routes(f.to); err != nil {
		return err
	}
	if f.password != "" {
		content, err := os.ReadFile(f.password)
		if err != nil {
			return err
		}
		text := strings.TrimRight(string(content), "\r\n")
		if text == "" {
			return usage("--password-file %s is empty", f.password)
		}
		sum := sha256.Sum256([]byte(text))
		p.password = sum[:]
	}
	if f.expose && p.password == nil {
		return usage("--expose wants --password-file: everybody who reaches the endpoint acts in your name")
	}
	client, done, err := makeClient(&f.network, &f.trust, func(c *wsc.Config) {
		f.shape(c)
		c.MaxAnswer = maxProxied
	})
	if err != nil {
		return err
	}
	defer done()
	session, end, err := f.open(cmd, client, false, p.log)
	if err != nil {
		return err
	}
	defer end()
	p.session = session
	listener, err := f.bind()
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "listening on http://%s\n", listener.Addr())
	return p.serve(cmd.Context(), listener)
}

// bind listens, on loopback unless told otherwise: it looks at the address that was
// bound, whatever name it had.
func (f *proxyFlags) bind() (net.Listener, error) {
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return nil, err
	}
	if address := listener.Addr().(*net.TCPAddr); !address.IP.IsLoopback() && !f.expose {
		listener.Close()
		return nil, usage("--listen %s reaches beyond this machine; --expose if you mean it", f.listen)
	}
	return listener, nil
}

// routes reads --to: endpoints by path, "" being all other paths.
func routes(texts []string) (map[string][]string, error) {
	all := map[string][]string{}
	for _, text := range texts {
		path, target := "", text
		if strings.HasPrefix(text, "/") {
			var ok bool
			if path, target, ok = strings.Cut(text, "="); !ok {
				return nil, usage("--to %q is neither URL nor /PATH=URL", text)
			}
		}
		if u, err := url.Parse(target); err != nil || u.Host == "" {
			return nil, usage("--to %q: no URL", text)
		}
		all[path] = append(all[path], target)
	}
	return all, nil
}

// A proxy adds the security header to what an old client sends.
type proxy struct {
	session  *wsc.Session
	routes   map[string][]string
	password []byte // SHA-256; nil: none is asked
	expose   bool
	log      *slog.Logger
}

// Bounds of the proxy.
const (
	maxProxied     = 8 << 20
	proxyWriteTime = 2 * time.Minute
)

func (p *proxy) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: p, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: proxyWriteTime, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		server.Close()
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, why := p.refuses(r); status != 0 {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="wsc proxy", charset="UTF-8"`)
		}
		w.Header().Set("Connection", "close")
		http.Error(w, why, status)
		return
	}
	endpoints := p.routes[r.URL.Path]
	if endpoints == nil {
		endpoints = p.routes[""]
	}
	if endpoints == nil {
		http.Error(w, "no --to for this path", http.StatusNotFound)
		return
	}
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxProxied))
	if err != nil {
		http.Error(w, "message too large, or cut off", http.StatusRequestEntityTooLarge)
		return
	}
	action := strings.Trim(r.Header.Get("SOAPAction"), `" `)
	answer, err := p.session.Relay(r.Context(), endpoints, action, message)
	if err != nil {
		p.fault(w, r, err)
		return
	}
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	if answer.CorrelationID != "" {
		w.Header().Set("X-CorrelationID", answer.CorrelationID)
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

// refuses says what is no SOAP message of a client on this machine. A page in a browser
// reaches loopback too: it sends Origin or Sec-Fetch-Site, or another Host than ours when
// its name was made to mean this machine (DNS rebinding); text/xml it may not send elsewhere
// without asking first, and nobody answers that here.
func (p *proxy) refuses(r *http.Request) (status int, why string) {
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return http.StatusForbidden, "no pages in browsers"
	}
	if !p.expose && !localHost(r.Host) {
		return http.StatusForbidden, "not the name of this machine: use 127.0.0.1 or localhost"
	}
	if p.password != nil {
		_, given, _ := r.BasicAuth()
		sum := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(sum[:], p.password) != 1 {
			return http.StatusUnauthorized, "password"
		}
	}
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "POST a SOAP 1.1 message"
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "text/xml" {
		return http.StatusUnsupportedMediaType, "SOAP 1.1 is text/xml"
	}
	return 0, ""
}

// localHost reports whether a Host is this machine's. A client of HTTP/1.0 may send none;
// a browser does.
func localHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	ip := net.ParseIP(name)
	return host == "" || name == "localhost" || ip != nil && ip.IsLoopback()
}

// fault tells an old client in its own terms that nothing came of it: the cause is in
// the log, under the id.
func (p *proxy) fault(w http.ResponseWriter, r *http.Request, err error) {
	id := rand.Text()
	f := soap.Fault{Code: soap.FaultServer, SOA: soap.SOATemporarily, ID: id}
	var status *wsc.StatusError
	var fault *wsc.Fault
	switch reason := wsc.ReasonOf(err); {
	case errors.As(err, &status), errors.As(err, &fault), reason.Refused(), reason == wsc.BadCredentials, reason == wsc.KeyUnavailable:
		f.SOA = soap.SOANotAuthenticated // no token
	case reason == wsc.BadRequest:
		f.Code, f.SOA = soap.FaultClient, soap.SOAMalformed
	}
	p.log.Warn("not relayed", "id", id, "path", wsc.Printable([]byte(r.URL.Path)), "error", sentence(err))
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write(soap.AppendFault(nil, f))
}
