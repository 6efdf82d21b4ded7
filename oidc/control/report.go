package control

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// A line is one indicator: of what, which, and its value, in French.
type line struct {
	establishment, client, indicator, value string
}

// lines are the indicators one by one, in the order of the report.
func lines(i Indicators) []line {
	all := []line{
		{"", "", "Produit", strings.TrimSpace(i.Product + " " + i.Version)},
		{"", "", "Environnement", i.Environment},
		{"", "", "Empreinte de la configuration (SHA-256)", i.Configuration.Digest},
		{"", "", "Configuration en vigueur depuis", instant(i.Configuration.Since)},
		{"", "", "Conservation des traces", retention(i.Retention)},
	}
	for _, e := range i.Establishments {
		add := func(indicator, value string) { all = append(all, line{e.Name, "", indicator, value}) }
		add("Émetteur (iss)", e.Issuer)
		add("Algorithmes de signature", list(e.SigningAlgorithms))
		for _, m := range e.Means {
			add("Moyen d'identification "+m.Name, fmt.Sprintf("%s ; amr : %s ; %s", m.Kind, list(m.Methods), strength(m.Strength)))
		}
		for _, c := range e.Clients {
			all = append(all, clientLines(e.Name, &c)...)
		}
	}
	for _, warning := range i.Warnings() {
		all = append(all, line{"", "", "Écart", warning})
	}
	return all
}

func clientLines(establishment string, c *Client) []line {
	sets := make([]string, len(c.AMRSets))
	for k, set := range c.AMRSets {
		sets[k] = strings.Join(set, "+")
	}
	consent := map[string]string{"none": "aucun", "ask": "demandé à l'utilisateur", "terms": "conditions d'utilisation à accepter"}
	refresh := "aucun"
	if c.RefreshToken > 0 {
		refresh = length(c.RefreshToken)
	}
	var all []line
	for _, one := range [][2]string{
		{"Profil", cmp.Or(c.Profile, "aucun")},
		{"Durée de session", length(c.SessionLife)},
		{"Durée d'inactivité", length(c.SessionIdle)},
		{"Âge maximal de l'authentification explicite", length(c.MaxAuthenticationAge)},
		{"Moyens d'identification autorisés", list(c.Means)},
		{"Ensembles amr exigés", list(sets)},
		{"Valeurs acr", list(c.ACRValues)},
		{"Force d'authentification", strength(c.Strength)},
		{"Consentement", cmp.Or(consent[c.Consent], c.Consent)},
		{"Authentification du client", c.Authentication},
		{"Certificat client exigé", yes(c.CertificateRequired)},
		{"PKCE exigé", yes(c.PKCE)},
		{"Requêtes poussées exigées (PAR)", yes(c.PushedRequests)},
		{"Jetons liés au certificat", yes(c.BoundTokens)},
		{"Algorithme de l'ID token", c.IDTokenAlgorithm},
		{"Durée du code", length(c.Code)},
		{"Durée de l'access token", length(c.AccessToken)},
		{"Durée de l'ID token", length(c.IDToken)},
		{"Durée du refresh token", refresh},
		{"Scopes", list(c.Scopes)},
	} {
		all = append(all, line{establishment, c.ID, one[0], one[1]})
	}
	return all
}

// WriteText writes the indicators for a person.
func WriteText(out io.Writer, i Indicators) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Indicateurs des politiques d'accès (EXI FI 28)")
	before := line{}
	for _, l := range lines(i) {
		if l.establishment != before.establishment || l.client != before.client {
			title := ""
			if l.establishment != "" {
				title = "Établissement " + l.establishment
			}
			if l.client != "" {
				title += ", application " + l.client
			}
			fmt.Fprintf(w, "\n%s\n", plain(title))
		}
		before = l
		fmt.Fprintf(w, "  %s\t%s\n", plain(l.indicator), plain(cmp.Or(l.value, "–")))
	}
	return w.Flush()
}

// WriteCSV writes the indicators as a table.
func WriteCSV(out io.Writer, i Indicators) error {
	rows := [][]string{{"établissement", "application", "indicateur", "valeur"}}
	for _, l := range lines(i) {
		rows = append(rows, []string{l.establishment, l.client, l.indicator, l.value})
	}
	return table(out, rows)
}

var dimensionLabels = map[Dimension]string{ByDay: "jour", ByEstablishment: "établissement", ByClient: "application", ByOperation: "opération",
	ByMeans: "moyen", ByMethod: "amr", ByOutcome: "résultat"}

var outcomeLabels = map[string]string{"success": "succès", "refused": "refus", "fault": "erreur"}

func countRows(a Answer) [][]string {
	var head []string
	for _, d := range Dimensions() {
		for _, asked := range a.By {
			if d == asked {
				head = append(head, dimensionLabels[d])
			}
		}
	}
	rows := [][]string{append(head, "nombre")}
	for i := range a.Rows {
		r := &a.Rows[i]
		var row []string
		if r.Day != "" {
			row = append(row, string(r.Day))
		}
		for _, d := range Dimensions() {
			if to := r.field(d); to != nil && *to != nil {
				value := **to
				if d == ByOutcome {
					value = cmp.Or(outcomeLabels[value], value)
				}
				row = append(row, value)
			}
		}
		rows = append(rows, append(row, strconv.FormatUint(r.Count, 10)))
	}
	return rows
}

// WriteCountsText writes counts for a person.
func WriteCountsText(out io.Writer, a Answer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Relevé du %s au %s (jours UTC)\n\n", plain(string(a.From)), plain(string(a.To)))
	for _, row := range countRows(a) {
		for i := range row {
			row[i] = plain(cmp.Or(row[i], "–"))
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	fmt.Fprintf(w, "\nTotal\t%d\n", a.Total)
	if a.Withheld > 0 {
		fmt.Fprintf(w, "Lignes non communiquées (moins de %d)\t%d\n", a.Least, a.Withheld)
	}
	return w.Flush()
}

// WriteCountsCSV writes counts as a table.
func WriteCountsCSV(out io.Writer, a Answer) error { return table(out, countRows(a)) }

// table writes rows that a spreadsheet may open: no cell is a formula.
func table(out io.Writer, rows [][]string) error {
	w := csv.NewWriter(out)
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
			if row[i] != "" && strings.ContainsRune("=+-@", rune(row[i][0])) {
				row[i] = "'" + row[i]
			}
		}
		w.Write(row)
	}
	w.Flush()
	return w.Error()
}

// plain replaces what could steer a terminal or turn the order of reading.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != ' ' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

func list(texts []string) string {
	if len(texts) == 0 {
		return "aucun"
	}
	return strings.Join(texts, ", ")
}

func yes(b bool) string {
	if b {
		return "oui"
	}
	return "non"
}

func strength(s Strength) string {
	factors := "un facteur"
	if s.MultiFactor {
		factors = "deux facteurs"
	}
	if s.PhishingResistant {
		return factors + ", résistant à l'hameçonnage"
	}
	return factors + ", non résistant à l'hameçonnage"
}

func retention(s Seconds) string {
	if s == 0 {
		return "sans limite"
	}
	return fmt.Sprintf("%d jours", time.Duration(s)/(24*time.Hour))
}

// length writes a duration as hours, minutes and seconds.
func length(s Seconds) string {
	if s == 0 {
		return "–"
	}
	d := time.Duration(s)
	var parts []string
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d -= n * unit.size
		}
	}
	return strings.Join(parts, " ")
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
