// The other side of the wire: go-choria's own packages make and read events, so that ours can be held against them.
//
// It is a child of tests/interop: one JSON request a line on stdin, one JSON answer a line on stdout. What it is asked
// to make goes through the very functions that Choria publishes with; only the connection behind them is ours.
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

// request names the work, and what to do it with.
type request struct {
	Work     string          `json:"work"` // about; make, read, fresh; keys, convert, load
	Family   string          `json:"family"`
	Type     string          `json:"type"`
	Format   string          `json:"format"`
	Values   json.RawMessage `json:"values"`   // of the event to make; of configuration, what the work needs
	Now      bool            `json:"now"`      // keep the id and the time that Go fills in
	Document []byte          `json:"document"` // to read
}

// answer holds what was made or read, or why Go would not.
type answer struct {
	Go      string          `json:"go,omitempty"`
	Choria  string          `json:"choria,omitempty"`
	Error   string          `json:"error,omitempty"`   // the request is wrong
	Refused string          `json:"refused,omitempty"` // Go's own words
	Format  string          `json:"format,omitempty"`
	Subject string          `json:"subject,omitempty"`
	Body    []byte          `json:"body,omitempty"`
	Fields  json.RawMessage `json:"fields,omitempty"`
	Filled  []string        `json:"filled,omitempty"` // fields that the document does not have and Go makes up
	Text    string          `json:"text,omitempty"`
}

// wire stands where the broker connection does, for the lifecycle package and for the notifier of machines.
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

// zeros makes every random id the same, so that one is known when it is seen and two runs give the same bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

const madeUp = "00000000-0000-4000-8000-000000000000"

// fields is what an event holds, with its texts as they are.
func fields(event any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(event)
	return bytes.TrimSpace(out.Bytes()), err
}

func about() (a answer) {
	a.Go = runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/choria-io/go-choria" {
				a.Choria = module.Version
			}
		}
	}
	return a
}

func serve(r request) (answer, error) {
	switch r.Work + " " + r.Family {
	case "about ":
		return about(), nil
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
			return // the parent has closed our stdin: it is done
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
