package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sceau/internal/minipki"
	"sceau/wsp"
)

// BenchmarkProxy tells what the proxy adds to a call: the time of a call through it, less that of such a call through a proxy of the
// standard library that does nothing (hop; straight is the call without any), less that of the guard's verdict on such a message,
// whose assertion it never saw. The token of the caller is part of what it adds; the audit trail waits for the disk and is measured
// by itself (relaxed: not waited for).
//
// Each of the four comes right after the making of its message, in an order that turns, so that caches and sleeping threads are the same to
// all. (StopTimer and StartTimer, which stop the world, would come before one of them alone.) Where threads of a machine with few cores must be
// woken, a call takes half as long again, so that times have two heights: of what is added, the differences of each turn, added-µs is the
// median, and mean-µs the mean without the tenth at either end.
func BenchmarkProxy(b *testing.B) {
	const relaxed = "audit: {dir: audit, durability: relaxed 1s}\n"
	for _, c := range []struct {
		name, more string
		key        minipki.KeyKind // of the token
	}{
		{"bare", "", minipki.P256},
		{"token ES256", callerKeys, minipki.P256},
		{"token EdDSA", callerKeys, minipki.Ed25519},
		{"token and trail", callerKeys + relaxed, minipki.P256},
	} {
		b.Run(c.name, func(b *testing.B) {
			direct := listening(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				io.WriteString(w, "served")
			}))
			r := start(b, guarded[:strings.Index(guarded, "audit:")]+c.more+"upstream: {url: '"+direct+"/'}\n")
			r.signsWith(b, c.key)
			at, err := url.Parse(direct)
			if err != nil {
				b.Fatal(err)
			}
			plain := listening(b, &httputil.ReverseProxy{
				Rewrite:   func(q *httputil.ProxyRequest) { q.SetURL(at) },
				Transport: &http.Transport{MaxIdleConnsPerHost: 16}, BufferPool: answers{},
			})
			proxied, guard := r.service(b), r.current.Load().guard
			const straight, hop, verdict, through = 0, 1, 2, 3
			one := func(what int) time.Duration {
				message := r.call(b)
				began := time.Now()
				if what == verdict {
					if v := guard.Judge(b.Context(), message, netip.Addr{}); !v.Admitted() {
						b.Fatal(v.Fault)
					}
					return time.Since(began)
				}
				response, err := http.Post([]string{straight: direct, hop: plain, through: proxied}[what], "text/xml", bytes.NewReader(message))
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					b.Fatal(response.Status)
				}
				return time.Since(began)
			}
			var took [4][]time.Duration
			var added []time.Duration
			for b.Loop() {
				turn := len(added)
				for i := range took {
					what := (i + turn) % len(took)
					took[what] = append(took[what], one(what))
				}
				added = append(added, took[through][turn]-took[hop][turn]-took[verdict][turn])
			}
			median := func(d []time.Duration) float64 {
				slices.Sort(d)
				return float64(d[len(d)/2].Nanoseconds()) / 1000
			}
			for i, name := range []string{straight: "straight", hop: "hop", verdict: "verdict", through: "through"} {
				b.ReportMetric(median(took[i]), name+"-µs")
			}
			b.ReportMetric(median(added), "added-µs")
			var sum time.Duration
			middle := added[len(added)/10 : len(added)-len(added)/10] // median put them in order
			for _, d := range middle {
				sum += d
			}
			b.ReportMetric(float64(sum.Nanoseconds())/1000/float64(len(middle)), "mean-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkMint is the token of a caller by itself.
func BenchmarkMint(b *testing.B) {
	for _, kind := range []minipki.KeyKind{minipki.P256, minipki.Ed25519} {
		r := start(b, guarded+callerKeys)
		r.signsWith(b, kind)
		m, now := r.current.Load().minter, time.Now()
		caller, err := r.current.Load().guard.Admit(r.call(b), now)
		if err != nil {
			b.Fatal(err)
		}
		body := caller.Body()
		b.Run(string(m.alg[0]), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.caller(caller, "01a223cb", body, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var _ wsp.Recorder = (*trace)(nil)
