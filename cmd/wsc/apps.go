package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sceau/attrs"
	"sceau/wsc"
)

// Applications maps the name of an application to the attributes that it needs. A
// file of them is YAML:
//
//	APP1:
//	  - urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11
//	APP3:
//	  - urn:be:fgov:ehealth:1.0:certificateholder:groupofnurses:nihii-number@certified
//
// Identification attributes are asked for besides, as the certificates bear them.
type applications map[string][]string

// builtin are the two examples of the seed.
func builtin() applications {
	return applications{
		"APP1": {"urn:be:fgov:person:ssin:ehealth:1.0:doctor:nihii11"},
		"APP2": {"urn:be:fgov:person:ssin:doctor:boolean"},
	}
}

// readApplications reads a file and adds it to the examples, which it may redefine.
func readApplications(content []byte) (applications, error) {
	all := builtin()
	var added applications
	if err := yaml.NewDecoder(bytes.NewReader(content)).Decode(&added); err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(added)) {
		if len(added[name]) == 0 {
			errs = append(errs, fmt.Errorf("application %s: no attribute", name))
		}
		for _, text := range added[name] {
			if _, err := designator(text); err != nil {
				errs = append(errs, fmt.Errorf("application %s: %w", name, err))
			}
		}
		all[name] = added[name]
	}
	return all, errors.Join(errs...)
}

// attributes gives the attributes of an application.
func (a applications) attributes(name string) ([]string, error) {
	list, ok := a[name]
	if !ok {
		return nil, usage("no application %q; there are %s (--apps FILE adds some)", name, strings.Join(slices.Sorted(maps.Keys(a)), ", "))
	}
	return list, nil
}

// designator reads NAME or NAME@NAMESPACE. "certified" and "identification" stand for
// the two namespaces of the platform; without one the catalogue must know the name in
// one of them only.
func designator(text string) (attrs.Designator, error) {
	name, namespace, given := strings.Cut(text, "@")
	d := attrs.Designator{Name: name, Namespace: namespace}
	switch namespace {
	case "certified":
		d.Namespace = attrs.NamespaceCertified
	case "identification":
		d.Namespace = attrs.NamespaceIdentification
	}
	if name == "" || given && namespace == "" {
		return d, fmt.Errorf("%q is not NAME or NAME@NAMESPACE", text)
	}
	if given {
		return d, nil
	}
	identification, certified := attrs.EHealth().ByName([]byte(name))
	switch {
	case identification != nil && certified != nil:
		return d, fmt.Errorf("%s stands in both namespaces: write %s@certified or %s@identification", name, name, name)
	case certified != nil:
		d.Namespace = attrs.NamespaceCertified
	case identification != nil:
		d.Namespace = attrs.NamespaceIdentification
	default:
		return d, fmt.Errorf("%s is not in the catalogue: write %s@certified, or @ and the namespace", name, name)
	}
	return d, nil
}

// identification reads NAME=VALUE: a claim in the identification namespace.
func identification(text string) (wsc.Attribute, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || value == "" {
		return wsc.Attribute{}, usage("%q is not NAME=VALUE", text)
	}
	return wsc.Attribute{Designator: attrs.Designator{Name: name, Namespace: attrs.NamespaceIdentification}, Values: []string{value}}, nil
}
