package drive

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"sceau/bench/load/measure"
)

// small is a Source of the same message, which costs nothing.
type small struct{ body []byte }

func (s small) Next(_ time.Time, shot *measure.Shot) error {
	*shot = measure.Shot{Kind: measure.Query, Body: s.body, Action: "urn:test"}
	return nil
}

func (small) Live() bool { return false }

type lenient struct{}

func (lenient) Check(_ *measure.Shot, status int, body []byte) measure.Verdict {
	if status != 200 || len(body) == 0 {
		return measure.Verdict{Class: measure.Wrong, Code: "?", Why: "no answer"}
	}
	return measure.Verdict{Class: measure.Right, Code: "200"}
}

// serveNothing answers each request with a few bytes until its process is killed, with mutual TLS when the
// address begins with "tls:".
func serveNothing(address string) {
	answer := bytes.Repeat([]byte("a"), 200)
	server := fasthttp.Server{ReduceMemoryUsage: true, Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBody(answer) }}
	address, secure := strings.CutPrefix(address, "tls:")
	l, err := net.Listen("tcp", address)
	if err == nil && secure {
		own, _ := newCertificate()
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAnyClientCert})
	}
	if err == nil {
		err = server.Serve(l)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// startNothing starts serveNothing in a process of its own, so that its CPU time is not the generator's.
func startNothing(b *testing.B, secure bool) Target {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	command := exec.Command(os.Args[0])
	target := Target{Name: "nothing", URL: "http://" + address + "/"}
	variable := serverAddress + "=" + address
	if secure {
		own, _ := newCertificate()
		target.TLS = &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}
		target.URL, variable = "https://"+address+"/", serverAddress+"=tls:"+address
	}
	command.Env = append(os.Environ(), variable)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	target.PID = command.Process.Pid
	b.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	for range 1000 {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return target
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("the server does not start")
	return Target{}
}

// BenchmarkExchange is what the generator costs with a server that does nothing, closed loop and open
// loop of several rates. Only the CPU time of the generator is counted.
func BenchmarkExchange(b *testing.B) {
	target := startNothing(b, false)
	for _, rate := range []float64{0, 2000, 8000, 15000} {
		b.Run(fmt.Sprintf("rate=%.0f", rate), func(b *testing.B) {
			p := Plan{Target: target, Source: small{make([]byte, 300)}, Checker: lenient{},
				Rate: rate, Poisson: true, Connections: 16, Warmup: time.Second / 5, Duration: 2 * time.Second, Timeout: time.Second}
			for b.Loop() {
				run, err := Run(b.Context(), p)
				if err != nil {
					b.Fatal(err)
				}
				right := float64(run.Classes[measure.Right])
				b.ReportMetric(run.Served, "served/s")
				b.ReportMetric(float64(run.Generator.CPU.Microseconds())/right, "µs-CPU/exchange")
				b.ReportMetric(float64(run.Server.CPU.Microseconds())/right, "µs-server/exchange")
				b.ReportMetric(float64(run.Generator.Late.Quantile(.5).Microseconds()), "µs-late-p50")
				b.ReportMetric(float64(run.Generator.Late.Quantile(.99).Microseconds()), "µs-late-p99")
			}
		})
	}
}

// BenchmarkIdle opens 10 000 idle connections, plain and with mutual TLS.
func BenchmarkIdle(b *testing.B) {
	for name, secure := range map[string]bool{"plain": false, "mutual TLS": true} {
		b.Run(name, func(b *testing.B) {
			p := Plan{Target: startNothing(b, secure), Source: small{make([]byte, 300)}, Checker: lenient{},
				Rate: 500, Connections: 16, Idle: 10_000, Duration: time.Second, Timeout: time.Minute}
			for b.Loop() {
				run, err := Run(b.Context(), p)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(run.Idle), "idle")
				b.ReportMetric(float64(run.Server.RSSIdle>>20), "MiB-server")
				b.ReportMetric(run.Served, "served/s")
			}
		})
	}
}

// BenchmarkBusy is a closed loop of 10 000 connections, which a hard limit of 20 000 open files (ulimit -Hn) must not keep from running.
func BenchmarkBusy(b *testing.B) {
	p := Plan{Target: startNothing(b, false), Source: small{make([]byte, 300)}, Checker: lenient{},
		Connections: 10_000, Duration: time.Second, Timeout: time.Minute}
	for b.Loop() {
		run, err := Run(b.Context(), p)
		if err != nil {
			b.Fatal(err)
		}
		if run.Lost() > 0 {
			b.Fatal(run.Classes, run.Failures)
		}
		b.ReportMetric(run.Served, "served/s")
	}
}

// script is a connection that has its answer ready.
type script struct {
	net.Conn
	answer []byte
}

func (s *script) Write(p []byte) (int, error) { return len(p), nil }
func (s *script) Read(p []byte) (int, error)  { return copy(p, s.answer), nil }
func (s *script) SetDeadline(time.Time) error { return nil }
func (s *script) Close() error                { return nil }

// scripted returns a worker whose exchanges take no time but its own.
func scripted(tb testing.TB) *worker {
	tb.Helper()
	p := Plan{Target: Target{URL: "http://fake/"}, Source: small{make([]byte, 12<<10)}, Checker: lenient{}, Rate: 1, Duration: time.Hour, Timeout: time.Hour}
	answer := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: 7000\r\n\r\n"), make([]byte, 7000)...)
	p.dial = func(context.Context, string, string) (net.Conn, error) { return &script{answer: answer}, nil }
	e, err := newEndpoint(&p)
	if err != nil {
		tb.Fatal(err)
	}
	r := &runner{plan: &p, endpoint: e, form: newForm(e, false), recorder: newRecorder(&p, time.Now())}
	a, err := newAlarm(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.close)
	return &worker{runner: r, alarm: a, reader: newReader(), free: time.Now()}
}

// BenchmarkServe is what the generator's own code takes for an exchange of 12 KiB and 7 kB, without the network.
func BenchmarkServe(b *testing.B) {
	w := scripted(b)
	b.ReportAllocs()
	for b.Loop() {
		if !w.serve(b.Context(), time.Now()) {
			b.Fatal("ended")
		}
	}
	if w.run.Classes[measure.Right] != w.run.Offered {
		b.Fatal(w.run.Classes, w.run.Failures)
	}
}
