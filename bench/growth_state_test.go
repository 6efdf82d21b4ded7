package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"sceau/attrs"
	"sceau/attrs/registry"
	"sceau/certs"
	"sceau/certs/certstest"
	"sceau/internal/minipki"
	"sceau/internal/testpki"
	"sceau/saml"
	"sceau/sts/ststest"
)

// BenchmarkGrowthCRL is the request against the number of revoked certificates of the authority that issued the eID.
func BenchmarkGrowthCRL(b *testing.B) {
	pki := testpki.Load()
	people := newPeople(b)
	none := heapOf(func() { revoking(b, 0) }) // what a verifier has besides
	g := &growth{title: "CRL: certificates that the authority of the eID revoked", first: "entries",
		extra: []string{"taken in, CPU ms", "heap, bytes an entry", "identified again, ns"}, roads: []road{{steady: steadily}}}
	for _, n := range choose([]int{1_000, 10_000, 100_000, 1_000_000}, []int{100, 1_000, 10_000}) {
		var verifier *certs.Verifier
		config := revokingConfig(b, n)
		begin := cpu()
		heap := heapOf(func() { verifier = newVerifier(b, config) })
		taken := cpu() - begin
		f := service{signer: &pki.STSP256, verifier: verifier}.start(b)
		g.add(n, []string{fmt.Sprintf("%.1f", micros(taken)/1000), fmt.Sprintf("%.0f", float64(heap-none)/float64(n)), people.identify(b, verifier)},
			newLane(b, f, people.messages(b, growthPool), growthPool))
	}
	g.run(b)
}

// heapOf is how much memory is in use after some work that was not before.
func heapOf(work func()) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // the second empties the pools
	runtime.ReadMemStats(&before)
	work()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// revokingConfig is the configuration of certstest with n more entries in the CRL of the citizens' authority.
func revokingConfig(tb testing.TB, n int) certs.Config {
	tb.Helper()
	ca := testpki.Load().CitizenCA
	config := certstest.Config(tb)
	serials := make([]*big.Int, n)
	for i := range serials {
		serials[i] = serialNumber(i)
	}
	small := testpki.Load().CRL(ca)
	names, err := filepath.Glob(filepath.Join(config.CRL.Files[0], "*.crl"))
	fatal(tb, err)
	for _, name := range names {
		content, err := os.ReadFile(name)
		fatal(tb, err)
		if bytes.Equal(content, small) {
			fatal(tb, os.WriteFile(name, testpki.Load().CRL(ca, serials...), 0o600))
			return config
		}
	}
	tb.Fatal("no CRL of the citizens' authority")
	return config
}

// serialNumber gives a serial number, positive and none of those that minipki gives.
func serialNumber(i int) *big.Int {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	sum[0] = sum[0]&0x3f | 0x20
	return new(big.Int).SetBytes(sum[:16])
}

func newVerifier(tb testing.TB, config certs.Config) *certs.Verifier {
	tb.Helper()
	verifier, err := certs.NewVerifier(config)
	fatal(tb, err)
	tb.Cleanup(verifier.Close)
	return verifier
}

func revoking(tb testing.TB, n int) *certs.Verifier { return newVerifier(tb, revokingConfig(tb, n)) }

// people are owners of eIDs, all with one key, and each in every registry.
type people struct{ leaves []testpki.Leaf }

func newPeople(tb testing.TB) *people {
	tb.Helper()
	pki := testpki.Load()
	p := &people{}
	for i := range 64 {
		person := minipki.Person{GivenNames: "Person", Surname: "Number " + strconv.Itoa(i), SSIN: ssinOf(i)}
		p.leaves = append(p.leaves, pki.Issue(pki.CitizenCA, minipki.EID(person), pki.AliceEIDP256.Key))
	}
	return p
}

// ssinOf gives an SSIN to a person; the odd numbers are those of people, the even ones are others.
func ssinOf(person int) string { return ssin(2*(person*1_234_567%400_000_000) + 1) }

// ssin gives the SSIN of nine digits.
func ssin(digits int) string { return fmt.Sprintf("%09d%02d", digits, 97-digits%97) }

