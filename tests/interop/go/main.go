// The other side of the wire: go-choria's own packages make and read events, for comparison with this library.
//
// It is a child of tests/interop: one JSON request per line on stdin, one JSON answer per line on stdout. Events are
// made by the functions with which Choria publishes; only the connection behind them is replaced.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/gofrs/uuid"
	"github.com/nats-io/nats.go"
	"github.com/sirupsen/logrus"
)

// request names the work and its input.
type request struct {
	Work     string          `json:"work"` // about; make, read, fresh; keys, convert, load
	Family   string          `json:"family"`
	Type     string          `json:"type"`
	Format   string          `json:"format"`
	Values   json.RawMessage `json:"values"`   // the event's fields; for configuration, the input of the work
	Now      bool            `json:"now"`      // keep the id and the time that Go fills in
	Document []byte          `json:"document"` // to read
}

// answer holds the event, or the reason why Go refused.
type answer struct {
	Go      string          `json:"go,omitempty"`
	Choria  string          `json:"choria,omitempty"`
	Facts   *facts          `json:"facts,omitempty"`
	Error   string          `json:"error,omitempty"`   // the request is wrong
	Refused string          `json:"refused,omitempty"` // Go's own words
	Format  string          `json:"format,omitempty"`
	Subject string          `json:"subject,omitempty"`
	Body    []byte          `json:"body,omitempty"`
	Fields  json.RawMessage `json:"fields,omitempty"`
	Filled  []string        `json:"filled,omitempty"` // fields missing from the document, which Go makes up
	Text    string          `json:"text,omitempty"`
}

// wire replaces the broker connection, for the lifecycle package and for the notifier of machines.
type wire struct {
	subject string
	body    []byte
}

func (w *wire) PublishRaw(target string, data []byte) error {
	w.subject, w.body = target, bytes.Clone(data)
	return nil
}

func (w *wire) PublishRawMsg(*nats.Msg) error { return errors.ErrUnsupported }

func (w *wire) RequestRawMsgWithContext(context.Context, *nats.Msg) (*nats.Msg, error) {
	return nil, errors.ErrUnsupported
}

func (w *wire) Logger(component string) *logrus.Entry {
	return logrus.WithField("component", component)
}

// zeros makes all random ids equal, so that they can be recognised and two runs produce the same bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const madeUp = "00000000-0000-4000-8000-000000000000"

// fields returns an event's fields, with texts unescaped.
func fields(event any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(event)
	return bytes.TrimSpace(out.Bytes()), err
}

func about() (a answer, err error) {
	a.Go = runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/choria-io/go-choria" {
				a.Choria = module.Version
			}
		}
	}
	a.Facts, err = listFacts()
	return a, err
}

func serve(r request) (answer, error) {
	switch r.Work + " " + r.Family {
	case "about ":
		return about()
	case "make lifecycle":
		return makeLifecycle(r)
	case "read lifecycle":
		return readLifecycle(r)
	case "make machine":
		return makeMachine(r)
	case "fresh machine":
		return freshMachine(r)
	case "read machine":
		return readMachine(r)
	case "keys config":
		return listKeys()
	case "convert config":
		return convert(r)
	case "load config":
		return load(r)
	}
	return answer{}, fmt.Errorf("unknown work %q for %q", r.Work, r.Family)
}

func main() {
	logrus.SetLevel(logrus.PanicLevel)
	uuid.DefaultGenerator = uuid.NewGenWithOptions(uuid.WithRandomReader(zeros{}))
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return // the parent has closed our stdin
		}
		var r request
		var a answer
		if err = json.Unmarshal(line, &r); err == nil {
			a, err = serve(r)
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := out.Encode(a); err != nil {
			return
		}
	}
}
