package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"

	"sceau/certs"
	"sceau/soap"
	"sceau/wsp"
)

// proxy passes admitted messages to the service. It signs no message and passes on nothing that nobody verified: of the request,
// the headers that the configuration names and the body of the message; of the caller, what the minter writes.
type proxy struct {
	guard       *wsp.Guard
	minter      *minter // nil: the service is not told who calls
	upstream    *upstreamConfig
	target      *url.URL
	actions     map[string]string
	environment string
	now         func() time.Time
	log         *slog.Logger
	reverse     *httputil.ReverseProxy
	transport   *http.Transport
	wsdl        []byte
}

// passed is what next learns of a request besides the caller.
type passed struct{ message *bytes.Buffer } // as it came; nil unless the service wants it so

// outgoing is what goes to the service.
type outgoing struct {
	body   []byte
	action string
	token  string
}

type (
	passedKey   struct{}
	outgoingKey struct{}
)

func (c *config) proxy(guard *wsp.Guard, m *minter, log *slog.Logger) (*proxy, error) {
	u := c.Upstream
	target, err := url.Parse(u.URL)
	if err != nil {
		return nil, fmt.Errorf("upstream.url: %w", err)
	}
	p := &proxy{guard: guard, minter: m, upstream: u, target: target, actions: c.Actions, environment: c.Environment, now: time.Now, log: log}
	settings, err := c.upstreamTLS()
	if err != nil {
		return nil, err
	}
	if u.WSDL.path != "" {
		if p.wsdl, err = os.ReadFile(c.path(u.WSDL)); err != nil {
			return nil, u.WSDL.wrong(fmt.Errorf("upstream.wsdl: %w", err))
		}
	}
	p.transport = &http.Transport{
		Proxy: nil, TLSClientConfig: settings, DisableCompression: true, // what the client asked for is passed on
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: time.Duration(u.Timeout),
		MaxIdleConnsPerHost:   c.Limits.Concurrent,
		IdleConnTimeout:       time.Minute,
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: p.transport, ErrorHandler: p.failed, ModifyResponse: p.answered,
		BufferPool: answers{}, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return p, nil
}

// answers lends what answers are copied through: 32 KiB, more than all else that a call through the proxy allocates.
type answers struct{}

var answerBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (answers) Get() []byte  { return answerBuffers.Get().(*[32 << 10]byte)[:] }
func (answers) Put(b []byte) { answerBuffers.Put((*[32 << 10]byte)(b)) }

func (p *proxy) close() { p.transport.CloseIdleConnections() }

func (c *config) upstreamTLS() (*tls.Config, error) {
	u := c.Upstream
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(u.Authorities) > 0 {
		pool, err := c.pool(u.Authorities)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = pool
	}
	if u.Certificate.path != "" {
		pair, err := tls.LoadX509KeyPair(c.path(u.Certificate), c.path(u.Key))
		if err != nil {
			return nil, u.Certificate.wrong(fmt.Errorf("upstream.client-certificate: %w", err))
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}

// pool reads authorities of TLS.
func (c *config) pool(files []file) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, f := range files {
		ders, err := certs.ReadCertificates(c.path(f))
		if err != nil {
			return nil, f.wrong(err)
		}
		for _, der := range ders {
			authority, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, f.wrong(err)
			}
			pool.AddCert(authority)
		}
	}
	return pool, nil
}

// handler is the proxy behind its guard.
func (p *proxy) handler() http.Handler {
	guarded := p.guard.Handler(http.HandlerFunc(p.admitted))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && p.wsdl != nil && r.URL.RawQuery == "wsdl" {
			w.Header().Set("Content-Type", "text/xml; charset=utf-8")
			w.Write(p.wsdl) // a client that went away is its own affair
			return
		}
		if p.upstream.Forward == forwardMessage {
			kept := &bytes.Buffer{}
			r = r.WithContext(context.WithValue(r.Context(), passedKey{}, passed{kept}))
			r.Body = tee{io.TeeReader(r.Body, kept), r.Body} // no more than the guard reads
		}
		guarded.ServeHTTP(w, r)
	})
}

type tee struct {
	io.Reader
	io.Closer
}

// admitted passes an admitted message on.
func (p *proxy) admitted(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	caller := wsp.CallerFrom(ctx)
	out := outgoing{action: actionOf(p.actions, caller)}
	if was, ok := ctx.Value(passedKey{}).(passed); ok {
		out.body = was.message.Bytes()
	} else {
		out.body = soap.AppendClose(caller.AppendBody(soap.AppendOpen(nil)))
	}
	if p.minter != nil {
		var err error
		if out.token, err = p.minter.caller(caller, wsp.DecisionIDFrom(ctx), out.body, p.now()); err != nil {
			p.log.Error("token of a caller not made", "id", wsp.DecisionIDFrom(ctx), "cause", err)
			answerFault(w, http.StatusInternalServerError, soap.Fault{Code: soap.FaultServer, SOA: soap.SOAServiceError, Environment: p.environment, ID: wsp.DecisionIDFrom(ctx)})
			return
		}
	}
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(ctx, outgoingKey{}, out)))
}

// actionOf is the SOAPAction of what was signed: that which the configuration has for the operation, else the empty one, by which
// the address says what is meant (SOAP 1.1 section 6.1.1). What the client sent is signed by nobody (attacks.md W23).
func actionOf(actions map[string]string, caller *wsp.Caller) string {
	namespace, name := caller.Operation()
	return `"` + actions["{"+namespace+"}"+name] + `"`
}

// rewrite makes the request to the service anew: nothing is left of the client's but what is named.
func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	out := r.Out.Context().Value(outgoingKey{}).(outgoing)
	header := http.Header{}
	for _, name := range p.upstream.Headers {
		name = http.CanonicalHeaderKey(name)
		if values := r.In.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	if len(header["User-Agent"]) == 0 {
		header["User-Agent"] = []string{""} // none, rather than Go's
	}
	header.Set("Content-Type", "text/xml; charset=utf-8")
	header.Set("SOAPAction", out.action)
	if p.minter != nil {
		header.Set(p.minter.config.Header, out.token)
	}
	r.Out.Method, r.Out.Header, r.Out.Trailer, r.Out.TransferEncoding = http.MethodPost, header, nil, nil
	at := *p.target
	r.Out.URL, r.Out.Host = &at, ""
	r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(out.body)), int64(len(out.body))
	r.Out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.body)), nil }
}

// answered takes out of the answer what is for the service alone.
func (p *proxy) answered(response *http.Response) error {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return errors.New("the service switches protocols")
	}
	if p.minter != nil {
		response.Header.Del(p.minter.config.Header)
	}
	return nil
}

// failed answers for a service that does not.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	id := wsp.DecisionIDFrom(r.Context())
	if errors.Is(err, context.Canceled) {
		p.log.Info("the client went away", "id", id)
		return
	}
	p.log.Error("service does not answer", "id", id, "cause", err)
	status := http.StatusBadGateway
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		status = http.StatusGatewayTimeout
	}
	answerFault(w, status, soap.Fault{Code: soap.FaultServer, SOA: soap.SOATemporarily, Environment: p.environment, ID: id})
}

func answerFault(w http.ResponseWriter, status int, fault soap.Fault) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	w.Write(soap.AppendFault(nil, fault)) // a client that went away is its own affair
}
