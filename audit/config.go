package audit

import (
	"log/slog"
	"time"
)

// Durability is when Record returns. The zero Durability is after fsync.
type Durability struct{ interval time.Duration }

// Relaxed lets Record return once the operating system has the record, and syncs
// every interval: a crash of the machine may lose the records of the last interval, that is, tokens
// may then exist without a trace. Open logs it as a warning. An interval of zero or less is refused by Open.
func Relaxed(interval time.Duration) Durability {
	if interval <= 0 {
		return Durability{-1}
	}
	return Durability{interval}
}

func (d Durability) relaxed() bool { return d.interval != 0 }

func (d Durability) String() string {
	if d.relaxed() {
		return "relaxed " + d.interval.String()
	}
	return "sync"
}

const (
	// DefaultMaxFileBytes is the size at which a file of the journal is followed by the next.
	DefaultMaxFileBytes = 64 << 20
	// DefaultMaxPendingBytes is how many bytes of records may wait for the disk.
	DefaultMaxPendingBytes = 8 << 20

	minFileBytes = 4 << 10
	maxBatch     = 512 << 10 // bytes of records that one write takes
)

// Config says how a journal is kept.
type Config struct {
	// Dir is the directory of the journal, made (mode 0700) if need be.
	Dir string
	// Durability is when Record returns. Zero: when the record is on stable storage.
	Durability Durability
	// MaxFileBytes is the size, in bytes, at which the next file is begun. Zero: DefaultMaxFileBytes; at least 4096.
	MaxFileBytes int64
	// MaxFileAge is the age at which the next file is begun by the first record after it, whatever the size, so that Prune
	// finds whole files that are old. Zero: files end by their size alone.
	MaxFileAge time.Duration
	// MaxPendingBytes bounds the records that wait for a slow disk; beyond it Record
	// refuses with Overloaded. Zero: DefaultMaxPendingBytes.
	MaxPendingBytes int
	// Key makes the pseudonyms. Zero: the file pseudonym.key in Dir, made at the first start.
	Key Key
	// Observers are told of every event, in this order, by the goroutine that recorded it.
	Observers []Observer
	// Logger is told of relaxed durability, recoveries and failures of the disk. Nil: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// FileSystem stands between the journal and the disk, for tests; Dir is then not used. Nil: the operating system's.
	FileSystem FileSystem
}

func (c *Config) complete() error {
	if c.FileSystem == nil && c.Dir == "" {
		return &Error{Reason: InvalidConfig, Err: errText("no Dir")}
	}
	if c.Durability.interval < 0 {
		return &Error{Reason: InvalidConfig, Err: errText("relaxed durability needs an interval above zero")}
	}
	if c.MaxFileBytes == 0 {
		c.MaxFileBytes = DefaultMaxFileBytes
	}
	if c.MaxFileBytes < minFileBytes {
		return &Error{Reason: InvalidConfig, Err: errText("MaxFileBytes is below 4096")}
	}
	if c.MaxFileAge < 0 {
		return &Error{Reason: InvalidConfig, Err: errText("MaxFileAge is negative")}
	}
	if c.MaxPendingBytes == 0 {
		c.MaxPendingBytes = DefaultMaxPendingBytes
	}
	if c.MaxPendingBytes < 0 {
		return &Error{Reason: InvalidConfig, Err: errText("MaxPendingBytes is negative")}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
