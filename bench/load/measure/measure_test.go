package measure

import (
	"encoding/json"
	"testing"
	"time"
)

func TestHistogramJSON(t *testing.T) {
	h := NewHistogram()
	for i := 1; i <= 1000; i++ {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	h.Record(time.Hour) // longer than the range: counted as its longest
	text, err := json.Marshal(Run{Latency: h})
	if err != nil {
		t.Fatal(err)
	}
	var back Run
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99, 1} {
		if a, b := h.Quantile(q), back.Latency.Quantile(q); a != b || a == 0 {
			t.Errorf("quantile %v: %v, read back %v", q, a, b)
		}
	}
	if got := h.Quantile(0.5); got < 498*time.Millisecond || got > 503*time.Millisecond {
		t.Errorf("median %v of 1 to 1000 ms", got)
	}
	if h.Count() != 1001 || back.Latency.Count() != 1001 || h.Max() < 9*time.Minute || back.Service != nil {
		t.Errorf("count %d, max %v, service %v", back.Latency.Count(), h.Max(), back.Service)
	}
}

func TestEmptyHistogram(t *testing.T) {
	var none *Histogram
	for _, h := range []*Histogram{NewHistogram(), none} {
		if h.Quantile(.99) != 0 || h.Mean() != 0 || h.Max() != 0 {
			t.Error("an empty histogram has no durations")
		}
	}
	for _, text := range []string{`{"count":3}`, `{"hdr":"x"}`, `{"hdr":"HISTFAAAAA=="}`, `{"hdr":"HISTFAAAABt4nJNpmSzMwMDAxAABzFCaEUxcW8CAAAAA//8="}`} {
		if err := json.Unmarshal([]byte(text), NewHistogram()); err == nil {
			t.Errorf("%s was read as a histogram", text)
		}
	}
	if text, err := json.Marshal(none); err != nil || string(text) != "null" || none.Count() != 0 {
		t.Errorf("no histogram: %s, %v", text, err)
	}
}
