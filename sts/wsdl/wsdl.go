package wsdl

import (
	"embed"
	"html"
	"strings"
)

//go:embed service.wsdl protocol.xsd assertion.xsd xmldsig.xsd
var texts embed.FS

// The marks that stand for addresses in the texts.
const (
	markLocation = "@LOCATION@"
	markLegacy   = "@LEGACY@"
)

// Document returns the WSDL of a service at the address location, and under the path
// of older clients at legacy. Both are http or https addresses. The schemas it imports
// are those of [Schemas] for the same location, at location?xsd=NAME.
func Document(location, legacy string) []byte {
	return []byte(strings.NewReplacer(markLocation, html.EscapeString(location), markLegacy, html.EscapeString(legacy)).Replace(read("service.wsdl")))
}

// Schemas returns the schemas by the name that they have in ?xsd=NAME. They import each
// other at location?xsd=NAME.
func Schemas(location string) map[string][]byte {
	schemas := map[string][]byte{}
	for _, name := range []string{"protocol", "assertion", "xmldsig"} {
		schemas[name] = []byte(strings.ReplaceAll(read(name+".xsd"), markLocation, html.EscapeString(location)))
	}
	return schemas
}

func read(name string) string {
	text, err := texts.ReadFile(name)
	if err != nil {
		panic(err) // the compiler put it there
	}
	return string(text)
}
