package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/choria-io/go-choria/config"
	"github.com/choria-io/go-choria/confkey"
)

// key describes a key, from the tags of Choria's structures.
type key struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Default  string   `json:"default"`
	Variable string   `json:"variable"`
	Choices  []string `json:"choices"`
}

// listKeys returns every key that a configuration can have.
func listKeys() (answer, error) {
	var keys []key
	for _, target := range []any{&config.Config{}, &config.ChoriaPluginConfig{}} {
		names, err := confkey.FindFields(target, ".")
		if err != nil {
			return answer{}, err
		}
		for _, name := range names {
			k := key{Name: name, Choices: []string{}}
			k.Kind, _ = confkey.Type(target, name)
			k.Default, _ = confkey.DefaultString(target, name)
			k.Variable, _ = confkey.Environment(target, name)
			if rule, ok := confkey.Validation(target, name); ok {
				k.Choices = strings.Split(strings.TrimPrefix(rule, "enum="), ",")
			}
			keys = append(keys, k)
		}
	}
	out, err := json.Marshal(keys)
	return answer{Fields: out}, err
}

// kinds has a field for every way to parse the text of a value.
type kinds struct {
	String     string        `confkey:"string"`
	Int        int           `confkey:"int"`
	Bool       bool          `confkey:"bool"`
	Duration   time.Duration `confkey:"duration" type:"duration"`
	PathString string        `confkey:"path_string" type:"path_string"`
	Title      string        `confkey:"title_string" type:"title_string"`
	Comma      []string      `confkey:"comma_split" type:"comma_split"`
	Colon      []string      `confkey:"colon_split" type:"colon_split"`
	Path       []string      `confkey:"path_split" type:"path_split"`
	Strings    []string      `confkey:"strings"`
}

// convert parses a text as a value of a kind; an empty HOME counts as unset.
func convert(r request) (answer, error) {
	var wanted struct{ Kind, Text, Home string }
	if err := json.Unmarshal(r.Values, &wanted); err != nil {
		return answer{}, err
	}
	os.Setenv("HOME", wanted.Home)
	var into kinds
	if err := confkey.SetStructFieldWithKey(&into, wanted.Kind, wanted.Text); err != nil {
		return answer{Refused: err.Error()}, nil
	}
	value, ok := confkey.InterfaceWithKey(&into, wanted.Kind)
	if !ok {
		return answer{}, fmt.Errorf("unknown kind %q", wanted.Kind)
	}
	out, err := fields(value)
	return answer{Fields: out}, err
}

// loaded is a configuration as Choria's clients see it.
type loaded struct {
	Values map[string]any    `json:"values"`
	Raw    map[string]string `json:"raw"`
	Files  []string          `json:"files"`
}

// load reads a configuration in a directory and with an environment, without the variables of the previous one.
func load(r request) (answer, error) {
	var wanted struct {
		File, Directory string
		Environment     map[string]string
		Variables, Keys []string
	}
	if err := json.Unmarshal(r.Values, &wanted); err != nil {
		return answer{}, err
	}
	if err := os.Chdir(wanted.Directory); err != nil {
		return answer{}, err
	}
	for _, name := range append(wanted.Variables, "HOME", "PWD") {
		os.Unsetenv(name)
	}
	for name, value := range wanted.Environment {
		os.Setenv(name, value)
	}
	c, err := config.NewConfig(wanted.File)
	if err != nil {
		return answer{Refused: err.Error()}, nil
	}
	found := loaded{Values: map[string]any{}, Raw: c.UnParsedOptions(), Files: c.ParsedFiles}
	for _, name := range wanted.Keys {
		value, ok := confkey.InterfaceWithKey(c, name)
		if !ok {
			value, ok = confkey.InterfaceWithKey(c.Choria, name)
		}
		if !ok {
			return answer{}, fmt.Errorf("Choria has no key %q", name)
		}
		if list := reflect.ValueOf(value); list.Kind() == reflect.Slice && list.IsNil() {
			value = []string{}
		}
		found.Values[name] = value
	}
	out, err := fields(found)
	return answer{Fields: out}, err
}
