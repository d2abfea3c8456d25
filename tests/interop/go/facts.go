package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"

	"github.com/choria-io/go-choria/lifecycle"
)

// facts are what the contracts must agree with: the events that Choria has, and the texts that their fields can have.
type facts struct {
	Types    []string            `json:"types"`    // of lifecycle events
	Stages   []string            `json:"stages"`   // of a governor event
	Watchers map[string]string   `json:"watchers"` // the protocols of their states, by the watcher's type
	States   map[string][]string `json:"states"`   // their names, by the watcher's type
}

func listFacts() (*facts, error) {
	f := &facts{Types: lifecycle.EventTypeNames(), Watchers: map[string]string{}, States: map[string][]string{}}
	for name, constructor := range constructors {
		f.Watchers[name] = constructor.EventType()
	}
	// The names of constants and of unexported variables exist in the source alone.
	place := reflect.ValueOf(lifecycle.New).Pointer()
	file, _ := runtime.FuncForPC(place).FileLine(place)
	err := scan(filepath.Dir(file), func(spec *ast.ValueSpec) {
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "GovernorEventType" {
			f.Stages = append(f.Stages, texts(spec.Values)...)
		}
	})
	if err != nil {
		return nil, err
	}
	packages := filepath.Join(filepath.Dir(filepath.Dir(file)), "aagent", "watchers")
	entries, err := os.ReadDir(packages)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		var name string
		var states []string
		err := scan(filepath.Join(packages, entry.Name()), func(spec *ast.ValueSpec) {
			switch spec.Names[0].Name {
			case "wtype":
				name = texts(spec.Values)[0]
			case "stateNames":
				states = texts(spec.Values)
			}
		})
		if err != nil {
			return nil, err
		}
		if name != "" {
			f.States[name] = states
		}
	}
	return f, nil
}

// scan visits the constants and variables of a package.
func scan(folder string, visit func(*ast.ValueSpec)) error {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, each := range file.Decls {
			if declaration, ok := each.(*ast.GenDecl); ok {
				for _, spec := range declaration.Specs {
					if value, ok := spec.(*ast.ValueSpec); ok {
						visit(value)
					}
				}
			}
		}
	}
	return nil
}

// texts returns the string literals in expressions, sorted.
func texts(values []ast.Expr) []string {
	found := map[string]bool{}
	for _, value := range values {
		ast.Inspect(value, func(node ast.Node) bool {
			if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					found[text] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}
