// The Go reference for the benchmarks: go-choria's own lifecycle package reads and makes the events
// that the Python peers read and make.
//
// It is a child of tests/bench: one JSON request per line on stdin, one JSON answer per line on stdout, so that its rounds
// alternate with those of the other peers and a noisy machine affects all of them alike.
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
	"syscall"
	"time"

	"github.com/choria-io/go-choria/lifecycle"
	"github.com/nats-io/nats.go"
)

// request names the work, the file with one document per line, and the number of passes.
type request struct {
	Work   string `json:"work"` // about, parse, create, validate, tally, fleet
	Corpus string `json:"corpus"`
	Format string `json:"format"` // of the events to make: choria, cloudevents
	Passes int    `json:"passes"`
	Answer bool   `json:"answer"` // return the events instead of a time
	CPU    bool   `json:"cpu"`    // measure the CPU time of all threads, not the time that passes
	Nodes  int    `json:"nodes"`  // of a fleet
}

type answer struct {
	Error  string    `json:"error,omitempty"`
	Go     string    `json:"go,omitempty"`
	Choria string    `json:"choria,omitempty"`
	Nanos  float64   `json:"nanos,omitempty"` // per event
	Events []message `json:"events,omitempty"`
	// Of validate: the number of lines, and of accepted lines by type.
	Lines    int            `json:"lines,omitempty"`
	Accepted map[string]int `json:"accepted,omitempty"`
	// Of fleet: the bytes of the nodes, and all that the runtime has obtained from the system.
	Heap  uint64 `json:"heap,omitempty"`
	Taken uint64 `json:"taken,omitempty"`
}

type message struct {
	Subject string `json:"subject"`
	Body    string `json:"body"`
}

// connector replaces the broker connection: it keeps the last message and sends nothing.
type connector struct {
	subject string
	body    []byte
}

func (c *connector) PublishRaw(target string, data []byte) error {
	c.subject, c.body = target, data
	return nil
}

func (c *connector) PublishRawMsg(*nats.Msg) error { return errors.ErrUnsupported }

func (c *connector) RequestRawMsgWithContext(context.Context, *nats.Msg) (*nats.Msg, error) {
	return nil, errors.ErrUnsupported
}

// Results are kept here, so that the compiler cannot eliminate the reading.
var eventSink lifecycle.Event

// order holds the values that a caller of lifecycle.New has beforehand.
type order struct {
	Protocol   string `json:"protocol"`
	Identity   string `json:"identity"`
	Component  string `json:"component"`
	Version    string `json:"version"`
	NewVersion string `json:"new_version"`
	Governor   string `json:"governor"`
	Sequence   uint64 `json:"sequence"`
	EventType  string `json:"event_type"`
}

var corpora = map[string][][]byte{}

func documents(path string) ([][]byte, error) {
	if known, ok := corpora[path]; ok {
		return known, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	corpora[path] = bytes.Split(bytes.TrimSuffix(content, []byte("\n")), []byte("\n"))
	return corpora[path], nil
}

func parse(documents [][]byte, each func(lifecycle.Event) error) error {
	for _, document := range documents {
		event, err := lifecycle.NewFromJSON(document)
		if err != nil {
			return fmt.Errorf("%s: %w", document, err)
		}
		eventSink = event
		if each == nil {
			continue
		}
		if err := each(event); err != nil {
			return err
		}
	}
	return nil
}

// longest exceeds the length of every line in the files.
const longest = 1 << 20

// validate reads a file line by line and counts the lines that NewFromJSON accepts, by type.
func validate(path string) (lines int, accepted map[string]int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	accepted = map[string]int{}
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 1<<16), longest)
	for scanner.Scan() {
		lines++
		if event, err := lifecycle.NewFromJSON(scanner.Bytes()); err == nil {
			accepted[event.TypeString()]++
		}
	}
	return lines, accepted, scanner.Err()
}

