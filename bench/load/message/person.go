package message

import "fmt"

// A person is somebody invented, by numbers that have right check digits and belong to
// nobody.
type person struct {
	SSIN    string `json:"ssin"`
	NIHII11 string `json:"nihii11"`
}

// persons is how many different persons there are: SSINs of the birth date 00.00.00, which
// nobody has, with serial numbers 001 to 998 in two centuries.
const persons = 2 * 998

// personAt returns the i-th person; after the last comes the first again.
func personAt(i int) person {
	i %= persons
	serial, century := 1+i/2, i%2
	// Check digits: 97 less the remainder by 97, of the number with a 2 before it for births
	// from 2000 on.
	check := 97 - (serial+century*2_000_000_000)%97
	number := 198_000 + i // six digits, the first the profession: a doctor
	return person{
		SSIN:    fmt.Sprintf("000000%03d%02d", serial, check),
		NIHII11: fmt.Sprintf("%06d%02d004", number, 97-number%97),
	}
}
