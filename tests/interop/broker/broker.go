package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/choria-io/go-choria/broker/network"
	"github.com/choria-io/go-choria/build"
	"github.com/choria-io/go-choria/choria"
	"github.com/choria-io/go-choria/config"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	startSeconds = 30
	// A cluster does not answer before it has elected its leader.
	answerSeconds = 1
)

// serve acts like `choria broker run --config FILE`, with only the network broker: it reports the port, and
// returns when the broker has stopped.
//
// client_port = -1 lets the system choose the port; public_url must then be set, without a port. With a store for
// streams, every number of replicas must be set: otherwise Choria would first wait for 10 to 69 seconds.
func serve(ctx context.Context, file string) error {
	cfg, err := config.NewSystemConfig(file, true)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	cfg.ApplyBuildSettings(&build.Info{})
	fw, err := choria.NewWithConfig(cfg)
	if err != nil {
		return fmt.Errorf("framework: %w", err)
	}
	broker, err := network.NewServer(fw, fw.BuildInfo(), false)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	group.Add(1)
	go broker.Start(ctx, &group)
	port, err := portOf(broker)
	if err != nil {
		return err
	}
	if cfg.Choria.NetworkStreamStore != "" {
		if err = awaitStreams(ctx, broker); err != nil {
			return err
		}
	}
	tell(map[string]int{"port": port})
	group.Wait()
	return nil
}

// portOf waits for the broker and reads its port from its INFO.
func portOf(broker *network.Server) (int, error) {
	deadline := time.Now().Add(startSeconds * time.Second)
	for !broker.Started() {
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("the broker has not started after %d seconds", startSeconds)
		}
		time.Sleep(5 * time.Millisecond)
	}
	connection, err := broker.InProcessConn()
	if err != nil {
		return 0, err
	}
	defer func(connection net.Conn) { _ = connection.Close() }(connection)
	if err = connection.SetDeadline(deadline); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(connection).ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	var info struct {
		Port int `json:"port"`
	}
	err = json.Unmarshal(bytes.TrimPrefix(line, []byte("INFO ")), &info)
	return info.Port, err
}

// awaitStreams waits until the last of the streams exists: a broker makes them after its start.
func awaitStreams(ctx context.Context, broker *network.Server) error {
	connection, err := nats.Connect("", nats.InProcessServer(broker))
	if err != nil {
		return err
	}
	defer connection.Close()
	streams, err := jetstream.New(connection)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startSeconds*time.Second)
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(ctx, answerSeconds*time.Second)
		_, err = streams.Stream(attempt, "KV_CHORIA_LEADER_ELECTION")
		stop()
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
