// Package storetest gives tests a real PostgreSQL with Helsebro's schema and a
// demonstration clinic in it.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/devstack/postgres"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/vault"
)

// Database is a test's own database.
type Database struct {
	// Config is the programs' own. Owner is the connection string of who owns the tables,
	// and of the one who only reads.
	Config        config.Database
	Owner, Reader string
	Vault         config.Vault
	Store         *pg.Store
}

// Run runs a package's tests with one PostgreSQL server for all of them: call it
// from TestMain.
func Run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "helsebro-storetest-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	ctx := context.Background()
	if server, err = postgres.Start(ctx, postgres.Config{Dir: dir}); err != nil {
		panic(err)
	}
	defer server.Stop(ctx) //nolint:errcheck // it ends with this process anyway
	return m.Run()
}

var (
	server    *postgres.Server
	databases atomic.Int64
)

// New makes an empty database with Helsebro's schema on the package's server.
func New(t *testing.T) *Database {
	t.Helper()
	require.NotNil(t, server, "TestMain must call storetest.Run")
	name := fmt.Sprintf("helsebro_%d", databases.Add(1))
	owner, err := server.CreateDatabase(t.Context(), name)
	require.NoError(t, err)
	require.NoError(t, pg.Migrate(t.Context(), owner, pg.Roles{App: postgres.AppRole, Reader: postgres.ReaderRole}, slog.New(slog.DiscardHandler)))
	d := &Database{
		Owner:  owner,
		Reader: server.As(postgres.ReaderRole, name),
		Config: config.Database{URL: server.As(postgres.AppRole, name), MaxConns: 16, Synthetic: []string{"tenor"}},
		Vault:  config.Vault{Keys: "test:" + Key(), IndexKey: Key()},
	}
	v, err := vault.Open(d.Vault)
	require.NoError(t, err)
	d.Store, err = pg.Open(d.Config, v)
	require.NoError(t, err)
	t.Cleanup(d.Store.Close)
	return d
}

// Key makes 32 random bytes in base64.
func Key() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// Dump is the database's whole content as pg_dump writes it.
func (d *Database) Dump(ctx context.Context) (string, error) {
	var out, errs strings.Builder
	cmd := exec.CommandContext(ctx, "pg_dump", "--dbname", d.Owner)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("pg_dump: %w: %s", err, errs.String())
	}
	return out.String(), nil
}

// SQL runs statements as the owner in one transaction and returns what they print, one row a line
// with its columns apart by "|".
func (d *Database) SQL(ctx context.Context, statements string) (string, error) {
	var out, errs strings.Builder
	cmd := exec.CommandContext(ctx, "psql", "--dbname", d.Owner, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--single-transaction", "--set", "ON_ERROR_STOP=1", "--file", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(statements), &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}
