package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"sceau/bench/load/measure"
)

//go:embed page.tmpl
var pageSource string

//go:embed page.css
var style string

// pageTemplate is the page with its style in place.
var pageTemplate = template.Must(template.New("page").Parse(strings.Replace(pageSource, "/*style*/", style, 1)))

// contentPolicy admits the one style sheet of the page, by its hash, and nothing else: no script, no
// picture, no font, no connection, whatever got into the page.
var contentPolicy = func() string {
	hash := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
}()

// A page is what the template sees.
type page struct {
	document
	Policy string
}

// HTML writes r as one self-contained page, with plots.
func HTML(w io.Writer, r *measure.Report) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, page{documentOf(r), contentPolicy}); err != nil {
		return fmt.Errorf("report as HTML: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Anchor is the name of the i-th section in the page's own links.
func (page) Anchor(i int) string { return fmt.Sprintf("phase-%d", i+1) }

// Class is that of a cell of the i-th column.
func (t table) Class(i int) string {
	if i < len(t.Head) && t.Head[i].Text {
		return "text"
	}
	return "figure"
}