// create spells out the options of each type, as a caller would.
func (o *order) create() (lifecycle.Event, error) {
	identity, component := lifecycle.Identity(o.Identity), lifecycle.Component(o.Component)
	switch o.Protocol {
	case "io.choria.lifecycle.v1.startup":
		return lifecycle.New(lifecycle.Startup, identity, component, lifecycle.Version(o.Version))
	case "io.choria.lifecycle.v1.alive":
		return lifecycle.New(lifecycle.Alive, identity, component, lifecycle.Version(o.Version))
	case "io.choria.lifecycle.v1.shutdown":
		return lifecycle.New(lifecycle.Shutdown, identity, component)
	case "io.choria.lifecycle.v1.provisioned":
		return lifecycle.New(lifecycle.Provisioned, identity, component)
	case "io.choria.lifecycle.v1.upgraded":
		return lifecycle.New(lifecycle.Upgraded, identity, component, lifecycle.Version(o.Version), lifecycle.NewVersion(o.NewVersion))
	case "io.choria.lifecycle.v1.governor":
		return lifecycle.New(lifecycle.Governor, identity, component, lifecycle.GovernorName(o.Governor),
			lifecycle.GovernorSequence(o.Sequence), lifecycle.GovernorType(lifecycle.GovernorEventType(o.EventType)))
	}
	return nil, fmt.Errorf("no type for %q", o.Protocol)
}

// publish marshals an event and builds its subject: the real PublishEvent, with a connector that sends nothing.
func publish(orders []order, format lifecycle.Format, each func(*connector) error) error {
	out := &connector{}
	for i := range orders {
		event, err := orders[i].create()
		if err != nil {
			return err
		}
		event.SetFormat(format)
		if err := lifecycle.PublishEvent(event, out); err != nil {
			return err
		}
		if each == nil {
			continue
		}
		if err := each(out); err != nil {
			return err
		}
	}
	return nil
}

func orders(documents [][]byte) ([]order, error) {
	result := make([]order, len(documents))
	for i, document := range documents {
		if err := json.Unmarshal(document, &result[i]); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// cpu makes timed measure the CPU time of all threads: the collector has one of its own.
var cpu bool

func spent(since time.Time) time.Duration {
	if !cpu {
		return time.Since(since)
	}
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// timed returns nanoseconds per event. A round starts with a collected heap, as in testing.B; collections during the
// round are included.
func timed(passes, events int, pass func() error) (float64, error) {
	runtime.GC()
	begin := time.Now()
	before := spent(begin)
	for range passes {
		if err := pass(); err != nil {
			return 0, err
		}
	}
	return float64((spent(begin) - before).Nanoseconds()) / float64(passes*events), nil
}

func serve(r request) (a answer, err error) {
	cpu = r.CPU
	if r.Work == "about" {
		a.Go = runtime.Version()
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, module := range info.Deps {
				if module.Path == "github.com/choria-io/go-choria" {
					a.Choria = module.Version
				}
			}
		}
		return a, nil
	}
	if r.Work == "validate" { // reading the file is part of the work
		a.Nanos, err = timed(r.Passes, 1, func() (err error) {
			a.Lines, a.Accepted, err = validate(r.Corpus)
			return err
		})
		a.Nanos /= float64(max(a.Lines, 1))
		return a, err
	}
	if r.Work == "fleet" {
		a.Heap, a.Taken, err = fleet(r.Nodes)
		return a, err
	}
	lines, err := documents(r.Corpus)
	if err != nil {
		return a, err
	}
	switch r.Work {
	case "tally":
		a.Nanos, err = tallied(lines, r.Passes)
		return a, err
	case "parse":
		if r.Answer {
			err = parse(lines, func(event lifecycle.Event) error {
				body, err := json.Marshal(event)
				a.Events = append(a.Events, message{Body: string(body)})
				return err
			})
			return a, err
		}
		a.Nanos, err = timed(r.Passes, len(lines), func() error { return parse(lines, nil) })
		return a, err
	case "create":
		wanted, err := orders(lines)
		if err != nil {
			return a, err
		}
		format := lifecycle.ChoriaFormat
		if r.Format == "cloudevents" {
			format = lifecycle.CloudEventV1Format
		}
		if r.Answer {
			err = publish(wanted, format, func(out *connector) error {
				a.Events = append(a.Events, message{Subject: out.subject, Body: string(out.body)})
				return nil
			})
			return a, err
		}
		a.Nanos, err = timed(r.Passes, len(wanted), func() error { return publish(wanted, format, nil) })
		return a, err
	}
	return a, fmt.Errorf("unknown work %q", r.Work)
}

func main() {
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
