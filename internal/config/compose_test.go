package config_test

import (
	"crypto/ecdh"
	"encoding/base64"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/composefile"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
)

const root = "../.."

// ours are the services made of our own image, with the configuration that their
// program reads.
var ours = map[string]reflect.Type{
	"worker":         reflect.TypeFor[config.Worker](),
	"starter":        reflect.TypeFor[config.Serve](),
	"starter-listen": reflect.TypeFor[config.Listen](),
	"migrate":        reflect.TypeFor[config.Migrate](),
	"simulator":      reflect.TypeFor[simulated](),
}

// simulated is what `starter simulate serve` reads; the rest are its flags.
type simulated struct {
	RegistryFile string `env:"HELSEBRO_REGISTRY_FILE"`
	SMSKey       string `env:"HELSEBRO_SMS_KEY"`
	SMSCallback  config.SMSCallback
}

// jobs do their work and end: they have no health, others wait for their success.
var jobs = []string{"temporal-schema", "temporal-namespace", "migrate"}

func compose(t *testing.T) composefile.File {
	t.Helper()
	file, err := composefile.Read(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, file.Services)
	return file
}

// setting is one variable of a configuration.
type setting struct {
	initial  string
	required bool
}

func settings(t reflect.Type) map[string]setting {
	found := map[string]setting{}
	for i := range t.NumField() {
		field := t.Field(i)
		if name, ok := field.Tag.Lookup("env"); ok {
			initial, optional := field.Tag.Lookup("envDefault")
			found[name] = setting{initial: initial, required: !optional}
			continue
		}
		if field.Type.Kind() == reflect.Struct {
			maps.Copy(found, settings(field.Type))
		}
	}
	return found
}

func TestComposeHasTheServicesOfTheProduct(t *testing.T) {
	t.Parallel()
	file := compose(t)
	require.ElementsMatch(t, []string{
		"postgres", "temporal-schema", "temporal", "temporal-namespace", "temporal-ui", "rabbitmq", "mail",
		"migrate", "simulator", "worker", "starter", "starter-listen",
	}, slices.Collect(maps.Keys(file.Services)))
	for name, command := range map[string][]string{
		"worker":         {"/usr/local/bin/worker"},
		"starter":        {"/usr/local/bin/starter", "serve"},
		"starter-listen": {"/usr/local/bin/starter", "listen"},
		"migrate":        {"/usr/local/bin/starter", "migrate"},
		"simulator":      {"/usr/local/bin/starter", "simulate", "serve"},
	} {
		require.GreaterOrEqual(t, len(file.Services[name].Command), len(command), name)
		require.Equal(t, command, file.Services[name].Command[:len(command)], name)
	}
}

func TestComposeGivesEachProgramItsSettingsAndNoOthers(t *testing.T) {
	t.Parallel()
	for name, s := range compose(t).Services {
		known := map[string]setting{}
		if read, ok := ours[name]; ok {
			known = settings(read)
			require.True(t, s.Ours(), name)
		} else {
			require.False(t, s.Ours(), "%s: say which configuration it reads", name)
		}
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "HELSEBRO_") {
				require.Contains(t, known, variable, "service %s: its program does not read that", name)
			}
		}
		for variable, known := range known {
			if known.required {
				require.Contains(t, s.Environment, variable, "service %s lacks a required setting", name)
			}
		}
	}
}

// The programs take exactly what compose gives them.
func TestComposeEnvironmentIsValid(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	secrets := strings.NewReplacer(
		"${HELSEBRO_VAULT_KEYS:?run make compose-env}", "k1:"+key,
		"${HELSEBRO_CODEC_KEYS:?run make compose-env}", "k1:"+key,
		"${HELSEBRO_VAULT_INDEX_KEY:?run make compose-env}", key,
		"${APP_DATABASE_PASSWORD:?run make compose-env}", "secret",
		"${HELSEBRO_SMS_KEY:?run make compose-env}", "secret",
		"${HELSEBRO_SMS_CALLBACK_KEYS:?run make compose-env}", key,
		"${HELSEBRO_VAPID_KEY:?run make compose-env}", base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
	)
	services := compose(t).Services
	for name, load := range map[string]func() error{
		"worker":         func() error { _, err := config.Load[config.Worker](); return err },
		"starter":        func() error { _, err := config.Load[config.Serve](); return err },
		"starter-listen": func() error { _, err := config.Load[config.Listen](); return err },
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range services[name].Environment {
				value = secrets.Replace(value)
				require.NotContains(t, value, "${", "%s: an unknown secret", variable)
				if strings.HasSuffix(variable, "_FILE") {
					require.True(t, strings.HasPrefix(value, "/etc/helsebro/"), "%s is %s, which no volume brings", variable, value)
					value = filepath.Join(t.TempDir(), filepath.Base(value))
					require.NoError(t, os.WriteFile(value, nil, 0o600))
				}
				t.Setenv(variable, value)
			}
			require.NoError(t, load())
		})
	}
}

func TestComposePortsAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	services := compose(t).Services
	for name, read := range ours {
		for variable, known := range settings(read) {
			value, given := services[name].Environment[variable]
			if !given || !strings.HasSuffix(variable, "_ADDR") {
				continue
			}
			host, port, err := net.SplitHostPort(value)
			require.NoError(t, err)
			if known.initial == "" { // where another service listens
				require.Contains(t, services, host, "service %s: %s", name, variable)
				require.Contains(t, services[host].Ports, "127.0.0.1:"+port+":"+port, "service %s: %s", name, variable)
				continue
			}
			_, initial, err := net.SplitHostPort(known.initial)
			require.NoError(t, err)
			require.Equal(t, initial, port, "service %s: %s", name, variable)
			if host == "0.0.0.0" {
				require.Contains(t, services[name].Ports, "127.0.0.1:"+port+":"+port, "service %s: %s is published", name, variable)
			}
		}
	}

	serve, listen := settings(ours["starter"]), settings(ours["starter-listen"])
	codec := serve["HELSEBRO_CODEC_ADDR"].initial
	ui := services["temporal-ui"]
	require.Equal(t, "http://"+codec, ui.Environment["TEMPORAL_CODEC_ENDPOINT"], "the UI asks our codec server")
	for _, action := range []string{"WORKFLOW_TERMINATE", "WORKFLOW_RESET", "WORKFLOW_SIGNAL", "WORKFLOW_UPDATE", "BATCH_ACTIONS", "START_WORKFLOW"} {
		require.Equal(t, "true", ui.Environment["TEMPORAL_"+action+"_DISABLED"], "a lifecycle is acted on through Helsebro")
	}
	origin := services["starter"].Environment["HELSEBRO_UI_ORIGIN"]
	require.Equal(t, origin, ui.Environment["TEMPORAL_CORS_ORIGINS"])
	require.Equal(t, []string{strings.TrimPrefix(origin, "http://") + ":8080"}, ui.Ports)

	simulator, err := url.Parse(services["starter-listen"].Environment["HELSEBRO_LOOPBACK_URL"])
	require.NoError(t, err)
	initial, err := url.Parse(listen["HELSEBRO_LOOPBACK_URL"].initial)
	require.NoError(t, err)
	require.Equal(t, "simulator", simulator.Hostname())
	require.Equal(t, initial.Port(), simulator.Port())
	require.Contains(t, services["simulator"].Command, "0.0.0.0:"+simulator.Port())
}

func TestComposePublishesOnTheLoopbackOnly(t *testing.T) {
	t.Parallel()
	published := map[string]string{}
	for name, s := range compose(t).Services {
		for _, port := range s.Ports {
			require.Regexp(t, `^127\.0\.0\.1:\d+:\d+$`, port, name)
			host := strings.Split(port, ":")[1]
			require.NotContains(t, published, host, "%s and %s publish the same port", name, published[host])
			published[host] = name
		}
	}
}

