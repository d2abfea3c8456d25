// Choria's side of a connection: go-choria's network broker, its makers of tokens, and its client.
//
// It is a child of tests/interop. It writes JSON, one value per line on stdout; it exits on SIGTERM, on SIGINT, and
// at the end of its stdin, so that it never outlives its parent.
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

// tell writes one line to the parent; it may be called by several goroutines.
func tell(value any) {
	stdout.Lock()
	defer stdout.Unlock()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		os.Exit(1) // the parent has exited
	}
}

// listen yields the lines of stdin, and cancels the context at their end.
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
