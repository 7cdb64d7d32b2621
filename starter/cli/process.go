package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/observ"
	"github.com/helsebro/helsebro/internal/pg"
)

func serveCommand(p Processes) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the HTTP API, and the codec for the Temporal UI",
		Long: `Serve the HTTP API on HELSEBRO_HTTP_ADDR and the codec for the Temporal UI on
HELSEBRO_CODEC_ADDR, until Ctrl-C or SIGTERM. The database must be migrated.`,
		Example: `  helsebro migrate && helsebro serve`,
		Args:    cobra.NoArgs,
		RunE: runs(func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load[config.Serve]()
			if err != nil {
				return incomplete(err)
			}
			return p.Serve(cmd.Context(), cfg, observ.Logger(cfg.Log.Level))
		}),
	}
}

func listenCommand(p Processes) *cobra.Command {
	return &cobra.Command{
		Use:     "listen",
		Short:   "Take messages in from Helsenorge",
		Long:    "Take messages in from the queues of every clinic's parties, until Ctrl-C or SIGTERM.",
		Example: `  helsebro listen`,
		Args:    cobra.NoArgs,
		RunE: runs(func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load[config.Listen]()
			if err != nil {
				return incomplete(err)
			}
			return p.Listen(cmd.Context(), cfg, observ.Logger(cfg.Log.Level))
		}),
	}
}

func migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the newest schema",
		Long: `Bring the database to the newest schema, and grant the programs' role what it may. It is safe to repeat, and
to run from several machines at once.

HELSEBRO_OWNER_DATABASE_URL is who owns the tables and migrates them, HELSEBRO_DATABASE_URL who the programs are:
they read and write, and can only add to the audit. When the first is not set they are the same, without that
protection. HELSEBRO_READER_ROLE is a role that may read, such as for backups. The roles exist already.`,
		Example: `  HELSEBRO_OWNER_DATABASE_URL=postgres://helsebro@127.0.0.1:5432/helsebro HELSEBRO_DATABASE_URL=postgres://helsebro_app@127.0.0.1:5432/helsebro helsebro migrate`,
		Args:    cobra.NoArgs,
		RunE: runs(func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load[config.Migrate]()
			if err != nil {
				return incomplete(err)
			}
			app, err := pg.RoleOf(cfg.Database.URL)
			if err != nil {
				return err
			}
			return pg.Migrate(cmd.Context(), cmp.Or(cfg.OwnerURL, cfg.Database.URL), pg.Roles{App: app, Reader: cfg.ReaderRole}, observ.Logger(cfg.Log.Level))
		}),
	}
}

func incomplete(err error) error { return usage("the configuration is not complete:\n%v", err) }

// healthTimeout is below every supervisor's own.
const healthTimeout = 4 * time.Second

func healthCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a process whether it is healthy",
		Long:  "Ask a process whether it is healthy: 0 when it answers 200, 4 when it does not. Supervisors without a shell use it.",
		Example: `  helsebro health --url http://127.0.0.1:8235/healthz
  helsebro health --url http://127.0.0.1:8235/readyz`,
		Args: cobra.NoArgs,
		RunE: runs(func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return usage("--url is not a URL")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return &unreachable{fmt.Sprintf("%s does not answer: %v", url, cause(err))}
			}
			defer res.Body.Close() //nolint:errcheck // the status is all that is wanted
			if res.StatusCode != http.StatusOK {
				return &unreachable{fmt.Sprintf("%s answers %s", url, res.Status)}
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		}),
	}
	cmd.Flags().StringVar(&url, "url", defaultAPI+"/healthz", "what to ask")
	return cmd
}

func tokenCommand(env Environment) *cobra.Command {
	var (
		keyFile, role, jwks string
		p                   identity.Principal
		life                time.Duration
	)
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Issue an access token of the development issuer",
		Long: `Issue an access token of the development issuer and print it. The key file is
made when it is not there. An installation has an issuer of its own: only a
process whose HELSEBRO_JWKS_FILE holds this key's public part believes the token.

Roles: clinic-administrator, practitioner, staff, portal, operator, auditor,
service. Every role but operator acts for one clinic.`,
		Example: `  helsebro token --key dev.pem --jwks jwks.json --role practitioner --hpr 9144889 --clinic 0198c0de-0000-7000-8000-00000000c111 --subject gp-1
  export HELSEBRO_TOKEN=$(helsebro token --key dev.pem --role operator --subject op-1)`,
		Args: cobra.NoArgs,
		RunE: runs(func(cmd *cobra.Command, _ []string) error {
			p.Role = identity.Role(role)
			if p.Role != identity.RoleOperator {
				p.ClinicID = first(p.ClinicID, env.Getenv("HELSEBRO_CLINIC"))
			}
			issuer, err := identity.OpenDevIssuer(keyFile)
			if err != nil {
				return err
			}
			if jwks != "" {
				if err := issuer.WriteJWKS(jwks); err != nil {
					return err
				}
			}
			token, err := issuer.Issue(p, life)
			if err != nil {
				return usage("%v", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&keyFile, "key", "", "file of the issuer's private key (required)")
	f.StringVar(&role, "role", "", "role of the caller (required)")
	f.StringVar(&p.Subject, "subject", "", "opaque name of the caller (required)")
	f.StringVar(&p.ClinicID, "clinic", "", "the clinic's id (HELSEBRO_CLINIC, but for an operator)")
	f.StringVar(&p.Organisation, "organisation", "", "organisation number")
	f.StringVar(&p.HPR, "hpr", "", "health personnel number, which a practitioner has")
	f.DurationVar(&life, "ttl", time.Hour, "life of the token, at most 24h")
	f.StringVar(&jwks, "jwks", "", "write the public key to this file too (HELSEBRO_JWKS_FILE)")
	for _, name := range []string{"key", "role", "subject"} {
		_ = cmd.MarkFlagRequired(name) // the flag is defined above
	}
	return cmd
}
