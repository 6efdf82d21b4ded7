package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"sceau/wsp"
)

// BenchmarkProxy tells what the proxy adds to a call: the median time of a call through it, less that of the same call through
// a proxy of the standard library that does nothing (hop; straight is the call without any), less that of the guard's verdict on such a
// message, whose assertion it never saw. The token of the caller is part of what it adds; the audit trail waits for the disk
// and is measured by itself (relaxed: not waited for).
func BenchmarkProxy(b *testing.B) {
	const relaxed = "audit: {dir: audit, durability: relaxed 1s}\n"
	for _, c := range []struct{ name, more string }{{"bare", ""}, {"token", callerKeys}, {"token and trail", callerKeys + relaxed}} {
		b.Run(c.name, func(b *testing.B) {
			u := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				io.WriteString(w, "served")
			})
			direct := listening(b, u)
			text := guarded[:bytes.Index([]byte(guarded), []byte("audit:"))] + c.more + "upstream: {url: '" + direct + "/'}\n"
			r := start(b, text)
			proxied := r.service(b)
			at, err := url.Parse(direct)
			if err != nil {
				b.Fatal(err)
			}
			plain := listening(b, &httputil.ReverseProxy{Rewrite: func(q *httputil.ProxyRequest) { q.SetURL(at) }, Transport: &http.Transport{MaxIdleConnsPerHost: 16}})
			var through, straight, hop, verdict []time.Duration
			post := func(url string, message []byte) time.Duration {
				began := time.Now()
				response, err := http.Post(url, "text/xml", bytes.NewReader(message))
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				took := time.Since(began)
				if response.StatusCode != http.StatusOK {
					b.Fatal(response.Status)
				}
				return took
			}
			guard := r.current.Load().guard
			for b.Loop() {
				b.StopTimer()
				one, two := r.call(b), r.call(b)
				straight = append(straight, post(direct, one))
				hop = append(hop, post(plain, one))
				began := time.Now()
				if v := guard.Judge(b.Context(), two, netip.Addr{}); !v.Admitted() {
					b.Fatal(v.Fault)
				}
				verdict = append(verdict, time.Since(began))
				b.StartTimer()
				through = append(through, post(proxied, one))
			}
			median := func(d []time.Duration) float64 {
				slices.Sort(d)
				return float64(d[len(d)/2].Nanoseconds()) / 1000
			}
			t, s, h, v := median(through), median(straight), median(hop), median(verdict)
			b.ReportMetric(t, "through-µs")
			b.ReportMetric(s, "straight-µs")
			b.ReportMetric(v, "verdict-µs")
			b.ReportMetric(h, "hop-µs")
			b.ReportMetric(t-h-v, "added-µs")
		})
	}
}

var _ wsp.Recorder = (*trace)(nil)