// messages writes one message of each of the first n.
func (p *people) messages(tb testing.TB, n int) [][]byte {
	tb.Helper()
	var all [][]byte
	for i := range n {
		leaf := &p.leaves[i]
		q := ststest.Query{Identity: leaf, Holder: leaf, Asked: []string{ststest.DoctorBoolean}, Change: func(q *saml.Query) {
			for k := range q.Identification {
				q.Identification[k].Values = []string{ssinOf(i)}
			}
		}}
		all = append(all, new(ststest.Fixture).Message(tb, q))
	}
	return all
}

// identify is the time in which a certificate that is known is identified again: its serial number is looked up in the CRL
// every time.
func (p *people) identify(tb testing.TB, verifier *certs.Verifier) string {
	tb.Helper()
	var known []*certs.Certificate
	for i := range p.leaves {
		known = append(known, certstest.Parse(tb, verifier, p.leaves[i].DER))
	}
	const times = 64
	all := func() {
		for range times {
			for _, c := range known {
				if _, err := verifier.Identify(certs.RoleIdentity, c, nil, testpki.Now()); err != nil {
					tb.Fatal(err)
				}
			}
		}
	}
	all()
	verifier.Settle()
	return fmt.Sprint(best(20, all).Nanoseconds() / int64(times*len(known)))
}

// BenchmarkGrowthRegistry is the request against the number of persons in the registry: with their answers kept by the
// resolver, and with nothing kept, so that every request is a look-up in SQLite.
func BenchmarkGrowthRegistry(b *testing.B) {
	pki := testpki.Load()
	people := newPeople(b)
	messages := people.messages(b, len(people.leaves))
	g := &growth{title: "Registry: persons with one fact each", first: "persons", extra: []string{"import, elapsed s", "file, MB", "open, elapsed ms"},
		roads: []road{{"kept", steadily}, {"looked-up", slowly}}}
	for _, n := range choose([]int{1_000, 10_000, 100_000, 1_000_000}, []int{100, 1_000, 10_000}) {
		path := filepath.Join(b.TempDir(), "registry.db")
		imported := people.populate(b, path, n)
		info, err := os.Stat(path)
		fatal(b, err)
		begin := time.Now()
		source, err := registry.Open(registry.Config{Path: path, Catalogue: attrs.EHealth(), Now: testpki.Now})
		fatal(b, err)
		opened := time.Since(begin)
		b.Cleanup(func() { source.Close() })
		kept := service{signer: &pki.STSP256, registry: source}
		asked := kept
		asked.uncached = true
		g.add(n, []string{fmt.Sprintf("%.2f", imported.Seconds()), fmt.Sprintf("%.1f", float64(info.Size())/1e6), fmt.Sprintf("%.1f", micros(opened)/1000)},
			newLane(b, kept.start(b), messages, len(messages)), newLane(b, asked.start(b), messages, len(messages)))
	}
	g.run(b)
}

// populate imports n persons, those of people among them, and gives the time that took.
func (p *people) populate(tb testing.TB, path string, n int) time.Duration {
	tb.Helper()
	text := []byte("subject_type,subject,attribute,value,not_before,not_on_or_after\n")
	fact := func(ssin string) {
		text = append(text, "ssin,"...)
		text = append(text, ssin...)
		text = append(text, ","+ststest.DoctorBoolean+",true,,\n"...)
	}
	for i := range p.leaves {
		fact(ssinOf(i))
	}
	others := n - len(p.leaves)
	for i := range others {
		fact(ssin(2 * (i + 1) * (499_999_999 / (others + 1))))
	}
	r, err := registry.Open(registry.Config{Path: path, Access: registry.ReadWrite, Catalogue: attrs.EHealth(), Now: testpki.Now})
	fatal(tb, err)
	defer r.Close()
	begin := time.Now()
	_, err = r.ImportCSV(context.Background(), bytes.NewReader(text), registry.ModeReplace)
	fatal(tb, err)
	return time.Since(begin)
}
