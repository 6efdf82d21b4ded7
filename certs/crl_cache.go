package certs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// crlCache keeps what was fetched in a directory, a file for each address, so that a
// restart begins with the lists that the last run had. Nothing in it is believed: what
// is read is verified like what comes from the network. A nil cache keeps nothing.
type crlCache struct {
	dir string
	mu  sync.Mutex // one list is written at a time
}

// cacheEntry stands beside a list: what the server said of it.
type cacheEntry struct {
	Address string `json:"address"`
	SHA256  string `json:"sha256"` // of the list: validators count for that one alone
	validators
}

// openCRLCache makes the directory. Empty is no cache.
func openCRLCache(dir string) (*crlCache, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, refuse(Unavailable, fmt.Errorf("CRL cache: %w", err))
	}
	left, err := filepath.Glob(filepath.Join(dir, temporaryFiles))
	if err != nil {
		return nil, refuse(Unavailable, fmt.Errorf("CRL cache: %w", err))
	}
	for _, path := range left { // of a crash
		os.Remove(path)
	}
	return &crlCache{dir: dir}, nil
}

// path names the file of an address, which may hold what a file name may not.
func (c *crlCache) path(address, suffix string) string {
	sum := sha256.Sum256([]byte(address))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16])+suffix)
}

// put keeps a list that was fetched and taken, unless a newer one has taken its place
// meanwhile. A disk that fails costs the next start its head start and nothing else: it is
// told and no error.
func (c *crlCache) put(address string, der []byte, said validators, owners []*authority, log *slog.Logger) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	current := digestList(der)
	if !slices.ContainsFunc(owners, func(a *authority) bool { return a.slot.current().find(current) != nil }) {
		return
	}
	entry, err := json.Marshal(cacheEntry{Address: address, SHA256: hex.EncodeToString(current[:]), validators: said})
	if err == nil {
		err = replaceFile(c.path(address, ".crl"), der)
	}
	if err == nil {
		err = replaceFile(c.path(address, ".json"), entry)
	}
	if err != nil {
		log.Warn("CRL not kept", slog.String("address", address), slog.Any("error", err))
	}
}

// restore loads what was kept for a distribution point. What is damaged, forged or
// older than what is known changes nothing, and is fetched anew.
func (c *crlCache) restore(p *point, load *crlLoader) {
	if c == nil {
		return
	}
	path := c.path(p.address, ".crl")
	der, err := readCRLFile(path, load.config.CRL.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var list taken
	if err == nil {
		list, err = load.load(der, path)
	}
	if err != nil {
		load.config.Log.Warn("CRL in the cache", slog.String("address", p.address), slog.String("file", path), slog.Any("error", err))
		return
	}
	p.next = list.next
	text, err := readSmallFile(c.path(p.address, ".json"))
	var entry cacheEntry
	digest := digestList(der)
	if err == nil && json.Unmarshal(text, &entry) == nil && entry.Address == p.address && entry.SHA256 == hex.EncodeToString(digest[:]) {
		p.validators = entry.validators
	}
}

const temporaryFiles = ".new-*"

// replaceFile writes a file so that a reader, and a start after a crash, finds the old
// or the new content and no mixture.
func replaceFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), temporaryFiles) // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}
