package cedar

import (
	"encoding/json"
	"errors"
	"math"

	engine "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

var errType = errors.New("not of the type that the schema gives it")

func isDatetime(t resolved.IsType) bool { return t == resolved.ExtensionType("datetime") }

// convert makes a value of JSON one of the type that the schema gives it. Members of a record that the schema does not
// have are passed over; nothing is guessed. The error does not quote the value.
func convert(value any, t resolved.IsType) (engine.Value, error) {
	switch t := t.(type) {
	case resolved.StringType:
		if text, ok := value.(string); ok {
			return engine.String(text), nil
		}
	case resolved.BoolType:
		if truth, ok := value.(bool); ok {
			return engine.Boolean(truth), nil
		}
	case resolved.LongType:
		return convertLong(value)
	case resolved.SetType:
		return convertSet(value, t)
	case resolved.RecordType:
		return convertRecord(value, t)
	case resolved.EntityType:
		return convertEntity(value, t)
	case resolved.ExtensionType:
		return convertExtension(value, t)
	}
	return nil, errType
}

func convertLong(value any) (engine.Value, error) {
	switch n := value.(type) {
	case json.Number:
		if whole, err := n.Int64(); err == nil {
			return engine.Long(whole), nil
		}
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return engine.Long(n), nil
		}
	}
	return nil, errType
}

func convertSet(value any, t resolved.SetType) (engine.Value, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, errType
	}
	members := make([]engine.Value, len(list))
	for i, item := range list {
		var err error
		if members[i], err = convert(item, t.Element); err != nil {
			return nil, err
		}
	}
	return engine.NewSet(members...), nil
}

func convertRecord(value any, t resolved.RecordType) (engine.Value, error) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errType
	}
	fields := engine.RecordMap{}
	for name, attribute := range t {
		member, given := object[string(name)]
		switch {
		case given:
			converted, err := convert(member, attribute.Type)
			if err != nil {
				return nil, err
			}
			fields[name] = converted
		case !attribute.Optional:
			return nil, errors.New("no " + string(name))
		}
	}
	return engine.NewRecord(fields), nil
}

// convertEntity takes {"type": …, "id": …}, or the id alone.
func convertEntity(value any, t resolved.EntityType) (engine.Value, error) {
	switch v := value.(type) {
	case string:
		return engine.NewEntityUID(engine.EntityType(t), engine.String(v)), nil
	case map[string]any:
		id, ok := v["id"].(string)
		if typed, _ := v["type"].(string); ok && typed == string(t) {
			return engine.NewEntityUID(engine.EntityType(t), engine.String(id)), nil
		}
	}
	return nil, errType
}

func convertExtension(value any, t resolved.ExtensionType) (engine.Value, error) {
	text, ok := value.(string)
	if !ok {
		return nil, errType
	}
	var converted engine.Value
	var err error
	switch t {
	case "datetime":
		converted, err = types.ParseDatetime(text)
	case "duration":
		converted, err = types.ParseDuration(text)
	case "decimal":
		converted, err = types.ParseDecimal(text)
	case "ipaddr":
		converted, err = types.ParseIPAddr(text)
	default:
		return nil, errType
	}
	if err != nil {
		return nil, errType
	}
	return converted, nil
}
