package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// A fileHead is the first record of a file, as far as it is needed to go on.
type fileHead struct {
	Kind     string    `json:"kind"`
	Format   int       `json:"format"`
	File     int       `json:"file"`
	Journal  string    `json:"journal"`
	Key      string    `json:"key"`
	Previous string    `json:"previous"`
	Time     time.Time `json:"time"`

	journal  ID
	previous [32]byte
}

// parseHead reads the first record of file number and moves c, which it sets, past it.
func parseHead(text []byte, number int, c *chain) (fileHead, bool) {
	l, ok := parseLine(text)
	if !ok || !l.isFile() {
		return fileHead{}, false
	}
	var head fileHead
	if json.Unmarshal(text, &head) != nil || head.Kind != "file" || head.Format != 1 || head.File != number ||
		!decodeHex(head.journal[:], head.Journal) || !decodeHex(head.previous[:], head.Previous) || l.seq == 0 {
		return fileHead{}, false
	}
	c.link = link{seq: l.seq - 1, hash: head.previous}
	return head, l.follows(c)
}

// A fileScan is what a file holds: good records up to good, and a tail that is none.
type fileScan struct {
	head    fileHead
	hasHead bool
	end     link // of the last good record
	good    int64
	tail    []byte
}

func scanFile(files FileSystem, number int) (fileScan, error) {
	var scan fileScan
	file, err := files.Open(fileName(number))
	if err != nil {
		return scan, err
	}
	defer file.Close()
	c := chain{digest: sha256.New()}
	lines := newLineReader(file)
	for {
		text, complete, err := lines.next()
		if err == io.EOF {
			return scan, nil
		}
		if err != nil {
			return scan, err
		}
		if !complete {
			break
		}
		if !scan.hasHead {
			if scan.head, scan.hasHead = parseHead(text, number, &c); !scan.hasHead {
				break
			}
		} else if l, ok := parseLine(text); !ok || !l.follows(&c) {
			break
		}
		scan.end, scan.good = c.link, lines.offset
	}
	scan.tail, err = readFrom(files, number, scan.good)
	return scan, err
}

func readFrom(files FileSystem, number int, offset int64) ([]byte, error) {
	file, err := files.Open(fileName(number))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := io.CopyN(io.Discard, file, offset); err != nil {
		return nil, err
	}
	return io.ReadAll(file)
}

// wasDurable says whether the tail begins with a record that had reached stable
// storage: some later record says so. Then the tail is not what a crash left half
// written, and cutting it off would lose acknowledged records.
func (s *fileScan) wasDurable() bool {
	for text := range bytes.Lines(s.tail) {
		if l, ok := parseLine(bytes.TrimSuffix(text, []byte{'\n'})); ok && l.durable > s.end.seq {
			return true
		}
	}
	return false
}

// A resumption is where a journal goes on.
type resumption struct {
	journal ID
	keyID   string
	begun   time.Time // the file
	end     link
	number  int   // of the file to go on with; 0: none
	size    int64 // of its good part
	tail    []byte
	inFile  int // whose tail
}

// findEnd reads the last file of a journal and says where to go on. It changes nothing.
func findEnd(files FileSystem) (resumption, error) {
	numbers, _, err := fileNumbers(files)
	if err != nil {
		return resumption{}, &Error{Reason: Unreadable, Err: err}
	}
	if len(numbers) == 0 {
		return resumption{}, nil
	}
	last := numbers[len(numbers)-1]
	scan, err := scanFile(files, last)
	if err != nil {
		return resumption{}, &Error{Reason: Unreadable, File: fileName(last), Err: err}
	}
	r := resumption{tail: scan.tail, inFile: last}
	if !scan.hasHead {
		// A crash may have hit between the making of the file and its first record. Then
		// the file before it is whole, and this one was never written any further.
		if last > 1 {
			if scan, err = scanWhole(files, last-1); err != nil {
				return resumption{}, err
			}
		}
		torn := fileScan{end: scan.end, tail: r.tail}
		if torn.wasDurable() {
			return resumption{}, broken(last, "its first record is not one")
		}
		r.number, r.size = 0, 0
		if last > 1 {
			r.number, r.size = last-1, scan.good
		}
	} else {
		if scan.wasDurable() {
			return resumption{}, broken(last, "after record "+strconv.FormatUint(scan.end.seq, 10)+
				": what follows was changed after it had been written")
		}
		r.number, r.size = last, scan.good
	}
	r.journal, r.keyID, r.begun, r.end = scan.head.journal, scan.head.Key, scan.head.Time, scan.end
	return r, nil
}

func scanWhole(files FileSystem, number int) (fileScan, error) {
	scan, err := scanFile(files, number)
	switch {
	case err != nil:
		return scan, &Error{Reason: Broken, File: fileName(number), Err: err}
	case !scan.hasHead || len(scan.tail) > 0:
		return scan, broken(number, "a later file was begun, yet this one is not whole")
	}
	return scan, nil
}

func broken(number int, text string) error {
	return &Error{Reason: Broken, File: fileName(number), Err: errors.New(text)}
}

// setAside moves what a crash left half written into a file of its own and cuts
// it off. It may be repeated after a crash of its own. It returns the name of that file.
func (r *resumption) setAside(files FileSystem) (string, error) {
	if r.inFile == 0 {
		return "", nil
	}
	var aside string
	if len(r.tail) > 0 {
		digest := sha256.Sum256(r.tail)
		aside = fmt.Sprintf("%s.%s%s", fileName(r.inFile), hex.EncodeToString(digest[:4]), tornSuffix)
		if err := writeNew(files, aside, r.tail); err != nil {
			return "", &Error{Reason: Unwritable, File: aside, Err: err}
		}
	}
	if err := r.cutTail(files); err != nil {
		return "", &Error{Reason: Unwritable, File: fileName(r.inFile), Err: err}
	}
	return aside, nil
}

func (r *resumption) cutTail(files FileSystem) error {
	if r.inFile != r.number {
		// The file has no record at all: the next begin makes it anew.
		if err := files.Remove(fileName(r.inFile)); err != nil {
			return err
		}
		return files.SyncDir()
	}
	if len(r.tail) == 0 {
		return nil
	}
	file, err := files.Append(fileName(r.inFile))
	if err != nil {
		return err
	}
	err = file.Truncate(r.size)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
