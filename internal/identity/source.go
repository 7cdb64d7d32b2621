package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/config"
)

// readTimeout bounds one reading of keys, discovery and all.
const readTimeout = 5 * time.Second

// sourceOf is where the configuration says that keys are: a file, a URL, or what the
// issuer's discovery document names.
func sourceOf(cfg config.Identity) source {
	remote := source{age: 5 * time.Minute, pause: 10 * time.Second, stale: 24 * time.Hour}
	switch {
	case cfg.JWKSFile != "":
		return source{
			read:    func(context.Context) ([]byte, error) { return readFile(cfg.JWKSFile) },
			age:     time.Second,
			pause:   time.Second,
			stale:   10 * time.Minute,
			setting: "HELSEBRO_JWKS_FILE",
		}
	case cfg.JWKSURL != "":
		remote.setting = "HELSEBRO_JWKS_URL"
		remote.read = func(ctx context.Context) ([]byte, error) { return fetch(ctx, cfg.JWKSURL) }
	default:
		remote.setting = "found from HELSEBRO_TOKEN_ISSUER"
		remote.read = func(ctx context.Context) ([]byte, error) { return discover(ctx, cfg.Issuer) }
	}
	return remote
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	return io.ReadAll(io.LimitReader(file, maxKeySetBytes+1))
}

// discover reads the keys that the issuer's metadata names (OpenID Connect Discovery §4).
func discover(ctx context.Context, issuer string) ([]byte, error) {
	raw, err := fetch(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(raw, &metadata); err != nil {
		return nil, errors.New("the discovery document is not JSON")
	}
	if metadata.Issuer != issuer {
		return nil, errors.New("the discovery document is another issuer's")
	}
	return fetch(ctx, metadata.JWKSURI)
}

// issuerClient refuses redirects: keys come from where they were said to be.
var issuerClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func fetch(ctx context.Context, address string) ([]byte, error) {
	if err := config.CheckIssuerURL(address); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := issuerClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // nothing is written
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the issuer answers %d", res.StatusCode)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxKeySetBytes+1))
}
