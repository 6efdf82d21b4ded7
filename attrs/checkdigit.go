package attrs

// Numbers of the Belgian authentic sources. All end in two check digits that are the modulus minus the remainder of what
// stands before them, so that they run from 01 to the modulus and are never 00. The functions take text or bytes, retain
// neither, and do not allocate.

// ValidSSIN says whether v is a social security identification number: eleven digits, of which the last two are 97 minus
// the first nine modulo 97, the nine being preceded by a 2 for those born in or after 2000 (Royal Decree of 8 February 1991,
// article 4, as amended in 1998). The century is not written in the number: either is accepted. Day and month are not
// judged, since unknown ones are 00 and those of a BIS number are raised by 20 or 40 (article 2).
func ValidSSIN[T ~string | ~[]byte](v T) bool {
	n, check, ok := split(v, 9)
	return ok && (checks(n, check, 97) || checks(n+2_000_000_000, check, 97))
}

// ValidNIHII8 says whether v is a number of the NIHII (INAMI, RIZIV) without qualification: eight digits, of which the last
// two check the first six, modulo 97, or modulo 89: the six digits ran out, and NIHII note I 2012/26 gives numbers a second
// time with the other modulus (nurses and midwives since 2013, physicians since April 2019).
func ValidNIHII8[T ~string | ~[]byte](v T) bool {
	n, check, ok := split(v, 6)
	return ok && (checks(n, check, 97) || checks(n, check, 89))
}

// ValidNIHII11 says whether v is a valid NIHII8 followed by three digits of qualification.
func ValidNIHII11[T ~string | ~[]byte](v T) bool {
	if len(v) != 11 {
		return false
	}
	for i := 8; i < 11; i++ {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return ValidNIHII8(v[:8])
}

// ValidCBE says whether v is an enterprise number: ten digits, the first 0 or 1, of which the last two check the first
// eight modulo 97.
func ValidCBE[T ~string | ~[]byte](v T) bool {
	n, check, ok := split(v, 8)
	return ok && v[0] <= '1' && checks(n, check, 97)
}

// ValidEHP says whether v is an eHealth party number: ten digits. No public document gives it check digits.
func ValidEHP[T ~string | ~[]byte](v T) bool {
	_, _, ok := split(v, 8)
	return ok
}

// split reads exactly body digits and two check digits.
func split[T ~string | ~[]byte](v T, body int) (n, check uint64, ok bool) {
	if len(v) != body+2 {
		return 0, 0, false
	}
	for i := 0; i < len(v); i++ {
		d := uint64(v[i] - '0') // wraps around for anything below '0'
		if d > 9 {
			return 0, 0, false
		}
		if i < body {
			n = n*10 + d
		} else {
			check = check*10 + d
		}
	}
	return n, check, true
}

func checks(n, check, modulus uint64) bool { return check == modulus-n%modulus }
