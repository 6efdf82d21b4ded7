package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"sceau/wsp"
	"sceau/wsp/authzen"
	"sceau/wsp/cedar"
)

// The values of pdp.engine.
const (
	engineCedar   = "cedar"
	engineAuthZEN = "authzen"
)

// check finds what is wrong with the keys by themselves.
func (c *pdpConfig) check(wrong func(string, ...any)) {
	if kind, id, _ := strings.Cut(c.Resource, "::"); kind == "" || id == "" {
		wrong("pdp.resource: not Type::id")
	}
	if (c.Certificate.path == "") != (c.Key.path == "") {
		wrong("pdp: client-certificate and client-key need each other")
	}
	switch {
	case c.Engine == engineCedar && c.Directory.path == "":
		wrong("pdp.directory: missing")
	case c.Engine == engineCedar && (c.URL != "" || c.Token.path != "" || len(c.Authorities) > 0 || c.Certificate.path != "" || c.Timeout != 0 || c.Attributes):
		wrong("pdp: keys of authzen beside engine: cedar")
	case c.Engine == engineAuthZEN && c.URL == "":
		wrong("pdp.url: missing")
	case c.Engine == engineAuthZEN && (c.Directory.path != "" || c.AbsentIsNone):
		wrong("pdp: keys of cedar beside engine: authzen")
	case c.Engine != engineCedar && c.Engine != engineAuthZEN:
		wrong("pdp.engine: not cedar or authzen")
	}
}

// pdp makes the decision point; nil: there is none.
func (c *config) pdp() (wsp.PDP, error) {
	p := c.PDP
	if p == nil {
		return nil, nil
	}
	kind, id, _ := strings.Cut(p.Resource, "::")
	if p.Engine == engineCedar {
		made, err := cedar.New(cedar.Config{
			Files: os.DirFS(c.path(p.Directory)), Action: p.Action, Resource: cedar.Resource{Type: kind, ID: id}, AbsentIsNone: p.AbsentIsNone,
		})
		if err != nil {
			return nil, p.Directory.wrong(fmt.Errorf("pdp: %w", err))
		}
		return made, nil
	}
	client, err := c.pdpClient()
	if err != nil {
		return nil, err
	}
	token := ""
	if p.Token.path != "" {
		text, err := os.ReadFile(c.path(p.Token))
		if err != nil {
			return nil, p.Token.wrong(fmt.Errorf("pdp.token-file: %w", err))
		}
		if token = strings.TrimSpace(string(text)); token == "" {
			return nil, p.Token.wrong(errors.New("pdp.token-file: empty"))
		}
	}
	made, err := authzen.New(authzen.Config{
		URL: p.URL, Client: client, Token: token, Timeout: time.Duration(p.Timeout), Action: p.Action,
		Resource: authzen.Resource{Type: kind, ID: id}, Attributes: p.Attributes,
	})
	if err != nil {
		return nil, fmt.Errorf("pdp: %w", err)
	}
	return made, nil
}

func (c *config) pdpClient() (*http.Client, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.PDP.Authorities) > 0 {
		pool, err := c.pool(c.PDP.Authorities)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = pool
	}
	if c.PDP.Certificate.path != "" {
		pair, err := tls.LoadX509KeyPair(c.path(c.PDP.Certificate), c.path(c.PDP.Key))
		if err != nil {
			return nil, c.PDP.Certificate.wrong(fmt.Errorf("pdp.client-certificate: %w", err))
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings, MaxIdleConnsPerHost: c.Limits.Concurrent, IdleConnTimeout: 30 * time.Second}}, nil
}
