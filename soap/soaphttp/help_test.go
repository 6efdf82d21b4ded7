package soaphttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sceau/soap/soaphttp"
)

const path = "/IAM/Saml11TokenService/v1"

// A running is a Server on loopback.
type running struct {
	*soaphttp.Server
	address string
	url     string
	ended   chan error
}

// start serves a Service at path with the limits of change.
func start(t *testing.T, service soaphttp.Service, change func(*soaphttp.Config)) *running {
	t.Helper()
	config := soaphttp.Config{
		Endpoints: []soaphttp.Endpoint{{Path: path, Service: service, WSDL: []byte("<wsdl/>"), Schemas: map[string][]byte{"protocol": []byte("<schema/>")}}},
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&config)
	}
	server, err := soaphttp.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: server, address: listener.Addr().String(), url: "http://" + listener.Addr().String(), ended: make(chan error, 1)}
	go func() { r.ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-r.ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

// echo answers with the message it got.
func echo(_ context.Context, request *soaphttp.Request, dst []byte) (int, []byte, string) {
	return http.StatusOK, append(dst, request.Body...), "correlation-1"
}

// ask writes text as it stands on a new connection and reads answers until the server
// closes it or all are read.
func (r *running) ask(t *testing.T, text string, answers int) []answer {
	t.Helper()
	connection := r.dial(t)
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	var all []answer
	for range answers {
		got, err := readAnswer(reader)
		if err != nil {
			t.Fatalf("answer %d of %d: %v", len(all)+1, answers, err)
		}
		all = append(all, got)
	}
	return all
}

func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()
	connection, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	// Only so that a server that never answers ends the test with its name.
	if err := connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return connection
}

type answer struct {
	*http.Response
	body string
}

func readAnswer(reader *bufio.Reader) (answer, error) {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	return answer{response, string(body)}, err
}

// post makes a request with a body and the headers given, a line each.
func post(body string, headers ...string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(headers, fmt.Sprintf("Content-Length: %d", len(body))), "\r\n") + "\r\n\r\n" + body
}

const xmlType = "Content-Type: text/xml; charset=utf-8"
