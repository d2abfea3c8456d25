// A candidate of go-choria's own: providers/election/streams on a bucket, as its tally campaigns.
//
// It is a child of tests/interop, started as `election NAME URL`. Every hundredth of a second it writes one JSON object on
// stdout with its leadership. "evict" on stdin deletes the key, as `choria election evict` does; the process exits
// at the end of its stdin.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/choria-io/go-choria/backoff"
	election "github.com/choria-io/go-choria/providers/election/streams"
	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

const key = "TALLY"

// sample is the state of a candidate at a time.
type sample struct {
	At     float64 `json:"at"`
	Leader bool    `json:"leader"`
	Why    string  `json:"why"`
}

// now is the clock of tests/bed/candidate.py.
func now() float64 {
	var spec unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &spec); err != nil {
		return 0
	}
	return float64(spec.Sec) + float64(spec.Nsec)/1e9
}

func run(name, url string) error {
	connection, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := connection.JetStream()
	if err != nil {
		return err
	}
	bucket, err := stream.KeyValue("ELECTION")
	if err != nil {
		return err
	}
	// The first step of the tally's backoff; the others would only slow the test down.
	often := backoff.Policy{Millis: backoff.FiveSec.Millis[:1]}
	// With a listener, like the tally's, it pauses for 0.2 s before it leads; without one it does not.
	won := election.OnWon(func() {})
	candidate, err := election.NewElection(name, key, bucket, election.WithBackoff(often), won)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 2)
	go func() {
		if err := candidate.Start(ctx); err != nil {
			failed <- err
		}
	}()
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if in.Text() == "evict" {
				if err := bucket.Delete(key); err != nil {
					failed <- err
				}
			}
		}
		failed <- nil
	}()
	out := json.NewEncoder(os.Stdout)
	for {
		select {
		case err := <-failed:
			return err
		case <-time.After(10 * time.Millisecond):
			at, leads := now(), candidate.IsLeader()
			if now()-at > 0.005 {
				continue // it waited for a campaign, and cannot tell when it led
			}
			if err := out.Encode(sample{at, leads, ""}); err != nil {
				return err
			}
		}
	}
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: election NAME URL")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
