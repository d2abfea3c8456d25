// The Go tally itself: go-choria's lifecycle/tally, fed with messages through a connector of this program.
//
// It is a child of tests/interop: one JSON request per line on stdin, one JSON answer per line on stdout. A request is a
// sequence of messages, waits and scrapes. Its clock is that of testing/synctest, which advances when everything waits:
// 80 minutes pass at once, and the effect of a message is complete before the next step.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/choria-io/go-choria/inter"
	"github.com/choria-io/go-choria/lifecycle/tally"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/sirupsen/logrus"
)

// request is a run of the tally; without steps, it returns the versions of Go and Choria.
type request struct {
	Component string `json:"component"`
	Steps     []step `json:"steps"`
}

// step is one of four: a message, a wait in seconds, a change of role, or a scrape.
type step struct {
	Subject string  `json:"subject"`
	Body    []byte  `json:"body"`
	Wait    float64 `json:"wait"`
	Role    *int32  `json:"role"`
	Scrape  bool    `json:"scrape"`
}

type answer struct {
	Error   string   `json:"error,omitempty"`
	Go      string   `json:"go,omitempty"`
	Choria  string   `json:"choria,omitempty"`
	Scrapes []string `json:"scrapes,omitempty"`
}

// connector passes messages to the subscribers of their subject.
type connector struct {
	subscriptions map[string]chan inter.ConnectorMessage
}

func (c *connector) QueueSubscribe(_ context.Context, _ string, subject string, _ string, output chan inter.ConnectorMessage) error {
	c.subscriptions[subject] = output
	return nil
}

func (c *connector) Nats() *nats.Conn { return nil }

func (c *connector) publish(m *message) {
	for pattern, output := range c.subscriptions {
		if matches(pattern, m.subject) {
			output <- m
		}
	}
}

func matches(pattern, subject string) bool {
	wanted, found := strings.Split(pattern, "."), strings.Split(subject, ".")
	if len(wanted) != len(found) {
		return false
	}
	for i, token := range wanted {
		if token != "*" && token != found[i] {
			return false
		}
	}
	return true
}

type message struct {
	subject string
	body    []byte
}

func (m *message) Subject() string { return m.subject }
func (m *message) Reply() string   { return "" }
func (m *message) Data() []byte    { return m.body }
func (m *message) Msg() any        { return m }

// take sets the fields that a won or lost election sets, for which there is no public function.
func take(recorder *tally.Recorder, role int32) {
	field := reflect.ValueOf(recorder).Elem().FieldByName("active")
	atomic.StoreInt32((*int32)(unsafe.Pointer(field.UnsafeAddr())), role)
}

func scrape(registry *prometheus.Registry) (string, error) {
	families, err := registry.Gather()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// run runs a new tally through the steps.
func run(r request) (a answer, err error) {
	registry := prometheus.NewRegistry()
	prometheus.DefaultRegisterer = registry
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	bus := &connector{subscriptions: map[string]chan inter.ConnectorMessage{}}
	recorder, err := tally.New(tally.Component(r.Component), tally.Connection(bus), tally.Logger(logrus.NewEntry(logger)))
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- recorder.Run(ctx) }()
	synctest.Wait()
	for _, s := range r.Steps {
		switch {
		case s.Scrape:
			text, err := scrape(registry)
			if err != nil {
				cancel()
				return a, errors.Join(err, <-ended)
			}
			a.Scrapes = append(a.Scrapes, text)
		case s.Role != nil:
			take(recorder, *s.Role)
		case s.Subject != "":
			bus.publish(&message{s.Subject, s.Body})
		default:
			time.Sleep(time.Duration(s.Wait * float64(time.Second)))
		}
		synctest.Wait()
	}
	cancel()
	return a, <-ended
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

func serve(t *testing.T) {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			os.Exit(0) // the parent has closed our stdin
		}
		var r request
		var a answer
		if err = json.Unmarshal(line, &r); err == nil && len(r.Steps) > 0 {
			synctest.Test(t, func(*testing.T) { a, err = run(r) })
		} else if err == nil {
			a = about()
		}
		if err != nil {
			a = answer{Error: fmt.Sprint(err)}
		}
		if err := out.Encode(a); err != nil {
			os.Exit(1)
		}
	}
}

// testing/synctest works only within a test.
func main() {
	everything := func(string, string) (bool, error) { return true, nil }
	testing.Main(everything, []testing.InternalTest{{Name: "serve", F: serve}}, nil, nil)
}
