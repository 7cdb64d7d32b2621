package registry

import (
	"net/http"

	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/registry/helseid"
)

// Module provides the client of the configured digitally-active check.
var Module = fx.Module("activity", fx.Provide(OpenActivity))

// OpenActivity makes the client of the configured digitally-active check.
func OpenActivity(cfg config.Activity) (*ActivityClient, error) {
	transport, err := Tokens(cfg.HelseID, activityScope, false)
	return NewActivityClient(cfg.URL, transport), err
}

// activityScope is what tokens for the digitally-active check are for.
const activityScope = "helsenorgeaktivsjekken"

// Tokens makes what adds HelseID's tokens of a scope to requests; nil without a HelseID
// client.
func Tokens(cfg config.HelseID, scope string, bound bool) (http.RoundTripper, error) {
	if !cfg.Configured() {
		return nil, nil
	}
	key, err := helseid.LoadKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	client, err := helseid.New(helseid.Config{TokenURL: cfg.TokenURL, ClientID: cfg.ClientID, Key: key, Scope: scope, DPoP: bound})
	if err != nil {
		return nil, err
	}
	return client.Transport(nil), nil
}
