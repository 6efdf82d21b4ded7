package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"sceau/audit"
)

// A Source tells the state of a journal; *audit.Journal is one.
type Source interface {
	Stats() audit.Stats
}

// Journal gives a collector of the state of a journal, to be registered once.
func Journal(source Source) prometheus.Collector {
	return &journal{
		source:  source,
		events:  describe("events_total", "Events recorded since the start."),
		failed:  describe("failures_total", "Events that could not be recorded since the start."),
		commits: describe("commits_total", "Writes to the journal, each of one batch."),
		seconds: describe("commit_seconds_total", "Time spent in writes, fsync included."),
		bytes:   describe("bytes_total", "Bytes written to the journal."),
		seq:     describe("sequence", "Number of the last record."),
		file:    describe("file", "Number of the file that is appended to."),
		pending: describe("pending_events", "Events waiting for the disk."),
		failing: describe("failing", "1 while the journal cannot be written and requests are refused."),
	}
}

type journal struct {
	source                                                               Source
	events, failed, commits, seconds, bytes, seq, file, pending, failing *prometheus.Desc
}

func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("sceau_audit_"+name, help, nil, nil)
}

func (j *journal) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(j, out) }

func (j *journal) Collect(out chan<- prometheus.Metric) {
	stats := j.source.Stats()
	failing := 0.0
	if stats.Failing {
		failing = 1
	}
	for _, m := range []struct {
		desc  *prometheus.Desc
		kind  prometheus.ValueType
		value float64
	}{
		{j.events, prometheus.CounterValue, float64(stats.Events)},
		{j.failed, prometheus.CounterValue, float64(stats.Failures)},
		{j.commits, prometheus.CounterValue, float64(stats.Commits)},
		{j.seconds, prometheus.CounterValue, stats.CommitTime.Seconds()},
		{j.bytes, prometheus.CounterValue, float64(stats.Bytes)},
		{j.seq, prometheus.GaugeValue, float64(stats.Seq)},
		{j.file, prometheus.GaugeValue, float64(stats.File)},
		{j.pending, prometheus.GaugeValue, float64(stats.PendingEvents)},
		{j.failing, prometheus.GaugeValue, failing},
	} {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value)
	}
}
