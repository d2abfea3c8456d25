package main

import (
	"fmt"
	"io"
	"runtime"
	_ "unsafe" // for go:linkname

	"github.com/choria-io/go-choria/lifecycle"
	"github.com/choria-io/go-choria/lifecycle/tally"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// process is the Go tally's handler for a parsed event; calling it directly leaves parsing out of the measurement.
//
//go:linkname process github.com/choria-io/go-choria/lifecycle/tally.(*Recorder).process
func process(*tally.Recorder, lifecycle.Event) error

// nowhere is the connection of a tally that is never run.
type nowhere struct{ tally.Connector }

func newTally() (*tally.Recorder, error) {
	prometheus.DefaultRegisterer = prometheus.NewRegistry() // a second tally would share the series of the first
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return tally.New(tally.Component("*"), tally.Connection(nowhere{}), tally.Logger(logrus.NewEntry(logger)))
}

// tallied returns nanoseconds per event, without parsing.
func tallied(documents [][]byte, passes int) (float64, error) {
	recorder, err := newTally()
	if err != nil {
		return 0, err
	}
	var events []lifecycle.Event
	err = parse(documents, func(event lifecycle.Event) error {
		events = append(events, event)
		return process(recorder, event)
	})
	if err != nil {
		return 0, err
	}
	return timed(passes, len(events), func() error {
		for _, event := range events {
			if err := process(recorder, event); err != nil {
				return err
			}
		}
		return nil
	})
}

// fleet returns the bytes that a tally of this many nodes holds, and those of the whole process.
func fleet(nodes int) (heap, taken uint64, err error) {
	recorder, err := newTally()
	if err != nil {
		return 0, 0, err
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range nodes {
		event, err := lifecycle.New(lifecycle.Alive, lifecycle.Component("server"),
			lifecycle.Identity(fmt.Sprintf("web%07d.dc%d.example.net", i, i%9)), lifecycle.Version(fmt.Sprintf("0.30.%d", i%5)))
		if err != nil {
			return 0, 0, err
		}
		if err := process(recorder, event); err != nil {
			return 0, 0, err
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(recorder)
	return after.HeapAlloc - before.HeapAlloc, after.Sys, nil
}
