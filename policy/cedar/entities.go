package cedar

import (
	"bytes"
	"encoding/json"
	"io"
	"path"
	"strconv"

	engine "github.com/cedar-policy/cedar-go"
)

// readEntities reads the *.json files, lists of entities in Cedar's own form: roles and how they are had, who is a
// member of them, applications, and entities of the directory's own types.
func (l *loader) readEntities(names []string) {
	p := l.policies
	at := map[engine.EntityUID]string{}
	for _, name := range names {
		if path.Ext(name) != ".json" {
			continue
		}
		content, ok := l.read(name)
		if !ok {
			continue
		}
		l.entityList(content, name, func(line int, entity engine.Entity) {
			uid := entity.UID
			title := string(uid.Type) + " " + strconv.QuoteToASCII(string(uid.ID))
			switch uid.Type {
			case Attribute, Profile, actionType:
				l.wrong(name, line, "%s: attributes, profiles and actions are not listed here", title)
				return
			}
			if first, twice := at[uid]; twice {
				l.wrong(name, line, "%s: it stands in %s already", title, first)
				return
			}
			at[uid] = name + ":" + strconv.Itoa(line)
			if isParty(uid.Type) {
				entity.Attributes = l.partyFields(name, line, title, entity)
			}
			if err := p.validator.Entity(entity); err != nil {
				l.wrong(name, line, "%s: %v", title, err)
				return
			}
			p.entities[uid] = entity
			p.own = append(p.own, uid)
			if uid.Type == Role {
				l.role(name, line, entity)
			}
		})
	}
	for _, uid := range p.own {
		for parent := range p.entities[uid].Parents.All() {
			if _, known := p.entities[parent]; !known {
				l.wrong(fileOf(at[uid]), 0, "%s: it is in %s, which is not listed", uid, parent)
			}
		}
	}
	for _, uid := range p.own {
		if within := p.roles[uid]; within != nil {
			for parent := range p.entities[uid].Parents.All() {
				if r := p.roles[parent]; r != nil {
					r.within = append(r.within, within)
				}
			}
		}
	}
}

func fileOf(place string) string {
	for i := range place {
		if place[i] == ':' {
			return place[:i]
		}
	}
	return place
}

// partyFields makes the fields of a principal out of its id; the file need not repeat them.
func (l *loader) partyFields(file string, line int, title string, entity engine.Entity) engine.Record {
	who := partyOf(entity.UID.Type, string(entity.UID.ID))
	for name, value := range entity.Attributes.All() {
		if text, ok := value.(engine.String); ok && name == "kind" {
			who.kind = string(text)
			continue
		}
		l.wrong(file, line, "%s: of its attributes only kind is given here", title)
	}
	if entity.Tags.Len() > 0 {
		l.wrong(file, line, "%s: certified attributes come from sources, not from here", title)
	}
	return who.record()
}

// entityList runs over the entities of a file with the line on which each begins.
func (l *loader) entityList(content []byte, file string, each func(line int, entity engine.Entity)) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	line := func() int {
		return 1 + bytes.Count(content[:min(int(decoder.InputOffset()), len(content))], []byte{'\n'})
	}
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		l.wrong(file, 1, "must be a list of entities")
		return
	}
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			l.wrong(file, line(), "not JSON: %v", err)
			return
		}
		// Where it begins: its end less its own lines.
		begin := line() - bytes.Count(raw, []byte{'\n'})
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			l.wrong(file, begin, "must be an object: %v", err)
			continue
		}
		for name := range members {
			switch name {
			case "uid", "attrs", "parents", "tags":
			default:
				l.wrong(file, begin, "unknown key %s", strconv.QuoteToASCII(name))
			}
		}
		var entity engine.Entity
		if err := json.Unmarshal(raw, &entity); err != nil {
			l.wrong(file, begin, "no entity: %v", err)
			continue
		}
		each(begin, entity)
	}
	if _, err := decoder.Token(); err != nil {
		l.wrong(file, line(), "not JSON: %v", err)
		return
	}
	if _, err := decoder.Token(); err != io.EOF {
		l.wrong(file, line(), "something stands after the list")
	}
}

// role reads how a role is had.
func (l *loader) role(file string, line int, entity engine.Entity) {
	r := &role{uid: entity.UID}
	l.policies.roles[entity.UID] = r
	l.policies.every = append(l.policies.every, r)
	title := "role " + strconv.QuoteToASCII(string(entity.UID.ID))
	values, hasValues := entity.Attributes.Get("values")
	name, ok := entity.Attributes.Get("attribute")
	if !ok {
		if hasValues {
			l.wrong(file, line, "%s: values without attribute", title)
		}
		return
	}
	d, ok := l.definition(string(name.(engine.String))) // of its type: the validator has seen it
	if !ok {
		l.wrong(file, line, "%s: no source certifies %s", title, strconv.QuoteToASCII(string(name.(engine.String))))
		return
	}
	r.definition = d
	if hasValues {
		r.values = map[string]bool{}
		for value := range values.(engine.Set).All() {
			text := string(value.(engine.String))
			if !d.Kind.Valid(text) && text != "true" {
				l.wrong(file, line, "%s: a value that %s cannot have", title, d.Name)
			}
			r.values[text] = true
		}
	}
}
