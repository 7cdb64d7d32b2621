package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/helsebro/helsebro/internal/devstack/debian"
)

// oldestMajor is the oldest PostgreSQL that the product is tested with (Debian 12's).
const oldestMajor = 15

// installed is a set of server programs found on the machine.
type installed struct {
	dir   string
	major int
}

// programs returns the directory of initdb, postgres and psql: those of the PATH, else
// the newest that Debian keeps outside it, else Debian's package, installed now. With
// major above 0 only that version will do, because a cluster is bound to it.
func programs(ctx context.Context, progress io.Writer, major int) (string, error) {
	if dir := choose(find(), major); dir != "" {
		return dir, nil
	}
	name, reason := "postgresql", fmt.Sprintf("the PostgreSQL server (%d or newer) is not installed", oldestMajor)
	if major != 0 {
		name = fmt.Sprintf("postgresql-%d", major)
		reason = fmt.Sprintf("the data directory is of PostgreSQL %d, whose server is not installed", major)
	}
	if err := keepServiceQuiet(); err != nil {
		return "", err
	}
	err := debian.Install(ctx, progress, name)
	var missing *debian.NotInstalledError
	if errors.As(err, &missing) {
		missing.Reason = reason
	}
	if err != nil {
		return "", err
	}
	if dir := choose(find(), major); dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("%s, and the package %s does not bring it", reason, name)
}

// choose takes the first that fits.
func choose(candidates []installed, major int) string {
	for _, c := range candidates {
		if c.major == major || major == 0 && c.major >= oldestMajor {
			return c.dir
		}
	}
	return ""
}

// find lists complete sets of programs, the preferred first.
func find() []installed {
	var debians []installed
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, dir := range dirs {
		if major := version(dir); major != 0 {
			debians = append(debians, installed{dir: dir, major: major})
		}
	}
	slices.SortFunc(debians, func(a, b installed) int { return cmp.Compare(b.major, a.major) })
	onPath, err := exec.LookPath("postgres")
	if err != nil {
		return debians
	}
	// The PATH may hold a link; the programs beside its target belong together.
	resolved, err := filepath.EvalSymlinks(onPath)
	if err != nil {
		return debians
	}
	dir := filepath.Dir(resolved)
	major := version(dir)
	if major == 0 {
		return debians
	}
	return append([]installed{{dir: dir, major: major}}, debians...)
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// version is the major version of the programs in dir; 0 when one is missing.
func version(dir string) int {
	for _, name := range []string{"initdb", "postgres", "psql"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return 0
		}
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return 0
	}
	major, _ := strconv.Atoi(string(match[1]))
	return major
}

// clusterPolicy is where Debian's PostgreSQL packages read whether installing a server
// also creates a cluster and starts a service for it.
const clusterPolicy = "/etc/postgresql-common/createcluster.conf"

// keepServiceQuiet makes an installation bring programs only, on a machine that has
// not decided otherwise.
func keepServiceQuiet() error {
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(clusterPolicy), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(clusterPolicy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString("# Helsebro's development stack starts PostgreSQL itself and wants no service.\n" +
		"create_main_cluster = false\n")
	return errors.Join(err, f.Close())
}
