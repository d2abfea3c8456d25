package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/choria-io/go-choria/choria"
	"github.com/choria-io/tokens"
	"github.com/golang-jwt/jwt/v5"
)

// order requests a pair of keys or a token, with the names of `choria jwt keys`, `jwt client` and `jwt server`.
type order struct {
	Work        string                    `json:"work"` // keys, client, server
	File        string                    `json:"file"` // the seed or the token to write
	SigningKey  string                    `json:"signing_key"`
	PublicKey   string                    `json:"public_key"`
	Identity    string                    `json:"identity"` // a client's caller id, a server's name
	Org         string                    `json:"org"`
	Validity    float64                   `json:"validity"` // seconds; negative: expired
	ValidIn     float64                   `json:"valid_in"` // seconds
	Permissions *tokens.ClientPermissions `json:"permissions"`
	Publish     []string                  `json:"publish"`
	Subscribe   []string                  `json:"subscribe"`
	Collectives []string                  `json:"collectives"`
}

func makeTokens(in io.Reader) error {
	for decoder := json.NewDecoder(in); ; {
		var o order
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := o.fulfil()
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.Work, o.File, err)
		}
		tell(answer)
	}
}

func (o order) fulfil() (map[string]string, error) {
	if o.Work == "keys" {
		public, _, err := choria.Ed25519KeyPairToFile(o.File)
		return map[string]string{"public": hex.EncodeToString(public)}, err
	}
	public, err := hex.DecodeString(o.PublicKey)
	if err != nil {
		return nil, err
	}
	var claims jwt.Claims
	var standard *tokens.StandardClaims
	validity := seconds(o.Validity)
	switch o.Work {
	case "client":
		client, err := tokens.NewClientIDClaims(o.Identity, nil, o.Org, nil, "", "", validity, o.Permissions, public)
		if err != nil {
			return nil, err
		}
		client.AdditionalPublishSubjects, client.AdditionalSubscribeSubjects = o.Publish, o.Subscribe
		claims, standard = client, &client.StandardClaims
	case "server":
		permissions := &tokens.ServerPermissions{}
		server, err := tokens.NewServerClaims(
			o.Identity, o.Collectives, o.Org, permissions, o.Publish, public, "", validity)
		if err != nil {
			return nil, err
		}
		claims, standard = server, &server.StandardClaims
	default:
		return nil, fmt.Errorf("unknown work %q", o.Work)
	}
	standard.NotBefore = jwt.NewNumericDate(standard.NotBefore.Add(seconds(o.ValidIn)))
	return map[string]string{}, tokens.SaveAndSignTokenWithKeyFile(claims, o.SigningKey, o.File, 0o600)
}

func seconds(count float64) time.Duration {
	return time.Duration(count * float64(time.Second))
}
