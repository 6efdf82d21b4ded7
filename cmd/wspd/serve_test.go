package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHeard: a client that says "Connection: close" and sends its request whole before it looks
// for an answer can send it whole and gets the answer, whoever gave it without reading the body.
func TestHeard(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/refused", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "refused", http.StatusUnsupportedMediaType)
	})
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	})
	server := httptest.NewServer(heard(mux))
	defer server.Close()
	const length = 250 << 10
	for path, want := range map[string]string{"/other": "404", "/refused": "415", "/read": "200"} {
		for range 20 { // the reset is a race that the client loses most of the time
			sent := 0
			connection, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", path, length)
			part := strings.Repeat("x", 1<<10)
			for text := head; text != ""; {
				if _, err := io.WriteString(connection, text); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				if text = ""; sent < length {
					text, sent = part, sent+len(part)
				}
			}
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil || !strings.HasPrefix(response.Status, want) || path == "/read" && string(body) != fmt.Sprint(length, " ", nil) {
				t.Errorf("%s: %s %q, %v", path, response.Status, body, err)
			}
			connection.Close()
		}
	}
}

// TestHeardWaitsForNobody: who asks before it sends is not waited for.
func TestHeardWaitsForNobody(t *testing.T) {
	server := httptest.NewServer(heard(http.NotFoundHandler()))
	defer server.Close()
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if response, err := http.ReadResponse(bufio.NewReader(connection), nil); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", response, err)
	}
}
