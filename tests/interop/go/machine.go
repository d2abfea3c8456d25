package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/choria-io/go-choria/aagent/machine"
	"github.com/choria-io/go-choria/aagent/model"
	notifier "github.com/choria-io/go-choria/aagent/notifiers/choria"
	"github.com/choria-io/go-choria/aagent/watchers"
	archive "github.com/choria-io/go-choria/aagent/watchers/archivewatcher"
	"github.com/choria-io/go-choria/aagent/watchers/ccmmanifestwatcher"
	"github.com/choria-io/go-choria/aagent/watchers/execwatcher"
	"github.com/choria-io/go-choria/aagent/watchers/expressionwatcher"
	"github.com/choria-io/go-choria/aagent/watchers/filewatcher"
	"github.com/choria-io/go-choria/aagent/watchers/gossipwatcher"
	"github.com/choria-io/go-choria/aagent/watchers/httpswitchwatcher"
	"github.com/choria-io/go-choria/aagent/watchers/kvwatcher"
	machines "github.com/choria-io/go-choria/aagent/watchers/machineswatcher"
	"github.com/choria-io/go-choria/aagent/watchers/metricwatcher"
	"github.com/choria-io/go-choria/aagent/watchers/nagioswatcher"
	"github.com/choria-io/go-choria/aagent/watchers/plugin"
	"github.com/choria-io/go-choria/aagent/watchers/pluginswatcher"
	"github.com/choria-io/go-choria/aagent/watchers/schedulewatcher"
	"github.com/choria-io/go-choria/aagent/watchers/timerwatcher"
	cloudevents "github.com/cloudevents/sdk-go/v2"
)

const transition = "io.choria.machine.v1.transition"

// constructors are the watchers by name, as a Choria server loads them.
var constructors = map[string]model.WatcherConstructor{}

func init() {
	for _, p := range []*plugin.WatcherPlugin{
		archive.ChoriaPlugin(), ccmmanifestwatcher.ChoriaPlugin(), execwatcher.ChoriaPlugin(),
		expressionwatcher.ChoriaPlugin(), filewatcher.ChoriaPlugin(), gossipwatcher.ChoriaPlugin(),
		httpswitchwatcher.ChoriaPlugin(), kvwatcher.ChoriaPlugin(), machines.ChoriaPlugin(),
		metricwatcher.ChoriaPlugin(), nagioswatcher.ChoriaPlugin(), pluginswatcher.ChoriaPlugin(),
		schedulewatcher.ChoriaPlugin(), timerwatcher.ChoriaPlugin(),
	} {
		constructor := p.PluginInstance().(model.WatcherConstructor)
		constructors[p.Name] = constructor
		if err := watchers.RegisterWatcherPlugin(p.Name, constructor); err != nil {
			panic(err)
		}
	}
}

// agent is the part of an autonomous agent that a watcher uses to start and to report its state.
type agent struct {
	model.Machine
	values event
}

type event struct {
	Identity  string `json:"identity"`
	ID        string `json:"id"`
	Version   string `json:"version"`
	Timestamp int64  `json:"timestamp"`
	Machine   string `json:"machine"`
	Name      string `json:"name"`
	// Properties are those of the watcher, from the machine's manifest.
	Properties map[string]any `json:"properties"`
}

func (a *agent) Identity() string              { return a.values.Identity }
func (a *agent) InstanceID() string            { return a.values.ID }
func (a *agent) Version() string               { return a.values.Version }
func (a *agent) TimeStampSeconds() int64       { return a.values.Timestamp }
func (a *agent) Name() string                  { return a.values.Machine }
func (a *agent) Directory() string             { return "/" }
func (a *agent) TextFileDirectory() string     { return "" }
func (a *agent) SignerKey() string             { return "" }
func (a *agent) Infof(string, string, ...any)  {}
func (a *agent) Debugf(string, string, ...any) {}

// announce publishes a notification as a Choria server does.
func announce(name string, notification any) (a answer, err error) {
	out := &wire{}
	service, err := notifier.New(out)
	if err != nil {
		return a, err
	}
	switch n := notification.(type) {
	case *machine.TransitionNotification:
		err = service.NotifyPostTransition(n)
	case machine.WatcherStateNotification:
		err = service.NotifyWatcherState(name, n)
	default:
		return a, fmt.Errorf("%T is no notification", notification)
	}
	if err != nil {
		return answer{Refused: err.Error()}, nil
	}
	a = answer{Format: "cloudevents", Subject: out.subject, Body: out.body}
	a.Fields, err = fields(notification)
	return a, err
}

func makeMachine(r request) (a answer, err error) {
	if r.Type == "transition" {
		notification := &machine.TransitionNotification{}
		if err := json.Unmarshal(r.Values, notification); err != nil {
			return a, err
		}
		return announce("", notification)
	}
	constructor, known := constructors[r.Type]
	if !known {
		return a, fmt.Errorf("no watcher %q", r.Type)
	}
	notification, err := constructor.UnmarshalNotification(r.Values)
	if err != nil {
		return a, err
	}
	return announce(r.Type, notification)
}

// freshMachine makes a watcher as a machine does, and publishes its initial state.
func freshMachine(r request) (a answer, err error) {
	constructor, known := constructors[r.Type]
	if !known {
		return a, fmt.Errorf("no watcher %q", r.Type)
	}
	of := &agent{}
	if err := json.Unmarshal(r.Values, &of.values); err != nil {
		return a, err
	}
	made, err := constructor.New(of, of.values.Name, nil, nil, "", "", "1m", time.Minute, of.values.Properties)
	if err != nil {
		return a, err
	}
	watcher, ok := made.(model.Watcher)
	if !ok {
		return a, fmt.Errorf("%T is no watcher", made)
	}
	return announce(of.values.Name, watcher.CurrentState())
}

// readMachine unwraps the envelope as `choria machine watch` and the tally do, and reads a transition as the tally does
// and a state as the watch does. None of them reads an event without an envelope.
func readMachine(r request) (a answer, err error) {
	envelope := cloudevents.NewEvent("1.0")
	if err := envelope.UnmarshalJSON(r.Document); err != nil {
		return answer{Refused: err.Error()}, nil
	}
	var head struct {
		Protocol string `json:"protocol"`
	}
	var notification any
	if refusal := json.Unmarshal(envelope.Data(), &head); refusal != nil {
		return answer{Refused: refusal.Error()}, nil
	}
	if head.Protocol == transition {
		notification = &machine.TransitionNotification{}
		err = json.Unmarshal(envelope.Data(), notification)
	} else {
		notification, err = watchers.ParseWatcherState(envelope.Data())
	}
	if err != nil {
		return answer{Refused: err.Error()}, nil
	}
	a.Format = "cloudevents"
	a.Fields, err = fields(notification)
	return a, err
}
