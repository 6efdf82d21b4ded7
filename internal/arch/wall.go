package arch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tests is the floor of the packages made for tests and, in a list of importers, every test.
const tests = "tests"

// testFloor is that floor's number: above all others, so that what is made for tests may
// import anything and nothing may import it.
const testFloor = 1 << 30

// A Wall is the rules of wall.txt.
type Wall struct {
	floors     map[string]int      // package -> floor
	arrows     map[string][]string // package -> packages
	testArrows map[string][]string
	modules    map[string][]string // module -> packages
	standard   map[string]restriction
}

// A restriction says who may use a package of the standard library.
type restriction struct {
	importers []string
	names     []string // identifiers admitted outside tests; none means all
}

// ParseWall reads wall.txt and says everything that is wrong with it.
func ParseWall(text string) (*Wall, error) {
	w := &Wall{floors: map[string]int{}, arrows: map[string][]string{}, testArrows: map[string][]string{},
		modules: map[string][]string{}, standard: map[string]restriction{}}
	var wrong []error
	section, number := "", 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		name, list, ok := strings.Cut(line, ":")
		if !ok {
			wrong = append(wrong, fmt.Errorf("wall.txt:%d: no colon", number))
			continue
		}
		if err := w.enter(section, strings.TrimSpace(name), strings.Fields(list)); err != nil {
			wrong = append(wrong, fmt.Errorf("wall.txt:%d: %w", number, err))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return w, w.check()
}

func (w *Wall) enter(section, name string, list []string) error {
	into := map[string]map[string][]string{"[arrows]": w.arrows, "[test arrows]": w.testArrows, "[modules]": w.modules}[section]
	switch {
	case section == "[floors]":
		floor, err := strconv.Atoi(name)
		if name == tests {
			floor, err = testFloor, nil
		}
		if err != nil || floor < 0 {
			return fmt.Errorf("%q is no floor", name)
		}
		for _, p := range list {
			if _, there := w.floors[p]; there {
				return fmt.Errorf("%s stands on two floors", p)
			}
			w.floors[p] = floor
		}
	case section == "[standard]":
		name, names, braces := strings.Cut(name, "{")
		r := restriction{importers: list}
		if braces {
			r.names = strings.Split(strings.TrimSuffix(names, "}"), ",")
		}
		if _, there := w.standard[name]; there {
			return fmt.Errorf("%s has two lines", name)
		}
		w.standard[name] = r
	case into == nil:
		return fmt.Errorf("no section %s", section)
	case into[name] != nil:
		return fmt.Errorf("%s has two lines", name)
	default:
		into[name] = append([]string{}, list...)
	}
	return nil
}

// check holds the arrows against the floors: what no line can admit.
func (w *Wall) check() error {
	var wrong []error
	for from, targets := range w.arrows {
		for _, to := range targets {
			if err := w.admits(from, to); err != nil {
				wrong = append(wrong, fmt.Errorf("wall.txt: %s: %s: %w", from, to, err))
			}
		}
	}
	for from, targets := range w.testArrows {
		for _, to := range append([]string{from}, targets...) {
			if _, there := w.floors[to]; !there {
				wrong = append(wrong, fmt.Errorf("wall.txt: %s stands on no floor", to))
			}
		}
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}

// admits tells whether the floors admit an arrow at all.
func (w *Wall) admits(from, to string) error {
	low, ok := w.floors[to]
	if !ok {
		return fmt.Errorf("%s stands on no floor", to)
	}
	high, ok := w.floors[from]
	switch {
	case !ok:
		return fmt.Errorf("%s stands on no floor", from)
	case high == testFloor:
		return nil
	case low == testFloor:
		return errors.New("made for tests")
	case low > high:
		return errors.New("an arrow upwards")
	case low == high && family(from) != family(to):
		return errors.New("packages of one floor never import each other, except in a family")
	}
	return nil
}

// family is the top-level folder of a package; below internal and cmd every folder is one.
func family(p string) string {
	parts := strings.SplitN(p, "/", 3)
	if len(parts) > 1 && (parts[0] == "internal" || parts[0] == "cmd") {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// top is the highest floor but that of tests: the programs.
func (w *Wall) top() int {
	top := 0
	for _, floor := range w.floors {
		if floor != testFloor {
			top = max(top, floor)
		}
	}
	return top
}

// rests gives everything that a package imports, directly or not, by the arrows, and itself.
func (w *Wall) rests(p string) map[string]bool {
	seen := map[string]bool{p: true}
	for queue := []string{p}; len(queue) > 0; queue = queue[1:] {
		for _, to := range w.arrows[queue[0]] {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return seen
}
