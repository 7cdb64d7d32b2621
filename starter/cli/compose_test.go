package cli_test

import (
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/composefile"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/cli"
)

const (
	root = "../.."
	// binaries is where the Dockerfile puts the programs.
	binaries = "/usr/local/bin/"
)

func compose(t *testing.T) map[string]composefile.Service {
	t.Helper()
	file, err := composefile.Read(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	return file.Services
}

// parsed finds the command of a command line and gives it its flags and arguments,
// with every check that comes before it runs.
func parsed(t *testing.T, line []string) *cobra.Command {
	t.Helper()
	require.Equal(t, binaries+"starter", line[0])
	cmd, args, err := cli.Command(cli.Environment{Getenv: func(string) string { return "" }}, cli.Processes{}).Find(line[1:])
	require.NoError(t, err)
	require.False(t, cmd.HasSubCommands(), "%v is no whole command", line)
	require.NoError(t, cmd.ParseFlags(args), line)
	require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), line)
	require.NoError(t, cmd.ValidateRequiredFlags(), line)
	return cmd
}

func TestComposeCommandsAreCommands(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	require.Contains(t, string(dockerfile), "-o /out"+binaries+" ./worker ./starter")
	require.Contains(t, string(dockerfile), "COPY --from=build /out/usr /usr")
	run := map[string]string{}
	for name, s := range compose(t) {
		if !s.Ours() {
			continue
		}
		if s.Command[0] == binaries+"worker" {
			require.Len(t, s.Command, 1, "the worker takes no arguments")
			run[name] = "worker"
		} else {
			run[name] = parsed(t, s.Command).CommandPath()
		}
		if test := s.Healthcheck.Test; len(test) > 0 {
			require.Equal(t, "CMD", test[0], "%s: the image has no shell", name)
			require.Equal(t, "helsebro health", parsed(t, test[1:]).CommandPath(), name)
		}
	}
	require.Equal(t, map[string]string{
		"migrate": "helsebro migrate", "simulator": "helsebro simulate serve", "worker": "worker",
		"starter": "helsebro serve", "starter-listen": "helsebro listen",
	}, run)
}

// A health check asks where its service listens, and the service's other callers
// and the commands on the machine's side ask there too.
func TestComposeAddressesAgree(t *testing.T) {
	t.Parallel()
	services := compose(t)
	flag := func(line []string, name string) string { return parsed(t, line).Flag(name).Value.String() }
	simulated := flag(services["simulator"].Command, "addr")
	for name, listens := range map[string]string{
		"simulator":      simulated,
		"worker":         services["worker"].Environment["HELSEBRO_HEALTH_ADDR"],
		"starter":        services["starter"].Environment["HELSEBRO_HTTP_ADDR"],
		"starter-listen": services["starter-listen"].Environment["HELSEBRO_HEALTH_ADDR"],
	} {
		asked, err := url.Parse(flag(services[name].Healthcheck.Test[1:], "url"))
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1", asked.Hostname(), name)
		require.Equal(t, port(t, listens), asked.Port(), name)
		require.Contains(t, []string{"/healthz", "/readyz"}, asked.Path, name)
	}
	for _, name := range []string{"worker", "starter-listen"} {
		for _, asked := range []string{"HELSEBRO_LOOPBACK_URL", "HELSEBRO_ACTIVITY_URL"} {
			require.Equal(t, "http://simulator:"+port(t, simulated), services[name].Environment[asked], name)
		}
		require.Equal(t, strconv.Itoa(simulator.HerID), services[name].Environment["HELSEBRO_HELSENORGE_HER_ID"], name)
	}
	phones := flag(services["simulator"].Command, "sink")
	require.Equal(t, "http://simulator:"+port(t, phones), flag(services["simulator"].Command, "sink-url"))
	require.Equal(t, flag(services["simulator"].Command, "sink-url")+"/sms", services["worker"].Environment["HELSEBRO_SMS_URL"])
	require.Contains(t, services["simulator"].Ports, "127.0.0.1:"+port(t, phones)+":"+port(t, phones))
	for name, initial := range map[string]string{
		"simulator": parsed(t, []string{binaries + "starter", "simulate", "serve", "--data", "x"}).Flag("addr").DefValue,
		"starter":   strings.TrimSuffix(strings.TrimPrefix(parsed(t, []string{binaries + "starter", "health"}).Flag("url").DefValue, "http://"), "/healthz"),
	} {
		require.Contains(t, services[name].Ports, initial+":"+port(t, initial), "%s is published where commands look for it", name)
	}
}

func port(t *testing.T, addr string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return p
}

// What `make compose-env` writes is what the services mount and read, and the
// issuer's private key is not among it.
func TestComposeMountsWhatComposeEnvWrites(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	recipe := regexp.MustCompile(`(?m)^compose-env:.*\n(?:\t.*\n)*\t@go run \./starter demo init (\S+)$`).FindSubmatch(makefile)
	require.NotNil(t, recipe, "make compose-env runs demo init")
	clone := t.TempDir()
	got := run(t, nil, "", "demo", "init", filepath.Join(clone, string(recipe[1])))
	require.Equal(t, cli.ExitDone, got.code, got.err)

	readers := 0
	for name, s := range compose(t) {
		if !s.Ours() {
			continue
		}
		files := map[string]string{} // by their path in the container
		for _, m := range s.Mounts() {
			if !strings.HasPrefix(m.Source, "./") {
				continue
			}
			require.True(t, m.ReadOnly, name)
			entries, err := os.ReadDir(filepath.Join(clone, m.Source))
			require.NoError(t, err, "%s mounts what compose-env does not write", name)
			for _, e := range entries {
				files[path.Join(m.Target, e.Name())] = e.Name()
			}
		}
		for variable, value := range s.Environment {
			if strings.HasSuffix(variable, "_FILE") {
				readers++
				require.Contains(t, files, value, "service %s: %s", name, variable)
			}
		}
		for _, file := range files {
			require.True(t, slices.Contains([]string{"jwks.json", "registry.yaml"}, file), "%s can read %s", name, file)
		}
	}
	require.Equal(t, 4, readers, "registry of simulator, worker and listener, keys of the API")
}

// The simulator keeps its state where it may write.
func TestComposeSimulatorWritesToItsVolume(t *testing.T) {
	t.Parallel()
	s := compose(t)["simulator"]
	data := parsed(t, s.Command).Flag("data").Value.String()
	require.True(t, slices.ContainsFunc(s.Mounts(), func(m composefile.Mount) bool {
		return !m.ReadOnly && strings.HasPrefix(data, m.Target+"/")
	}), data)
}
