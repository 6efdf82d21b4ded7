package measure

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a Histogram: what is longer is counted as the longest.
const (
	shortest = time.Microsecond
	longest  = 10 * time.Minute
	figures  = 3
)

// A Histogram counts durations with three significant figures (HDR histogram, microseconds
// to ten minutes). NewHistogram makes it.
type Histogram struct{ h *hdrhistogram.Histogram }

// NewHistogram returns an empty one.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(int64(shortest/time.Microsecond), int64(longest/time.Microsecond), figures)}
}

// Record counts d.
func (h *Histogram) Record(d time.Duration) {
	_ = h.h.RecordValue(int64(min(max(d, shortest), longest) / time.Microsecond)) // in range by construction
}

// Merge adds what another has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other != nil {
		h.h.Merge(other.h)
	}
}

// Reset forgets all.
func (h *Histogram) Reset() { h.h.Reset() }

// Count is how many were recorded.
func (h *Histogram) Count() int64 {
	if h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Quantile returns the duration that a share q (0 to 1) of all is at or under; zero when
// nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.ValueAtQuantile(q*100)) * time.Microsecond
}

// Mean returns the mean; zero when nothing was recorded.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Mean() * float64(time.Microsecond))
}

// Max returns the longest, to three figures.
func (h *Histogram) Max() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Max()) * time.Microsecond
}

// histogramJSON is a Histogram for machines: the usual percentiles, and all of it in the compressed
// form that other HDR tools read (V2, base64; microseconds).
type histogramJSON struct {
	Count int64         `json:"count"`
	Mean  time.Duration `json:"mean"`
	P50   time.Duration `json:"p50"`
	P90   time.Duration `json:"p90"`
	P99   time.Duration `json:"p99"`
	P999  time.Duration `json:"p999"`
	Max   time.Duration `json:"max"`
	HDR   string        `json:"hdr"`
}

// MarshalJSON writes percentiles in nanoseconds and the whole histogram.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	if h == nil {
		return []byte("null"), nil
	}
	encoded, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, err
	}
	return json.Marshal(histogramJSON{h.Count(), h.Mean(), h.Quantile(.5), h.Quantile(.9), h.Quantile(.99), h.Quantile(.999), h.Max(), string(encoded)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	var v histogramJSON
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	if v.HDR == "" {
		return errors.New("measure: a histogram without its hdr")
	}
	decoded, err := decode(v.HDR)
	if err != nil {
		return err
	}
	h.h = decoded
	return nil
}

// decode reads a histogram that anybody may have written: the library takes for granted that
// it is whole.
func decode(text string) (h *hdrhistogram.Histogram, err error) {
	defer func() {
		if recover() != nil {
			h, err = nil, errors.New("measure: a histogram whose hdr is damaged")
		}
	}()
	return hdrhistogram.Decode([]byte(text))
}
