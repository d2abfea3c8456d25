package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/choria-io/go-choria/lifecycle"
)

// values are the fields of an event.
type values struct {
	ID         string `json:"id"`
	Identity   string `json:"identity"`
	Component  string `json:"component"`
	Timestamp  int64  `json:"timestamp"`
	Version    string `json:"version"`
	NewVersion string `json:"new_version"`
	Governor   string `json:"governor"`
	Sequence   uint64 `json:"sequence"`
	EventType  string `json:"event_type"`
}

// types are the event types by name.
var types = map[string]lifecycle.Type{}

func init() {
	for kind := lifecycle.Unknown + 1; ; kind++ {
		event, err := lifecycle.New(kind)
		if err != nil {
			break
		}
		types[event.TypeString()] = kind
	}
}

var formats = map[string]lifecycle.Format{
	"choria":      lifecycle.ChoriaFormat,
	"cloudevents": lifecycle.CloudEventV1Format,
}

// options sets all options: an event ignores those of others, which Choria's server relies on too.
func (v *values) options() []lifecycle.Option {
	return []lifecycle.Option{
		lifecycle.Identity(v.Identity), lifecycle.Component(v.Component), lifecycle.Version(v.Version),
		lifecycle.NewVersion(v.NewVersion), lifecycle.GovernorName(v.Governor), lifecycle.GovernorSequence(v.Sequence),
		lifecycle.GovernorType(lifecycle.GovernorEventType(v.EventType)),
	}
}

// fix sets the id and the time, for which there are no options.
func (v *values) fix(event lifecycle.Event) {
	fields := reflect.ValueOf(event).Elem()
	fields.FieldByName("EventID").SetString(v.ID)
	fields.FieldByName("Timestamp").SetInt(v.Timestamp)
}

func makeLifecycle(r request) (a answer, err error) {
	kind, known := types[r.Type]
	format, has := formats[r.Format]
	if !known || !has {
		return a, fmt.Errorf("no type %q or no format %q", r.Type, r.Format)
	}
	var v values
	if err := json.Unmarshal(r.Values, &v); err != nil {
		return a, err
	}
	event, err := lifecycle.New(kind, v.options()...)
	if err != nil {
		return a, err
	}
	if !r.Now {
		v.fix(event)
	}
	event.SetFormat(format)
	out := &wire{}
	if err := lifecycle.PublishEvent(event, out); err != nil {
		return answer{Refused: err.Error()}, nil
	}
	a = answer{Format: r.Format, Subject: out.subject, Body: out.body, Text: event.String()}
	a.Fields, err = fields(event)
	return a, err
}

func readLifecycle(r request) (a answer, err error) {
	begin := time.Now().Unix()
	event, refusal := lifecycle.NewFromJSON(r.Document)
	end := time.Now().Unix()
	if refusal != nil {
		return answer{Refused: refusal.Error()}, nil
	}
	for name, format := range formats {
		if format == event.Format() {
			a.Format = name
		}
	}
	if event.ID() == madeUp {
		a.Filled = append(a.Filled, "id")
	}
	if at := event.TimeStamp().Unix(); begin <= at && at <= end {
		a.Filled = append(a.Filled, "timestamp")
	}
	a.Text = event.String()
	a.Fields, err = fields(event)
	return a, err
}
