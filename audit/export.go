package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Export copies the whole files of a journal that may hold records of a time (Since <= Time < Until; zero is no bound) to a
// directory of their own, which is made or must be empty. What is copied is copied octet for octet, up to the last whole line:
// it can be listed, traced and verified as the journal can, and its chain is that of the journal. The key is not copied. The Report is that of
// the copy: note its Before and its Head beside it. A journal that does not hold together is copied too: the Report says so. Errors are *Error.
func Export(dir, to string, since, until time.Time) (Report, error) {
	from := directory(dir)
	numbers, err := chosen(from, since, until)
	if err != nil {
		return Report{}, err
	}
	out, err := makeDirectory(to)
	if err != nil {
		return Report{}, &Error{Reason: Unwritable, Err: err}
	}
	names, err := out.Names()
	if err != nil {
		return Report{}, &Error{Reason: Unwritable, Err: err}
	}
	if len(names) > 0 {
		return Report{}, &Error{Reason: Unwritable, Err: fmt.Errorf("%s is not empty", to)}
	}
	for _, number := range numbers {
		if err := copyFile(from, out, fileName(number)); err != nil {
			return Report{}, err
		}
	}
	if err := out.SyncDir(); err != nil {
		return Report{}, &Error{Reason: Unwritable, Err: err}
	}
	return Verify(to)
}

// chosen gives the files that may hold records of a time, without a gap.
func chosen(files FileSystem, since, until time.Time) ([]int, error) {
	numbers, _, err := fileNumbers(files)
	if err != nil {
		return nil, &Error{Reason: Unreadable, Err: err}
	}
	if len(numbers) == 0 {
		return nil, &Error{Reason: Unreadable, Err: errText("there is no journal")}
	}
	for len(numbers) > 1 && !since.IsZero() && begunBefore(files, numbers[1], since.Add(-longestRequest)) {
		numbers = numbers[1:]
	}
	for i, number := range numbers {
		if i > 0 && !until.IsZero() && !begunBefore(files, number, until.Add(longestRequest)) {
			return numbers[:i], nil
		}
	}
	return numbers, nil
}

func copyFile(from directory, to directory, name string) (err error) {
	in, err := from.Open(name)
	if err != nil {
		return &Error{Reason: Unreadable, File: name, Err: err}
	}
	defer in.Close()
	whole, err := wholeLines(from, name)
	if err != nil {
		return &Error{Reason: Unreadable, File: name, Err: err}
	}
	out, err := os.OpenFile(to.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &Error{Reason: Unwritable, File: name, Err: err}
	}
	_, err = io.CopyN(out, in, whole)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return &Error{Reason: Unwritable, File: name, Err: err}
	}
	return nil
}

// wholeLines gives the length of a file up to its last line end: a process may just be writing the next line.
func wholeLines(files FileSystem, name string) (int64, error) {
	file, err := files.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lines := newLineReader(file)
	for end := int64(0); ; end = lines.offset {
		_, complete, err := lines.next()
		if errors.Is(err, io.EOF) || err == nil && !complete {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
