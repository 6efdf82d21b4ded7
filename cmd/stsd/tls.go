package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"sceau/certs"
)

// tlsSettings is what a TLS listener shows and what it asks of clients. It is immutable.
type tlsSettings struct {
	config *tls.Config
	// print tells settings apart by their certificates, with which every key goes.
	print [sha256.Size]byte
}

// readTLS reads the files of a TLS listener; nil for one without, and after a problem.
func (s *system) readTLS(l *listenerConfig, p *problems) *tlsSettings {
	if l.Certificate.V == "" {
		if !l.ClientAuthorities.IsZero() {
			p.add(l.ClientAuthorities.Line, "listen: client-authorities go with certificate and key")
		}
		return nil
	}
	pair, err := tls.LoadX509KeyPair(s.config.path(l.Certificate), s.config.path(l.Key))
	if err != nil {
		p.add(l.Certificate.Line, "listen: %v", err)
		return nil
	}
	sum := sha256.New()
	for _, der := range pair.Certificate {
		sum.Write(der) // DER says itself where it ends
	}
	settings := &tlsSettings{config: &tls.Config{
		MinVersion:   tls.VersionTLS12, // 1.3 where the client has it, with Go's own choice of suites
		NextProtos:   []string{"http/1.1"},
		Certificates: []tls.Certificate{pair},
		Time:         s.now,
		// Session tickets stay on: a new connection costs more than a request. Their keys
		// belong to this one Config and Go changes them daily.
	}}
	if !l.ClientAuthorities.IsZero() {
		sum.Write([]byte("client-authorities"))
		before := len(p.list)
		settings.config.ClientCAs = s.readClientAuthorities(l, sum, p)
		settings.config.ClientAuth = tls.RequireAndVerifyClientCert
		if len(p.list) > before {
			return nil
		}
	}
	sum.Sum(settings.print[:0])
	return settings
}

// readClientAuthorities reads the CA certificates under which clients are admitted and
// writes them to sum.
func (s *system) readClientAuthorities(l *listenerConfig, sum io.Writer, p *problems) *x509.CertPool {
	pool := x509.NewCertPool() // never nil: nil would be every CA that the system trusts
	var files []value[string]
	if err := l.ClientAuthorities.Decode(&files); err != nil || len(files) == 0 {
		p.add(l.ClientAuthorities.Line, "listen: client-authorities is a list of files; leave it out to ask clients for no certificate")
	}
	for _, file := range files {
		ders, err := certs.ReadCertificates(s.config.path(file))
		if err == nil && len(ders) == 0 {
			err = errors.New("no certificate in it")
		}
		for _, der := range ders {
			authority, wrong := x509.ParseCertificate(der)
			switch {
			case wrong != nil:
				err = errors.Join(err, wrong)
			case !authority.BasicConstraintsValid || !authority.IsCA:
				err = errors.Join(err, fmt.Errorf("%s is no CA", authority.Subject))
			default:
				pool.AddCert(authority)
				sum.Write(der)
				if s.now().After(authority.NotAfter) {
					s.log.Warn("a client authority has ended and admits nobody", "file", file.V, "ended", authority.NotAfter)
				}
			}
		}
		if err != nil {
			p.add(file.Line, "listen: client-authorities: %s: %v", file.V, err)
		}
	}
	return pool
}

// admits tells whether a client that was admitted under other settings would be under these.
func (t *tlsSettings) admits(client *tls.ConnectionState) bool {
	if t.config.ClientAuth == tls.NoClientCert {
		return true
	}
	if len(client.PeerCertificates) == 0 {
		return false
	}
	options := x509.VerifyOptions{Roots: t.config.ClientCAs, CurrentTime: t.config.Time(),
		Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range client.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := client.PeerCertificates[0].Verify(options)
	return err == nil
}

// A tlsListener takes TLS connections under settings that a reload may replace.
type tlsListener struct {
	net.Listener
	settings atomic.Pointer[tlsSettings]
	refused  func(error) // told of each connection whose handshake failed
}

func newTLSListener(plain net.Listener, settings *tlsSettings, refused func(error)) *tlsListener {
	l := &tlsListener{Listener: plain, refused: refused}
	l.settings.Store(settings)
	return l
}

// replace changes the settings, when they differ: for new connections, and for what the
// open ones send from now on. Session tickets of the old settings open nothing then,
// since the keys of tickets go with the settings.
func (l *tlsListener) replace(settings *tlsSettings) {
	if l.settings.Load().print != settings.print {
		l.settings.Store(settings)
	}
}

// Accept returns a connection whose handshake is still to come.
func (l *tlsListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	settings := l.settings.Load()
	return &tlsConn{Conn: tls.Server(conn, settings.config), listener: l, settings: settings}, nil
}

// A tlsConn is a connection of a tlsListener. One goroutine reads.
type tlsConn struct {
	*tls.Conn
	listener *tlsListener
	settings *tlsSettings // under which the client is admitted
	shaken   atomic.Bool  // the handshake is done
	told     sync.Once
}

// Handshake runs the handshake, once; one that fails is told.
func (c *tlsConn) Handshake() error {
	err := c.Conn.Handshake()
	if err != nil {
		c.told.Do(func() { c.listener.refused(err) })
	}
	c.shaken.Store(err == nil)
	return err
}

var errNoHandshake = errors.New("write before the TLS handshake")

// Write writes what the server says, after the handshake and not before: an accept loop
// that turns a connection away writes so itself, and would wait in the handshake for a
// client that is silent, and everybody else with it.
func (c *tlsConn) Write(b []byte) (int, error) {
	if !c.shaken.Load() {
		return 0, errNoHandshake
	}
	return c.Conn.Write(b)
}

// Read reads what the client sends. A connection without a handshake ends as if nothing
// had come: there is nobody to answer. So does one whose client the settings of now no
// longer admit.
func (c *tlsConn) Read(b []byte) (int, error) {
	if c.Handshake() != nil {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(b)
	now := c.listener.settings.Load()
	if now == c.settings || n == 0 {
		return n, err
	}
	client := c.ConnectionState()
	if !now.admits(&client) {
		c.told.Do(func() { c.listener.refused(errWithdrawn) })
		return 0, io.EOF
	}
	c.settings = now
	return n, err
}
