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

// process is what the Go tally does with an event that it has read; without it, reading would be measured again.
//
//go:linkname process github.com/choria-io/go-choria/lifecycle/tally.(*Recorder).process
func process(*tally.Recorder, lifecycle.Event) error

// nowhere is a connection of a tally that is never run.
type nowhere struct{ tally.Connector }

func newTally() (*tally.Recorder, error) {
	prometheus.DefaultRegisterer = prometheus.NewRegistry() // a second tally would have the series of the first
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	return tally.New(tally.Component("*"), tally.Connection(nowhere{}), tally.Logger(logrus.NewEntry(logger)))
}

// tallied gives nanoseconds per event that was read before.
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

// fleet gives the bytes that a tally of so many nodes holds, and those of the whole process.
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
