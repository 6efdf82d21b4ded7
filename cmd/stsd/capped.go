package main

import (
	"net"
	"sync"
)

// maxDecisionConnections bounds the open connections for decisions. Clients are few and named; strangers, who are found out
// after a handshake or a header alone, must not take the files that the token service needs for its own connections.
const maxDecisionConnections = 1024

// cappedListener closes at once the connections that come while the most are open.
type cappedListener struct {
	net.Listener
	room chan struct{} // one for each open connection
}

func newCappedListener(l net.Listener, most int) *cappedListener {
	return &cappedListener{l, make(chan struct{}, most)}
}

// Accept implements net.Listener.
func (l *cappedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.room <- struct{}{}:
			return &cappedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.room })}, nil
		default:
			c.Close()
		}
	}
}

// cappedConn gives its place back when it is closed, once.
type cappedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *cappedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
