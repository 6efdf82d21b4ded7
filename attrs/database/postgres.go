package database

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// DSNError says why a DSN cannot be read, and nothing of what stands in it: it may be a password in a wrong place.
func DSNError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("the DSN names a file that cannot be read: %w", path)
	}
	return errors.New("the DSN cannot be read: want postgres://user@host/database?sslmode=verify-full, or keys and values")
}

// Verified refuses a DSN with a host elsewhere that would not be proven to be itself: who answers in its place knows the
// password, or decides who is a doctor.
func Verified(c *pgx.ConnConfig) error {
	check := func(host string, t *tls.Config) error {
		if local(host) || t != nil && !t.InsecureSkipVerify && t.ServerName != "" {
			return nil
		}
		return fmt.Errorf("the server %s is not verified: want sslmode=verify-full", host)
	}
	if err := check(c.Host, c.TLSConfig); err != nil {
		return err
	}
	for _, f := range c.Fallbacks { // further hosts, and the same without TLS where sslmode is allow or prefer
		if err := check(f.Host, f.TLSConfig); err != nil {
			return err
		}
	}
	return nil
}

// local says whether the host is this machine: loopback or a Unix socket.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || ip != nil && ip.IsLoopback()
}

// SetPassword gives a connection the password of a file; "" is none.
func SetPassword(c *pgx.ConnConfig, file string) error {
	if file == "" {
		return nil
	}
	password, err := ReadPassword(file)
	if err != nil {
		return err
	}
	c.Password = password
	return nil
}

// ReadPassword reads a password file; "" is none.
func ReadPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" || strings.ContainsAny(password, "\n\x00") {
		return "", fmt.Errorf("password file %s: want one line", file)
	}
	return password, nil
}

// HoldsPassword says whether a DSN seems to hold a password, so that it can be refused where others may read it. It errs on the
// side of yes.
func HoldsPassword(dsn string) bool {
	if strings.Contains(strings.ToLower(dsn), "password") {
		return true
	}
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return false
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return true
	}
	_, has := u.User.Password()
	return has
}
