package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/choria-io/go-choria/build"
	"github.com/choria-io/go-choria/choria"
	"github.com/choria-io/go-choria/config"
	"github.com/choria-io/go-choria/inter"
	"github.com/choria-io/go-choria/lifecycle"
	"github.com/sirupsen/logrus"
)

const flushSeconds = 30

// plan holds a client's settings before it connects.
type plan struct {
	Config   string   `json:"config"`
	Servers  []string `json:"servers"`
	Certname string   `json:"certname"`
	CallerID string   `json:"callerid"`
	UniqueID string   `json:"unique_id"`
	Token    string   `json:"token"` // the error if it cannot be read
	TLS      *mode    `json:"tls"`
}

// mode tells how a server's certificate is verified.
type mode struct {
	Verify      string `json:"verify"` // full, common name, nothing
	Authority   bool   `json:"authority"`
	Certificate bool   `json:"certificate"`
}

// standing describes an established connection.
type standing struct {
	URL    string `json:"url"`
	Name   string `json:"name"`
	Prefix string `json:"prefix"`
	TLS    *mode  `json:"tls"`
}

// told forwards Choria's log to the parent: the log has the reason for which a server refused the client.
type told struct{}

func (told) Levels() []logrus.Level { return logrus.AllLevels[:logrus.InfoLevel] }

func (told) Fire(entry *logrus.Entry) error {
	tell(map[string]string{"log": entry.Message, "level": entry.Level.String()})
	return nil
}

// connect acts like lifecycle.View with a configuration, and reports each step. Then it reads one command per line,
// {"subscribe": SUBJECT} or {"publish": COMPONENT}; it returns at the end of stdin.
func connect(ctx context.Context, file string) error {
	ctx, commands := listen(ctx)
	fw, err := framework(file)
	if err != nil {
		tell(map[string]string{"failed": err.Error()})
		return nil
	}
	tell(map[string]any{"plan": planned(fw)})
	connection, err := fw.NewConnector(ctx, fw.MiddlewareServers, fw.Certname(), fw.Logger("event_viewer"))
	if err != nil {
		tell(map[string]string{"failed": err.Error()})
		return nil
	}
	defer connection.Close()
	options := connection.ConnectionOptions()
	tell(map[string]any{"connected": standing{
		connection.ConnectedServer(), options.Name, connection.InboxPrefix(), modeOf(options.TLSConfig),
	}})
	for {
		select {
		case <-ctx.Done():
			return nil
		case line := <-commands:
			refused, err := do(ctx, fw, connection, line)
			if err != nil {
				return err
			}
			tell(map[string]bool{"refused": refused})
		}
	}
}

func framework(file string) (*choria.Framework, error) {
	cfg, err := config.NewConfig(file)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	cfg.ApplyBuildSettings(&build.Info{})
	logger := logrus.New()
	logger.SetOutput(os.Stderr)
	logger.SetLevel(logrus.WarnLevel)
	logger.AddHook(told{})
	cfg.CustomLogger = logger
	fw, err := choria.NewWithConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("framework: %w", err)
	}
	return fw, nil
}

func planned(fw *choria.Framework) plan {
	made := plan{Config: fw.Config.ConfigFile, Certname: fw.Certname(), CallerID: fw.CallerID()}
	if servers, err := fw.MiddlewareServers(); err == nil {
		made.Servers = servers.Strings()
	}
	_, unique, _, _, err := fw.UniqueIDFromUnverifiedToken()
	made.UniqueID = unique
	if err != nil {
		made.Token = err.Error()
	}
	// A client of the AAA service connects with another TLS configuration, which it makes itself.
	if configured, err := fw.ClientTLSConfig(); err == nil && !fw.Config.Choria.ClientAnonTLS {
		made.TLS = modeOf(configured)
	}
	return made
}

func modeOf(configured *tls.Config) *mode {
	if configured == nil {
		return nil
	}
	made := &mode{Verify: "full", Authority: configured.RootCAs != nil, Certificate: len(configured.Certificates) > 0}
	switch {
	case configured.VerifyConnection != nil:
		made.Verify = "common name"
	case configured.InsecureSkipVerify:
		made.Verify = "nothing"
	}
	return made
}

// do runs a command, and reports whether the broker refused it.
func do(ctx context.Context, fw *choria.Framework, connection inter.Connector, line []byte) (bool, error) {
	var command struct{ Subscribe, Publish string }
	if err := json.Unmarshal(line, &command); err != nil {
		return false, err
	}
	subject := command.Subscribe
	var err error
	if command.Publish != "" {
		subject, err = publish(fw, connection, command.Publish)
	} else {
		err = subscribe(ctx, fw, connection, subject)
	}
	if err != nil {
		return false, err
	}
	// A refusal arrives before the answer to this, and remains as the last error.
	if err = connection.Nats().FlushTimeout(flushSeconds * time.Second); err != nil {
		return false, err
	}
	err = connection.Nats().LastError()
	return err != nil && strings.Contains(err.Error(), fmt.Sprintf("%q", subject)), nil
}

func subscribe(ctx context.Context, fw *choria.Framework, connection inter.Connector, subject string) error {
	name, err := fw.NewRequestID()
	if err != nil {
		return err
	}
	events := make(chan inter.ConnectorMessage, 100)
	if err = connection.QueueSubscribe(ctx, name, subject, "", events); err != nil {
		return err
	}
	go func() {
		for event := range events {
			tell(map[string]string{"event": event.Subject(), "body": string(event.Data())})
		}
	}()
	return nil
}

// publish sends an event like Choria's own server, and returns its subject.
func publish(fw *choria.Framework, connection inter.Connector, component string) (string, error) {
	event, err := lifecycle.New(lifecycle.Startup,
		lifecycle.Component(component), lifecycle.Identity(fw.Config.Identity), lifecycle.Version("1.0.0"))
	if err != nil {
		return "", err
	}
	subject, err := event.Target()
	if err != nil {
		return "", err
	}
	return subject, lifecycle.PublishEvent(event, connection)
}
