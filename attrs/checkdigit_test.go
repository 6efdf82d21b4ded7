package attrs

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckDigits(t *testing.T) {
	valid := map[ValueKind][]string{
		// The throw-away one of the wire document; the example of a public page on the number; one of the Flemish
		// government for a birth in 2000; an unknown day of birth; a BIS number (month raised by 40).
		SSIN: {"00000000097", "93051822361", "00012556777", "40000095579", "52460500102"},
		CBE:  {"0809394427", "0566988259"}, // eHealth-platform (wire document 3.2); the Flemish government's example
		// Modulo 97, then modulo 89 for the same six digits.
		NIHII8:  {"71000040", fmt.Sprintf("100000%02d", 97-100000%97), fmt.Sprintf("100000%02d", 89-100000%89)},
		NIHII11: {"71000040000", "71000040999"},
		EHP:     {"0000000000", "1234567890"},
	}
	for kind, values := range valid {
		for _, v := range values {
			if !kind.Valid(v) {
				t.Errorf("%v %s is refused", kind, v)
			}
		}
	}
	invalid := map[ValueKind][]string{
		SSIN: {"", "0000000009", "000000000970", "00000000096", "00000000000", "0000000009a", "00.00.00-00097", " 0000000097",
			"٠٠٠٠٠٠٠٠٠٩٧", "93051822362", "00012556776", "/0000000097", ":0000000097", "-0000000097"},
		CBE:     {"", "809394427", "0809394426", "0809394400", "BE0809394427", "9809394427", "0809.394.427"},
		NIHII8:  {"", "7100001", "71000041", "71000000", "710000400", "1000009a"},
		NIHII11: {"", "71000040", "7100004000", "71000041000", "7100004000a", "71000040 00", "710000400000"},
		EHP:     {"", "123456789", "12345678901", "123456789a"},
		Boolean: {"", "TRUE", "False", "1", "0", " true"},
		Text: {"", " a", "a ", "a\nb", "a\x00", "a\u0085", "a\u2028b", "a\u202eb", "a\ufffd", "\xff", "\xed\xa0\x80",
			"\ufeffa", "a\ufffe", "\u200fa", "\U0001fffe", "\ufdd0", string(make([]byte, 1025))},
		0:        {"", "true", "a", "00000000097"},
		Text + 1: {"a"},
	}
	for kind, values := range invalid {
		for _, v := range values {
			if kind.Valid(v) {
				t.Errorf("%v %q is accepted", kind, v)
			}
		}
	}
	for _, v := range []string{"Alice", "Anne-Élise d'Été", "=x", "<b>&amp;", "日本", "a\"b"} {
		if !Text.Valid(v) {
			t.Errorf("text %q is refused", v)
		}
	}
}

func TestSubjectValid(t *testing.T) {
	tests := []struct {
		subject Subject
		want    bool
	}{
		{Subject{SubjectSSIN, "00000000097"}, true},
		{Subject{SubjectNIHII, "71000040"}, true},
		{Subject{SubjectCBE, "0809394427"}, true},
		{Subject{SubjectEHP, "1234567890"}, true},
		{Subject{"nihii/ssin", "71000040/00000000097"}, true},
		{Subject{}, false},
		{Subject{"", "00000000097"}, false},
		{Subject{SubjectSSIN, ""}, false},
		{Subject{SubjectSSIN, "00000000097/00000000097"}, false},
		{Subject{"nihii/ssin", "71000040"}, false},
		{Subject{"nihii/ssin", "71000040/"}, false},
		{Subject{"nihii/ssin", "00000000097/71000040"}, false},
		{Subject{"nihii/", "71000040/"}, false},
		{Subject{"SSIN", "00000000097"}, false},
	}
	for _, test := range tests {
		if got := test.subject.Valid(); got != test.want {
			t.Errorf("%v: %v", test.subject, got)
		}
	}
}

func TestCheckDigitsDoNotAllocate(t *testing.T) {
	ssin, nihii := []byte("00000000097"), []byte("71000040000")
	if n := testing.AllocsPerRun(100, func() { ValidSSIN(ssin); ValidNIHII11(nihii); ValidCBE(ssin[:10]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// One wrong digit, or two neighbours exchanged, never passes for a number of the same modulus and century: that is what
// check digits are for.
func TestCheckDigitsFindSlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 19_999_999).Draw(t, "body")
		cbe := []byte(fmt.Sprintf("%08d%02d", n, 97-n%97))
		if !ValidCBE(cbe) {
			t.Fatalf("%s is refused", cbe)
		}
		i, by := rapid.IntRange(0, 9).Draw(t, "place"), rapid.IntRange(1, 9).Draw(t, "by")
		slip := append([]byte{}, cbe...)
		slip[i] = '0' + (slip[i]-'0'+byte(by))%10
		if ValidCBE(slip) {
			t.Fatalf("%s passes for %s", slip, cbe)
		}
		if i < 9 && cbe[i] != cbe[i+1] {
			slip = append(slip[:0], cbe...)
			slip[i], slip[i+1] = slip[i+1], slip[i]
			if ValidCBE(slip) {
				t.Fatalf("%s passes for %s", slip, cbe)
			}
		}
	})
}

func FuzzCheckDigits(f *testing.F) {
	for _, v := range []string{"00000000097", "71000040000", "71000040", "0809394427", "", "00012556777", "1000009a"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		b := []byte(v)
		model := func(length, body int, prefix string, moduli ...int64) bool {
			if len(v) != length {
				return false
			}
			for _, c := range b {
				if c < '0' || c > '9' {
					return false
				}
			}
			n, _ := new(big.Int).SetString(prefix+v[:body], 10)
			check, _ := new(big.Int).SetString(v[body:body+2], 10)
			for _, m := range moduli {
				rest := new(big.Int).Mod(n, big.NewInt(m))
				if rest.Add(rest, check).Cmp(big.NewInt(m)) == 0 {
					return true
				}
			}
			return false
		}
		if got, want := ValidSSIN(b), model(11, 9, "", 97) || model(11, 9, "2", 97); got != want {
			t.Errorf("SSIN: %v, want %v", got, want)
		}
		if got, want := ValidCBE(b), model(10, 8, "", 97) && v[0] < '2'; got != want {
			t.Errorf("CBE: %v, want %v", got, want)
		}
		if got, want := ValidNIHII8(b), model(8, 6, "", 97, 89); got != want {
			t.Errorf("NIHII8: %v, want %v", got, want)
		}
		if got, want := ValidNIHII11(b), model(11, 6, "", 97, 89); got != want {
			t.Errorf("NIHII11: %v, want %v", got, want)
		}
		for k := range Text + 2 { // text and bytes are judged alike, and no kind panics
			k.Valid(v)
		}
		if ValidSSIN(v) != ValidSSIN(b) || ValidCBE(v) != ValidCBE(b) || ValidNIHII8(v) != ValidNIHII8(b) || ValidEHP(v) != ValidEHP(b) {
			t.Error("text and bytes differ")
		}
		if (Subject{SubjectSSIN, v}).Valid() != ValidSSIN(v) {
			t.Error("Subject.Valid differs")
		}
	})
}
