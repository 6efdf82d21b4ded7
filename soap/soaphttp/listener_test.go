package soaphttp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"sceau/internal/network"
)

// A scripted listener gives errors, then connections, then net.ErrClosed.
type scripted struct {
	net.Listener
	errs  []error
	conns []net.Conn
}

func (s *scripted) Accept() (net.Conn, error) {
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		return nil, err
	}
	if len(s.conns) > 0 {
		c := s.conns[0]
		s.conns = s.conns[1:]
		return c, nil
	}
	return nil, net.ErrClosed
}

// from is a connection from an address.
type from struct {
	net.Conn
	address net.Addr
	closed  int
}

func (f *from) RemoteAddr() net.Addr { return f.address }
func (f *from) Close() error         { f.closed++; return nil }

func at(address string) *from {
	return &from{address: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
}

func newListener(inner net.Listener, perAddress int) *listener {
	return &listener{inner, &admitted{Connections: network.Connections{Most: 5, PerAddress: perAddress}, log: slog.New(slog.DiscardHandler), stop: make(chan struct{})}}
}

func accept(code syscall.Errno) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", code)}
}

// TestAcceptWaits: a process without a free file descriptor serves on when one is free.
func TestAcceptWaits(t *testing.T) {
	l := newListener(&scripted{errs: []error{accept(syscall.EMFILE), accept(syscall.ECONNABORTED), accept(syscall.ENFILE)}, conns: []net.Conn{at("192.0.2.1:1")}}, 0)
	if c, err := l.Accept(); err != nil || c == nil {
		t.Fatalf("%v, %v", c, err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the end of the listener: %v", err)
	}
	l = newListener(&scripted{errs: []error{accept(syscall.EMFILE)}}, 0)
	stop := make(chan struct{})
	l.stop = stop
	close(stop)
	if _, err := l.Accept(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("a server that stops waits no longer: %v", err)
	}
}

func TestPerAddress(t *testing.T) {
	a, b, c := at("192.0.2.1:1"), at("192.0.2.1:2"), at("192.0.2.2:1")
	six, near, far := at("[2001:db8::1]:1"), at("[2001:db8::2]:1"), at("[2001:db8:0:1::1]:1")
	inner := &scripted{conns: []net.Conn{a, b, c, six, near, far}}
	l := newListener(inner, 1)
	var accepted []net.Conn
	for range 4 {
		got, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, got)
	}
	for _, one := range []*from{a, c, six, far} {
		if one.closed != 0 {
			t.Errorf("%v was not let in", one.address)
		}
	}
	if b.closed != 1 || near.closed != 1 {
		t.Error("a second connection of one address, or of one IPv6 network, was let in")
	}
	for _, one := range accepted {
		one.Close()
		one.Close()
	}
	if a.closed != 1 {
		t.Errorf("closed %d times", a.closed)
	}
	again := at("192.0.2.1:3")
	inner.conns = []net.Conn{again}
	if _, err := l.Accept(); err != nil || again.closed != 0 {
		t.Error("an address whose connections have ended was not let in")
	}
}

// TestMostConnections: those of all listeners count together.
func TestMostConnections(t *testing.T) {
	var all []*from
	var conns []net.Conn
	for i := range 6 {
		c := at(fmt.Sprintf("192.0.2.%d:1", i+1))
		all, conns = append(all, c), append(conns, c)
	}
	first := newListener(&scripted{conns: conns[:3]}, 0)
	second := &listener{&scripted{conns: conns[3:]}, first.admitted}
	for range 3 {
		if _, err := first.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	var last net.Conn
	for range 2 {
		var err error
		if last, err = second.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := second.Accept(); !errors.Is(err, net.ErrClosed) || all[5].closed != 1 {
		t.Errorf("a sixth connection of five: %v", err)
	}
	last.Close()
	again := at("192.0.2.7:1")
	first.Listener = &scripted{conns: []net.Conn{again}}
	if _, err := first.Accept(); err != nil || again.closed != 0 {
		t.Errorf("a connection in the place of one that has ended: %v", err)
	}
}

// TestReadingBoundsWriting: what TLS writes while it reads, to a peer that takes nothing, ends with
// the time for reading (a client that asks for key updates without end held a connection for ever).
func TestReadingBoundsWriting(t *testing.T) {
	inner, peer := net.Pipe()
	defer peer.Close()
	c := newListener(nil, 0).count(inner)
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := inner.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
