package pg

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/composefile"
	"github.com/helsebro/helsebro/internal/config"
)

// TestADatabaseBeyondThisMachineSaysHowItIsProtected: nobody leaves it to the default, which
// goes on without TLS, or with anybody's certificate.
func TestADatabaseBeyondThisMachineSaysHowItIsProtected(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	t.Setenv("PGHOST", "")
	for url, right := range map[string]bool{
		"postgres://app:hidden@127.0.0.1:5432/helsebro":                             true,
		"postgres://app:hidden@[::1]/helsebro":                                      true,
		"postgres://app:hidden@localhost/helsebro?sslmode=prefer":                   true,
		"postgres://app:hidden@/helsebro?host=/var/run/postgresql":                  true,
		"host=/var/run/postgresql user=app password=hidden":                         true,
		"postgres://app:hidden@db.example/helsebro?sslmode=verify-full":             true,
		"postgres://app:hidden@db.example/helsebro?sslmode=disable":                 true,
		"host=db.example user=app password=hidden sslmode=disable":                  true,
		"postgres://app:hidden@a.example,b.example/helsebro?sslmode=verify-full":    true,
		"postgres://app:hidden@db.example/helsebro":                                 false,
		"postgres://app:hidden@db.example/helsebro?sslmode=prefer":                  false,
		"postgres://app:hidden@db.example/helsebro?sslmode=allow":                   false,
		"postgres://app:hidden@db.example/helsebro?sslmode=require":                 false,
		"postgres://app:hidden@10.0.0.1/helsebro?sslmode=require":                   false,
		"postgres://app:hidden@127.0.0.1.db.example/helsebro":                       false,
		"postgres://app:hidden@127.0.0.1,db.example/helsebro":                       false,
		"host=db.example user=app password=hidden":                                  false,
		"postgres://app:hidden@localhost.db.example:5432/helsebro?sslmode=require":  false,
		"postgres://app:hidden@127.0.0.1:5432/helsebro?host=db.example&password=ab": false,
	} {
		s, err := Open(config.Database{URL: url, MaxConns: 2}, nil)
		if right {
			require.NoError(t, err, url)
			s.Close()
			continue
		}
		require.True(t, apperr.Is(err, apperr.Invalid), "%s: %v", url, err)
		require.ErrorContains(t, err, "sslmode=verify-full, or sslmode=disable", url)
		require.NotContains(t, err.Error(), "hidden")
		// Nothing is connected: it would take longer than the refusal does, and fail.
		require.Equal(t, err, Migrate(t.Context(), url, Roles{}, slog.New(slog.DiscardHandler)), url)
	}

	// What the environment says for all of PostgreSQL's programs is a choice too.
	t.Setenv("PGSSLMODE", "verify-full")
	s, err := Open(config.Database{URL: "postgres://app@db.example/helsebro", MaxConns: 2}, nil)
	require.NoError(t, err)
	s.Close()
}

// TestComposesDatabasesAreTaken: its strings say what they want.
func TestComposesDatabasesAreTaken(t *testing.T) {
	t.Parallel()
	file, err := composefile.Read("../../docker-compose.yml")
	require.NoError(t, err)
	taken := 0
	for name, service := range file.Services {
		for variable, url := range service.Environment {
			if !strings.HasPrefix(variable, "HELSEBRO_") || !strings.HasSuffix(variable, "DATABASE_URL") {
				continue
			}
			url = regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(url, "hidden")
			s, err := Open(config.Database{URL: url, MaxConns: 2}, nil)
			require.NoError(t, err, "%s: %s", name, variable)
			s.Close()
			taken++
		}
	}
	require.Equal(t, 5, taken, "worker, starter, listener, and both of migrate")
}
