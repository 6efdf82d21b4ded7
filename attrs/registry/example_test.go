package registry_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sceau/attrs"
	"sceau/attrs/registry"
)

// An import that is not sound changes nothing and says everything that is wrong with it.
func ExampleRegistry_ImportCSV() {
	dir, err := os.MkdirTemp("", "registry")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	r, err := registry.Open(registry.Config{
		Path: filepath.Join(dir, "registry.db"), Access: registry.ReadWrite, Catalogue: attrs.EHealth(),
	})
	if err != nil {
		panic(err)
	}
	defer r.Close()

	const header = "subject_type,subject,attribute,value,not_before,not_on_or_after\n"
	report, err := r.ImportCSV(context.Background(), strings.NewReader(header+
		"ssin,00000000098,urn:be:fgov:person:ssin:doctor:boolean,true,,\n"+
		"ssin,00000000097,urn:be:fgov:person:ssin:doctor:boolean,yes,2026-01-01,\n"), registry.ModeMerge)
	fmt.Println(err)
	for _, p := range report.Problems {
		fmt.Println(p)
	}
	report, err = r.ImportCSV(context.Background(), strings.NewReader(header+
		"ssin,00000000097,urn:be:fgov:person:ssin:doctor:boolean,true,2026-01-01T00:00:00Z,\n"), registry.ModeMerge)
	fmt.Println(report.Added, "added,", report.Removed, "removed,", err)
	// Output:
	// import refused: line 2: subject: not a valid subject of its type: length or check digits of ssin, and 2 more
	// line 2: subject: not a valid subject of its type: length or check digits of ssin
	// line 3: value: not a valid value of the attribute's kind: boolean
	// line 3: not_before: not a time: RFC 3339 with zone, such as 2026-11-21T20:00:00Z
	// 1 added, 0 removed, <nil>
}
