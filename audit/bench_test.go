package audit

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// Run with TMPDIR on a memory file system to see the journal without its disk.
func BenchmarkRecord(b *testing.B) {
	for mode, durability := range map[string]Durability{"sync": {}, "relaxed": Relaxed(time.Second)} {
		for _, goroutines := range []int{1, 64} {
			name := fmt.Sprintf("%s/goroutines=%d", mode, goroutines)
			b.Run(name, func(b *testing.B) {
				j := mustOpen(b, Config{Dir: b.TempDir(), Durability: durability, Logger: quiet()})
				defer j.Close()
				ctx := context.Background()
				b.ReportAllocs()
				b.SetParallelism(max(1, goroutines/runtime.GOMAXPROCS(0)))
				b.ResetTimer()
				if goroutines == 1 {
					e := fullEvent()
					for b.Loop() {
						if err := j.Record(ctx, e); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						e := fullEvent()
						for pb.Next() {
							if err := j.Record(ctx, e); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				stats := j.Stats()
				b.ReportMetric(float64(stats.Events)/float64(stats.Commits), "events/commit")
			})
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	e := fullEvent()
	p := testKey(b).pseudonymizer()
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = appendEvent(buffer[:0], e, &p)
		p.forget()
	}
	b.SetBytes(int64(len(buffer)))
}

func BenchmarkEncodeLogin(b *testing.B) {
	e := loginEvent()
	p := testKey(b).pseudonymizer()
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = appendEvent(buffer[:0], e, &p)
		p.forget()
	}
	b.SetBytes(int64(len(buffer)))
}

func BenchmarkVerify(b *testing.B) {
	files := newMemory()
	j := mustOpen(b, testConfig(b, files))
	for range 1000 {
		record(b, j, fullEvent())
	}
	j.Close()
	b.SetBytes(int64(len(files.files[fileName(1)].content)))
	for b.Loop() {
		mustBeIntact(b, files)
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewID(start)
	}
}
