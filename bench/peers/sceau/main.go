package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sceau/audit"
	"sceau/sts"
)

func main() {
	signer := flag.String("signer", "go", "what signs assertions: go, or openssl in a program built with -tags openssl")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: sceau [-signer go|openssl] DIR")
		os.Exit(2)
	}
	if err := serve(flag.Arg(0), *signer, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sceau:", err)
		os.Exit(1)
	}
}

// serve reads commands and answers them until in ends.
func serve(dir, signer string, in io.Reader, out io.Writer) error {
	s, err := newService(dir, signer)
	if err != nil {
		return err
	}
	defer s.close()
	request, err := os.ReadFile(filepath.Join(dir, "request.xml"))
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		reply, err := s.obey(strings.Fields(lines.Text()), request)
		var refused refusal
		if errors.As(err, &refused) {
			reply, err = "refused: "+refused.Error(), nil
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, reply); err != nil {
			return err
		}
	}
	return lines.Err()
}

var errCommand = errors.New("commands are: version, answer FILE OUT, run N")

// obey carries out one command.
func (s *service) obey(words []string, request []byte) (string, error) {
	switch {
	case len(words) == 1 && words[0] == "version":
		return s.version, nil
	case len(words) == 3 && words[0] == "answer":
		message, err := os.ReadFile(words[1])
		if err != nil {
			return "", err
		}
		answer, err := s.answer(message, nil)
		if err != nil {
			return "", err
		}
		return "ok", os.WriteFile(words[2], answer, 0o600)
	case len(words) == 2 && words[0] == "run":
		n, err := strconv.Atoi(words[1])
		if err != nil || n <= 0 {
			return "", errCommand
		}
		return s.run(request, n)
	}
	return "", errCommand
}

// run answers request n times and gives the microseconds of CPU of one answer. The message
// is copied into place before each, as the network would have left it.
func (s *service) run(request []byte, n int) (string, error) {
	message, answer := make([]byte, len(request)), make([]byte, 0, 16<<10)
	start := cpu()
	for range n {
		copy(message, request)
		var err error
		if answer, err = s.answer(message, answer[:0]); err != nil {
			return "", err
		}
	}
	return strconv.FormatFloat(float64((cpu()-start).Nanoseconds())/1e3/float64(n), 'f', 1, 64), nil
}

// cpu returns the CPU time that the process has used, user and system, all threads.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // no other cause than a wrong argument
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A refusal is the beginning of an answer that is no success.
type refusal string

func (r refusal) Error() string { return string(r) }

var (
	success = []byte(`<samlp:StatusCode Value="samlp:Success">`)
	action  = []byte("urn:be:fgov:ehealth:sts:protocol:v1:RequestSecureToken")
)

// answer appends the answer to message to dst.
func (s *service) answer(message, dst []byte) ([]byte, error) {
	m := sts.Message{Body: message, Action: action, Remote: audit.RemoteLoopback}
	out := s.sts.AttributeQuery(context.Background(), &m, dst)
	if out.Status != http.StatusOK || !bytes.Contains(out.Body[:min(len(out.Body), 600)], success) {
		return nil, refusal(reason(out.Body))
	}
	return out.Body, nil
}

// reason gives the text of the fault or status message in an answer.
func reason(answer []byte) string {
	for _, tag := range []string{"faultstring>", "StatusMessage>"} {
		if _, rest, found := bytes.Cut(answer, []byte(tag)); found {
			text, _, _ := bytes.Cut(rest, []byte("<"))
			return string(text)
		}
	}
	return "neither fault nor status"
}
