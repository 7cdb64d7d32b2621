package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
)

// demoFiles are the files of the demonstration clinic below one directory. What
// processes read has a folder of its own, so that it can be mounted without the key.
type demoFiles struct{ dir string }

func (d demoFiles) key() string      { return filepath.Join(d.dir, "issuer-key.pem") }
func (d demoFiles) clinic() string   { return filepath.Join(d.dir, "clinic.yaml") }
func (d demoFiles) etc() string      { return filepath.Join(d.dir, "etc") }
func (d demoFiles) jwks() string     { return filepath.Join(d.etc(), "jwks.json") }
func (d demoFiles) registry() string { return filepath.Join(d.etc(), "registry.yaml") }

func demoCommand(env Environment) *cobra.Command {
	return parent("demo", "The demonstration clinic", demoInitCommand(env), demoSeedCommand(env))
}

func demoInitCommand(env Environment) *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Write what docker compose and the demonstration clinic need",
		Long: `Write the files of the demonstration clinic to a directory, and print what to do
with them:

  DIR/issuer-key.pem      private key of the development issuer, the owner's alone:
                          for helsebro token, and for no container
  DIR/etc/jwks.json       its public key (HELSEBRO_JWKS_FILE)
  DIR/etc/registry.yaml   the address registry (HELSEBRO_REGISTRY_FILE)
  DIR/clinic.yaml         the clinic, for helsebro clinic put

It is safe to repeat: key, registry and clinic that are there stay as they are;
jwks.json is always the key's. Everybody may read DIR/etc, since containers run as
a user of their own. docker-compose.yml mounts .docker/config/etc.`,
		Example: `  helsebro demo init .docker/config`,
		Args:    cobra.ExactArgs(1),
		RunE: runs(func(_ *cobra.Command, args []string) error {
			d := demoFiles{args[0]}
			if err := d.write(env.Out); err != nil {
				return err
			}
			return d.next(env.Out)
		}),
	}
}

// write makes what is missing and tells of every file.
func (d demoFiles) write(out io.Writer) error {
	if err := os.MkdirAll(d.etc(), 0o755); err != nil { //nolint:gosec // containers read it as another user
		return err
	}
	issuer, err := identity.OpenDevIssuer(d.key())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "private key  ", d.key())
	if err := issuer.WriteJWKS(d.jwks()); err != nil {
		return err
	}
	fmt.Fprintln(out, "public key   ", d.jwks())
	for _, f := range []struct {
		what, path string
		write      func(path string) error
	}{
		{"registry     ", d.registry(), writeDemoRegistry},
		{"clinic       ", d.clinic(), writeDemoClinic},
	} {
		_, err := os.Stat(f.path)
		switch {
		case err == nil:
			fmt.Fprintln(out, f.what, f.path, "(was there: it stays as it is)")
			continue
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := f.write(f.path); err != nil {
			return err
		}
		fmt.Fprintln(out, f.what, f.path)
	}
	// Whatever the umask and the temporary files' rights were.
	return errors.Join(os.Chmod(d.etc(), 0o755), os.Chmod(d.jwks(), 0o644), os.Chmod(d.registry(), 0o644)) //nolint:gosec // as above
}

func writeDemoRegistry(path string) error {
	return registry.Write(path, slices.Concat(simulator.Parties(), demo.Registry()))
}

func writeDemoClinic(path string) error {
	b, err := yaml.Marshal(demo.Clinic())
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// next prints commands that can be pasted as they are, in the repository.
func (d demoFiles) next(out io.Writer) error {
	token := func(p identity.Principal) string {
		var hpr string
		if p.HPR != "" {
			hpr = " --hpr " + p.HPR
		}
		return fmt.Sprintf("export HELSEBRO_TOKEN=$(go run ./starter token --key %s --role %s%s --subject %s)", quoted(d.key()), p.Role, hpr, p.Subject)
	}
	keys := ""
	if _, err := os.Stat(".env"); err != nil {
		keys = "  make compose-env\n"
	}
	_, err := fmt.Fprintf(out, `
What comes next, in the repository:

%s  docker compose up --build --detach --wait
  export HELSEBRO_CLINIC=%s
  %s
  go run ./starter clinic put -f %s

Nothing is offered on Helsenorge before the operator has activated clinic and GP:

  %s
  go run ./starter clinic sign-off %s
  go run ./starter clinic sign-off %s
  go run ./starter clinic activate
  go run ./starter clinic activate --gp %s
  go run ./starter clinic status

A citizen writes:

  go run ./starter simulate send --kind %s --to %d
  %s
  go run ./starter inbox

Appointments; demo seed prints how to book and move them:

  go run ./starter demo seed %s
  go run ./starter calendar list
  go run ./starter slot list %s

Temporal UI         http://127.0.0.1:8233
Patients' messages  http://127.0.0.1:8238 (SMS and push), http://127.0.0.1:8025 (e-mail)
`, keys, demo.ClinicID, token(demo.Admin), quoted(d.clinic()),
		token(demo.Operator), activation.DigitalDialogueOrdered, activation.RegistrationSignedOff, demo.GPID, simulator.EContact, demo.GPHerID, token(demo.GP), quoted(d.dir), demo.CalendarID)
	return err
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[\w./-]+$`)

// quoted is a word for a shell.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
