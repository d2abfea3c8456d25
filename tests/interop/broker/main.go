// The real thing on the other end of a connection: go-choria's network broker, the makers of its tokens, and its client.
//
// It is a child of tests/interop. What it writes is JSON, one value a line on stdout; it ends on SIGTERM, on SIGINT, and
// when its stdin ends, so that it never outlives its parent.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

const usage = `usage: broker serve FILE                 run the broker of a server configuration
       broker tokens                     make keys and tokens, as stdin asks for them
       broker client FILE                connect as "choria tool event" does, then do as stdin says`

var stdout sync.Mutex

// tell writes one line to the parent; lines are told by more than one goroutine.
func tell(value any) {
	stdout.Lock()
	defer stdout.Unlock()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		os.Exit(1) // nobody listens any more
	}
}

// listen yields the lines of stdin; the context ends with them, for the parent has closed it.
func listen(ctx context.Context) (context.Context, <-chan []byte) {
	ctx, cancel := context.WithCancel(ctx)
	lines := make(chan []byte)
	go func() {
		defer cancel()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			select {
			case lines <- bytes.Clone(in.Bytes()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, lines
}

func run(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "serve":
		ctx, _ = listen(ctx)
		return serve(ctx, arguments[1])
	case len(arguments) == 1 && arguments[0] == "tokens":
		return makeTokens(os.Stdin)
	case len(arguments) == 2 && arguments[0] == "client":
		return connect(ctx, arguments[1])
	}
	return fmt.Errorf("%s", usage)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
