package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/certs"
	"sceau/soap"
	"sceau/sts"
	"sceau/wsc"
	"sceau/wsp"
	"sceau/wsp/echo"
)

//go:embed demo-policy.yaml
var demoPolicy []byte

const (
	doctorBoolean = "urn:be:fgov:person:ssin:doctor:boolean"
	doctorNIHII   = "urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"
)

func demoCommand() *cobra.Command {
	var once bool
	var dir string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole road at work: a token is asked, used, and refused",
		Long: `Make a PKI and a registry of invented people, start the token service and a
guarded service on loopback, ask for two tokens, call the service with one, and show
three refusals. The servers run on until interrupted, unless --once is given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			d := &demo{out: cmd.OutOrStdout(), dir: dir, once: once}
			return d.run(ctx)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "end after the demonstration")
	c.Flags().StringVar(&dir, "dir", "", "folder for the files (default: a new one in the folder for temporary files)")
	return c
}

// A demo is one demonstration.
type demo struct {
	out  io.Writer
	dir  string
	once bool
	step int

	system   *system
	stsURL   string
	echoURL  string
	client   *wsc.Client
	trust    *certs.Verifier
	adminURL string
	oidc     *demoProvider
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) title(format string, args ...any) {
	d.step++
	d.say("\n%d. %s", d.step, fmt.Sprintf(format, args...))
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.dir == "" {
		if d.dir, err = os.MkdirTemp("", "sceau-demo-"); err != nil {
			return err
		}
	}
	if entries, err := os.ReadDir(d.dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: the demonstration writes keys and configuration, and overwrites nothing", d.dir)
	}
	d.say("Sceau: a security token service for health care. All names and numbers are invented.")
	if err := d.prepare(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer d.system.close()
	defer d.trust.Close()
	err = d.show(ctx)
	if err == nil {
		d.files()
		if !d.once {
			d.invite()
			select {
			case <-ctx.Done():
			case err = <-ended:
				ended <- nil
			}
			d.say("\nStopping.")
		}
	}
	stop()
	return errors.Join(err, <-ended)
}

// prepare writes PKI, registry, policy and configuration.
func (d *demo) prepare(ctx context.Context) error {
	d.title("A certification authority for eIDs, one for eHealth certificates, and people")
	if err := makeDemoPKI(filepath.Join(d.dir, "pki"), time.Now()); err != nil {
		return err
	}
	d.say("   Alice Example, a doctor, and Bob Sample, a nurse, each with an eID (P-256) and")
	d.say("   an eHealth certificate of their software (RSA-2048).")

	d.title("The authentic source: a registry, imported from CSV")
	csv := filepath.Join(d.dir, "registry.csv")
	if err := os.WriteFile(csv, []byte(demoRegistry), 0o600); err != nil {
		return err
	}
	r, err := registry.Open(registry.Config{Path: filepath.Join(d.dir, "registry.db"), Access: registry.ReadWrite, Catalogue: attrs.EHealth()})
	if err != nil {
		return err
	}
	file, err := os.Open(csv)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	report, err := r.ImportCSV(ctx, file, registry.ModeReplace)
	if err := errors.Join(err, file.Close(), r.Close()); err != nil {
		return err
	}
	d.say("   %d facts about %d people; every number's check digits verified.", report.Rows, report.Subjects)
	return os.WriteFile(filepath.Join(d.dir, "policy.yaml"), demoPolicy, 0o600)
}

// start starts the token service and the guarded service. The channel gives the end
// of both.
func (d *demo) start(ctx context.Context) (chan error, error) {
	requests, err := bind("127.0.0.1:8080")
	if err != nil {
		return nil, err
	}
	operators, err := bind("127.0.0.1:9090")
	if err != nil {
		return nil, err
	}
	address, admin := requests.Addr().String(), operators.Addr().String()
	var faces []net.Listener
	for _, preferred := range []string{"127.0.0.1:9443", "127.0.0.1:9444", "127.0.0.1:8082"} {
		l, err := bind(preferred)
		if err != nil {
			return nil, err
		}
		faces = append(faces, l)
	}
	if err := d.prepareOIDC(faces[0], faces[1], faces[2]); err != nil {
		return nil, err
	}
	path := filepath.Join(d.dir, "stsd.yaml")
	if err := os.WriteFile(path, []byte(demoConfig(address, admin)+"oidc: oidc.yaml\n"), 0o600); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(d.out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p := &problems{file: path}
	if config := readConfig(path, p); len(p.list) == 0 {
		d.system = build(config, p, log)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	d.system.bound = map[string]net.Listener{address: requests, admin: operators, faces[0].Addr().String(): faces[0], faces[1].Addr().String(): faces[1]}
	d.stsURL, d.adminURL = "http://"+address+pathQuery, "http://"+admin

	echoServer, err := d.echo(log)
	if err != nil {
		return nil, err
	}
	if err := d.oidc.serveApp(faces[2], d.dir); err != nil {
		return nil, err
	}
	ended := make(chan error, 2)
	ready := make(chan struct{})
	go func() {
		err := d.system.serve(ctx, nil, path, func([]string) { close(ready) })
		ended <- errors.Join(err, echoServer.Close(), d.oidc.server.Close())
	}()
	select {
	case <-ready:
	case err := <-ended:
		return nil, err
	}
	d.title("The token service listens at %s", d.stsURL)
	d.say("   and a service that it protects at %s", d.echoURL)
	d.say("   The identity provider is %s", d.oidc.issuer)
	return ended, nil
}

// echo starts the guarded service: it admits doctors only.
func (d *demo) echo(log *slog.Logger) (*http.Server, error) {
	var err error
	if d.trust, err = d.providerTrust(); err != nil {
		return nil, err
	}
	guardLog, err := os.OpenFile(filepath.Join(d.dir, "guard.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	guard, err := wsp.NewGuard(wsp.Config{
		Certificates: d.trust, Issuers: []string{sts.IssuerName}, Replay: soap.NewMemoryReplay(10_000),
		Require:     []wsp.Requirement{{Designator: attrs.Designator{Name: doctorBoolean, Namespace: attrs.NamespaceCertified}, Values: []string{"true"}}},
		Environment: "Test", Skew: time.Minute, Log: slog.New(slog.NewTextHandler(guardLog, nil)),
	})
	if err != nil {
		return nil, err
	}
	listener, err := bind("127.0.0.1:8081")
	if err != nil {
		return nil, err
	}
	d.echoURL = "http://" + listener.Addr().String() + "/echo"
	server := &http.Server{Handler: echo.Handler(guard), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("echo service", "error", err)
		}
	}()
	d.client, err = wsc.NewClient(wsc.Config{Trust: d.trust})
	return server, err
}

// providerTrust is what a provider and a consumer trust: the STS by its name under the
// eHealth CA, and holders of eHealth certificates.
func (d *demo) providerTrust() (*certs.Verifier, error) {
	pki := func(name string) string { return filepath.Join(d.dir, "pki", name) }
	authority := func(name string) (*certs.Authority, error) {
		ders, err := certs.ReadCertificates(pki(name))
		if err != nil {
			return nil, err
		}
		return &certs.Authority{Certificate: ders[0]}, nil
	}
	root, err := authority("ehealth-root.pem")
	if err != nil {
		return nil, err
	}
	issuer, err := authority("ehealth-ca.pem")
	if err != nil {
		return nil, err
	}
	issuerOfAssertions := certs.TokenIssuer()
	issuerOfAssertions.Roots, issuerOfAssertions.Intermediates = []*certs.Authority{root}, []*certs.Authority{issuer}
	issuerOfAssertions.Subjects = []string{d.system.signer.Certificate().Subject().String()}
	holder := certs.EHealthPlatform(certs.RoleHolder)
	holder.Roots, holder.Intermediates = issuerOfAssertions.Roots, issuerOfAssertions.Intermediates
	return certs.NewVerifier(certs.Config{
		Profiles: []certs.Profile{issuerOfAssertions, holder},
		CRL:      certs.CRLConfig{Files: []string{pki("crl")}}, Log: slog.New(slog.DiscardHandler),
	})
}

// show asks, calls and is refused.
func (d *demo) show(ctx context.Context) error {
	alice, err := d.credentials("alice", "alice")
	if err != nil {
		return err
	}
	bob, err := d.credentials("bob", "bob")
	if err != nil {
		return err
	}
	d.title("Alice opens a session for APP1, which needs %s", doctorNIHII)
	if _, err := d.token(ctx, "alice-app1.xml", alice, doctorNIHII); err != nil {
		return err
	}
	d.title("and for APP2, which needs %s", doctorBoolean)
	token, err := d.token(ctx, "alice-app2.xml", alice, doctorBoolean)
	if err != nil {
		return err
	}
	d.title("She calls the service with the token of APP2; the guard verifies it and admits her")
	body := []byte(`<demo:Ask xmlns:demo="urn:example:demo">Who am I?</demo:Ask>`)
	answer, err := d.client.Call(ctx, d.echoURL, "urn:example:demo:Ask", token, body)
	if err != nil {
		return err
	}
	d.say("%s", indent(string(answer)))

	d.title("Bob asks the same. He is no doctor: the answer is a signed false")
	token, err = d.token(ctx, "bob-app2.xml", bob, doctorBoolean)
	if err != nil {
		return err
	}
	d.title("and the service, which admits doctors only, refuses him")
	if err := d.refused(d.client.Call(ctx, d.echoURL, "urn:example:demo:Ask", token, body)); err != nil {
		return err
	}
	d.say("   The guard's reason stands in guard.log under that id.")
	d.title("Bob asks for the NIHII number that is for doctors' applications, with his own software")
	_, err = d.client.Token(ctx, d.stsURL, bob, request(doctorNIHII))
	if err := d.refused(nil, err); err != nil {
		return err
	}
	if err := d.stolen(ctx); err != nil {
		return err
	}
	return d.login(ctx)
}

// stolen shows a holder-of-key certificate used by somebody who does not have its key.
func (d *demo) stolen(ctx context.Context) error {
	d.title("Somebody sends Alice's holder-of-key certificate and signs with Bob's key")
	message, err := d.forged()
	if err != nil {
		return err
	}
	answer := d.system.service.AttributeQuery(ctx, &sts.Message{Body: message}, nil)
	status, ok := statusMessage(answer.Body)
	if !ok || status != sts.ConfirmationFailed.Message() {
		return fmt.Errorf("the forged request was answered with %q", status)
	}
	d.say("   refused: %s", status)
	d.say("   What exactly failed stands in the audit trail: go run ./cmd/stsd audit list --dir %s --id %s", filepath.Join(d.dir, "audit"), answer.Audit)
	return nil
}

func (d *demo) credentials(eid, holder string) (*wsc.Credentials, error) {
	load := func(name string) (*certs.Signer, error) {
		base := filepath.Join(d.dir, "pki", name)
		return certs.LoadSigner(certs.KeyConfig{Key: base + ".key", Certificate: base + ".pem", At: time.Now()})
	}
	identity, err := load(eid + "-eid")
	if err != nil {
		return nil, err
	}
	software, err := load(holder + "-ehealth")
	if err != nil {
		return nil, err
	}
	return wsc.NewCredentials(wsc.ModeSession, identity, software)
}

func request(name string) *wsc.Request {
	return &wsc.Request{Attributes: []attrs.Designator{{Name: name, Namespace: attrs.NamespaceCertified}}, Validity: 8 * time.Hour}
}

// token asks for a token with one certified attribute, tells what is in it, and keeps
// its assertion, byte for byte, in a file.
func (d *demo) token(ctx context.Context, file string, who *wsc.Credentials, name string) (*wsc.Token, error) {
	token, err := d.client.Token(ctx, d.stsURL, who, request(name))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(d.dir, file), token.Assertion(), 0o600); err != nil {
		return nil, err
	}
	d.say("   assertion %s, %d bytes, from %s, kept in %s", token.ID(), len(token.Assertion()), token.Issuer(), file)
	d.say("   valid from %s to %s", token.NotBefore().UTC().Format(time.RFC3339), token.NotOnOrAfter().UTC().Format(time.RFC3339))
	for _, a := range token.Attributes() {
		d.say("   %s = %q", a.Name, a.Values)
	}
	return token, nil
}

// refused requires that something was refused, and says how.
func (d *demo) refused(_ []byte, err error) error {
	var fault *wsc.Fault
	var status *wsc.StatusError
	switch {
	case err == nil:
		return errors.New("what should have been refused was admitted")
	case errors.As(err, &fault), errors.As(err, &status):
		d.say("   refused: %v", err)
		return nil
	}
	return err
}

func (d *demo) files() {
	d.title("What was made lies in %s", d.dir)
	d.say("   *.xml         the assertions, byte for byte: go run ./cmd/wsc show %s", filepath.Join(d.dir, "alice-app2.xml"))
	d.say("   pki/          authorities, certificates, keys, CRLs")
	d.say("   registry.csv  the facts; registry.db the registry")
	d.say("   policy.yaml   who may have which attributes; stsd.yaml the configuration")
	d.say("   audit/        one record for each request: go run ./cmd/stsd audit verify --dir %s", filepath.Join(d.dir, "audit"))
}

func (d *demo) invite() {
	pki := func(name string) string { return filepath.Join(d.dir, "pki", name) }
	d.say("\nThe servers run until interrupted (Ctrl-C). In another terminal:")
	d.say("\n  go run ./cmd/wsc token --sts %s \\\n    --identity %s --identity-key %s \\\n    --holder %s --holder-key %s \\\n    --trust %s --app APP2 --out token.xml",
		d.stsURL, pki("alice-eid.pem"), pki("alice-eid.key"), pki("alice-ehealth.pem"), pki("alice-ehealth.key"), pki("sts.pem"))
	d.say("\n  In a browser (it does not know the authority, pki/server-root.pem): %s\n  alice or bob, password %q; or the card of pki/alice-eid.pem", d.oidc.app.address, demoPassword)
	d.say("\n  curl '%s?wsdl'\n  curl %s/metrics", d.stsURL, d.adminURL)
}

// bind listens on preferred, or on another loopback address when somebody does already.
func bind(preferred string) (net.Listener, error) {
	if listener, err := net.Listen("tcp", preferred); err == nil {
		return listener, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}
