package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sceau/attrs"
)

// A server notices imports of other processes, and that another file has come in the place of its own.
func TestEpoch(t *testing.T) {
	w := fresh(t)
	w.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	r := open(t, w.path, ReadOnly)
	last := uint64(0)
	grown := func(what string, want bool) {
		t.Helper()
		if err := r.Refresh(t.Context()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n, ok := r.Epoch()
		if !ok || (n > last) != want || n < last {
			t.Errorf("%s: epoch %d after %d, %v", what, n, last, ok)
		}
		last = n
	}
	grown("opened", true)
	grown("nothing", false)
	before, _ := w.Epoch()
	w.load(t, ModeMerge, "ssin,"+bob+","+doctor+",,true,,")
	if after, _ := w.Epoch(); after <= before {
		t.Error("the importing process itself has not noticed")
	}
	grown("an import through another handle", true)

	import1 := exec.Command(os.Args[0])
	import1.Env = append(os.Environ(), "SCEAU_TEST_IMPORT="+w.path)
	if out, err := import1.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	grown("an import by another process", true)
	if got := r.ask(t, bob, now, nurse); got != "true" {
		t.Errorf("the import of the other process: %s", got)
	}

	w.Close()
	rename(t, w.path, w.path+".away")
	if err := r.Refresh(t.Context()); err == nil {
		t.Error("the file is gone and nothing is said")
	}
	if _, ok := r.Epoch(); ok {
		t.Error("an epoch of a file that is gone")
	}
	rename(t, w.path+".away", w.path)
	grown("the same file is back", false)

	other := fresh(t)
	other.load(t, ModeReplace, "ssin,"+bob+","+doctor+",,false,,")
	other.Close()
	octets, err := os.ReadFile(other.path)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, w.path, octets)
	grown("another registry in its place, with a lower epoch", true)
	if got := r.ask(t, alice, now, doctor); got != "false" {
		t.Errorf("the old registry answers: %s", got)
	}
}

func importFromAnotherProcess(path string) {
	r, err := Open(Config{Path: path, Access: ReadWrite, Catalogue: attrs.EHealth()})
	if err == nil {
		_, err = r.ImportCSV(context.Background(), strings.NewReader(header+"ssin,"+bob+","+nurse+",,true,,"), ModeMerge)
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The watch does by itself what Refresh does.
func TestWatch(t *testing.T) {
	w := fresh(t)
	w.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	r, err := Open(Config{Path: w.path, Catalogue: w.catalogue, PollInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before, _ := r.Epoch()
	w.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,false,,")
	for {
		if n, ok := r.Epoch(); ok && n > before {
			return // the test ends by the deadline of the run if it is never noticed
		}
		time.Sleep(time.Millisecond)
	}
}

// Kept answers of a resolver end with the import that changes them.
func TestImportEndsKeptAnswers(t *testing.T) {
	b := fresh(t)
	b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,")
	resolver, err := attrs.NewResolver(attrs.Config{Catalogue: b.catalogue, Routes: []attrs.Route{{Source: b}}, Budget: time.Minute,
		CacheEntries: 100, CacheTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	for i := range 20 {
		value := []string{"false", "true"}[i%2]
		b.load(t, ModeMerge, "ssin,"+alice+","+doctor+",,"+value+",,")
		for range 3 {
			got, err := resolver.Resolve(t.Context(), b.query(t, alice, now, doctor), nil)
			if err != nil || (got[0].State == attrs.Affirmed) != (value == "true") {
				t.Fatalf("after the import of %s: %+v, %v", value, got, err)
			}
		}
	}
	b.Close()
	if got, err := resolver.Resolve(t.Context(), b.query(t, alice, now, doctor), nil); attrs.ReasonOf(err) != attrs.SourceUnavailable || len(got) != 0 {
		t.Errorf("a closed registry answers from the cache: %v, %v", got, err)
	}
}

// Readers see the state before an import or after it, never a part, and do not wait for it.
func TestReadersDuringImports(t *testing.T) {
	b := fresh(t)
	r := open(t, b.path, ReadOnly)
	generation := func(n int) []string {
		return []string{
			fmt.Sprintf("ssin,%s,%s,,generation %d,,", alice, surname, n),
			fmt.Sprintf("ssin,%s,urn:be:fgov:person:ssin:ehealth:1.0:givenname,,generation %d,,", alice, n),
		}
	}
	b.load(t, ModeReplace, generation(0)...)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for _, from := range []*desk{b, r} {
		for range 3 {
			readers.Go(func() {
				last := -1
				for {
					select {
					case <-stop:
						return
					default:
					}
					got, err := from.Resolve(t.Context(), from.query(t, alice, now, surname, "urn:be:fgov:person:ssin:ehealth:1.0:givenname"), nil)
					if err != nil {
						t.Error(err)
						return
					}
					var n, m int
					fmt.Sscanf(got[0].Values[0], "generation %d", &n)
					fmt.Sscanf(got[1].Values[0], "generation %d", &m)
					if n != m || n < last {
						t.Errorf("generations %d and %d after %d", n, m, last)
						return
					}
					last = n
				}
			})
		}
	}
	for n := 1; n <= 30; n++ {
		b.load(t, []Mode{ModeMerge, ModeReplace}[n%2], generation(n)...)
	}
	close(stop)
	readers.Wait()
}

// A registry that is closed, or whose file is exchanged, under queries gives right answers or errors, and no denial.
func TestCloseAndExchangeUnderQueries(t *testing.T) {
	var files [2][]byte
	for i := range files {
		b := fresh(t)
		b.load(t, ModeReplace, "ssin,"+alice+","+doctor+",,true,,", fmt.Sprintf("ssin,%s,%s,,file %d,,", alice, surname, i))
		b.Close()
		var err error
		if files[i], err = os.ReadFile(b.path); err != nil {
			t.Fatal(err)
		}
	}
	w := fresh(t)
	w.Close()
	replace(t, w.path, files[0])
	r := open(t, w.path, ReadOnly)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := r.Resolve(t.Context(), r.query(t, alice, now, doctor, surname), nil)
				switch {
				case err != nil && attrs.ReasonOf(err) == attrs.SourceUnavailable && len(got) == 0:
				case err != nil || len(got) != 2 || got[0].State != attrs.Affirmed || !strings.HasPrefix(got[1].Values[0], "file "):
					t.Errorf("%+v, %v", got, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		replace(t, w.path, files[i%2])
		if err := r.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	close(stop)
	readers.Wait()
}
