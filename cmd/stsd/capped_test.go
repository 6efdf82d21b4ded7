package main

import (
	"io"
	"net"
	"testing"
)

// TestCappedListener: who comes when the most are there is sent away, and a place that is given back, however often, is one.
func TestCappedListener(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const most = 2
	l := newCappedListener(plain, most)
	taken := make(chan net.Conn)
	go func() {
		defer close(taken)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken <- c
		}
	}()
	defer func() {
		l.Close()
		for c := range taken {
			c.Close()
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	sentAway := func() {
		t.Helper()
		if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("one too many was taken: %d, %v", n, err)
		}
	}
	var open []net.Conn
	for range most {
		dial()
		open = append(open, <-taken)
	}
	sentAway()
	for range 2 {
		open[0].Close()
	}
	last := dial()
	if _, err := io.WriteString(<-taken, "x"); err != nil {
		t.Error(err)
	}
	if n, err := last.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("a place that is free was not given: %v", err)
	}
	sentAway()
}