func TestComposeImagesArePinned(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$`)
	for name, s := range compose(t).Services {
		require.NotContains(t, s.Image, "auto-setup", "%s: that image is deprecated", name)
		if name == "migrate" { // what runs first builds the image that all of ours share
			require.Equal(t, ".", s.Build, name)
		} else {
			require.Empty(t, s.Build, name)
		}
		if !s.Ours() {
			require.Regexp(t, version, s.Image, name)
		}
	}
	raw, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(raw), -1)
	require.NotEmpty(t, stages)
	for _, stage := range stages {
		if stage[1] != "scratch" {
			require.Regexp(t, version, stage[1])
		}
	}
}

func TestComposeServicesAreCheckedAndWaitedFor(t *testing.T) {
	t.Parallel()
	services := compose(t).Services
	for name, s := range services {
		if slices.Contains(jobs, name) {
			require.Empty(t, s.Healthcheck.Test, "%s ends: its success is its health", name)
			require.Equal(t, "on-failure:5", s.Restart, name)
		} else {
			require.NotEmpty(t, s.Healthcheck.Test, "%s has no health check", name)
			require.Equal(t, "unless-stopped", s.Restart, name)
		}
		for needed, on := range s.DependsOn {
			require.Contains(t, services, needed, name)
			condition := "service_healthy"
			if slices.Contains(jobs, needed) {
				condition = "service_completed_successfully"
			}
			require.Equal(t, condition, on.Condition, "%s waits for %s", name, needed)
		}
	}
}

func TestComposeWaitsLongerThanTheProgramsStop(t *testing.T) {
	t.Parallel()
	services := compose(t).Services
	for name := range ours {
		period, err := time.ParseDuration(services[name].StopGracePeriod)
		require.NoError(t, err, name)
		require.Equal(t, config.ContainerGracePeriod, period, name)
	}
}

func TestComposeMakesTheSearchAttributesOfTheContract(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(root, ".docker", "temporal", "namespace.sh"))
	require.NoError(t, err)
	loop := regexp.MustCompile(`(?m)^for name in (.+); do$`).FindSubmatch(script)
	require.NotNil(t, loop)
	var names []string
	for _, key := range contract.SearchAttributes() {
		names = append(names, key.GetName())
	}
	require.ElementsMatch(t, names, strings.Fields(string(loop[1])))
}

// A file that is mounted and not there becomes an empty directory without a word.
func TestComposeMountsWhatIsThere(t *testing.T) {
	t.Parallel()
	for name, s := range compose(t).Services {
		for _, m := range s.Mounts() {
			// Below .docker/config is what `make compose-env` writes: starter/cli tests that.
			if strings.HasPrefix(m.Source, "./") && !strings.HasPrefix(m.Source, "./.docker/config/") {
				_, err := os.Stat(filepath.Join(root, m.Source))
				require.NoError(t, err, name)
			}
		}
	}
}

// What one service calls another by is where that one listens, and the channels end on
// this machine.
func TestComposeChannelsEndInServices(t *testing.T) {
	t.Parallel()
	services := compose(t).Services
	for variable, want := range map[string]string{
		"HELSEBRO_SMS_URL": "simulator", "HELSEBRO_SMS_CALLBACK_URL": "starter",
	} {
		u, err := url.Parse(services["worker"].Environment[variable])
		require.NoError(t, err)
		require.Equal(t, want, u.Hostname(), variable)
		require.Contains(t, services[want].Ports, "127.0.0.1:"+u.Port()+":"+u.Port(), variable)
	}
	for variable, readers := range map[string][]string{
		"HELSEBRO_SMS_KEY": {"worker", "simulator"}, "HELSEBRO_SMS_CALLBACK_KEYS": {"starter", "simulator"},
	} {
		for name, s := range services {
			require.Equal(t, slices.Contains(readers, name), s.Environment[variable] != "", "%s: %s", name, variable)
		}
	}
	allowed, err := regexp.Compile(services["mail"].Environment["MP_SMTP_ALLOWED_RECIPIENTS"])
	require.NoError(t, err)
	require.False(t, allowed.MatchString("bounce@example.invalid"), "the demonstration's patient cannot be reached by mail")
	for _, other := range []string{"kari@example.invalid", "b@example.invalid", "bounced@example.invalid", "bou@example.invalid", "boat@example.invalid"} {
		require.True(t, allowed.MatchString(other), other)
	}
}

// A new .env has a secret of its own for everything that compose asks for, an old one
// keeps what it has, and what it lacks is added.
func TestComposeEnvKeepsAndAdds(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(root, ".tools", "compose-env"))
	require.NoError(t, err)
	file, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	clone := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(clone, ".tools"), 0o700))
	path, env := filepath.Join(clone, ".tools", "compose-env"), filepath.Join(clone, ".env")
	require.NoError(t, os.WriteFile(path, script, 0o600))
	write := func() (said string, secrets map[string]string) {
		out, err := exec.CommandContext(t.Context(), "sh", path).Output()
		require.NoError(t, err)
		text, err := os.ReadFile(env)
		require.NoError(t, err)
		secrets = map[string]string{}
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
				require.NotContains(t, secrets, name)
				secrets[name] = value
			}
		}
		return string(out), secrets
	}
	said, first := write()
	require.Equal(t, "wrote .env\n", said)
	info, err := os.Stat(env)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	seen := map[string]bool{}
	for _, asked := range regexp.MustCompile(`\$\{(\w+):\?`).FindAllSubmatch(file, -1) {
		require.NotEmpty(t, first[string(asked[1])], string(asked[1]))
	}
	for name, value := range first {
		require.False(t, seen[value], "%s is no secret of its own", name)
		seen[value] = true
	}
	vapid, err := base64.RawURLEncoding.DecodeString(first["HELSEBRO_VAPID_KEY"])
	require.NoError(t, err)
	_, err = ecdh.P256().NewPrivateKey(vapid)
	require.NoError(t, err)

	said, again := write()
	require.Contains(t, said, "stays as it is")
	require.Equal(t, first, again)

	old, err := os.ReadFile(env)
	require.NoError(t, err)
	old = regexp.MustCompile(`(?m)^HELSEBRO_SMS_KEY=.*\n`).ReplaceAll(old, nil)
	require.NoError(t, os.WriteFile(env, old, 0o600))
	said, added := write()
	require.Equal(t, "added to .env: HELSEBRO_SMS_KEY\n", said)
	require.NotEqual(t, first["HELSEBRO_SMS_KEY"], added["HELSEBRO_SMS_KEY"])
	added["HELSEBRO_SMS_KEY"] = first["HELSEBRO_SMS_KEY"]
	require.Equal(t, first, added)
}
