// Package debian installs packages of the operating system that the development
// stack and its tests need and cannot bring along: the PostgreSQL server, a browser,
// xmllint.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// NotInstalledError says that a package is needed and that this user cannot install
// it.
type NotInstalledError struct {
	Packages []string
	Reason   string
}

// Error gives the exact command that installs the packages.
func (e *NotInstalledError) Error() string {
	return fmt.Sprintf("%s; install it with\n\n    sudo apt-get install -y --no-install-recommends %s\n",
		e.Reason, strings.Join(e.Packages, " "))
}

// Install installs Debian packages with apt-get when this process is root, and says
// on progress what it does. Otherwise, and on systems without apt-get, it returns a
// *NotInstalledError. Installing what is there already is harmless.
func Install(ctx context.Context, progress io.Writer, packages ...string) error {
	names := strings.Join(packages, " ")
	if os.Geteuid() != 0 {
		return &NotInstalledError{Packages: packages, Reason: names + " is needed, and only root can install it"}
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return &NotInstalledError{Packages: packages, Reason: names + " is needed, and this system has no apt-get"}
	}
	fmt.Fprintf(progress, "installing %s (apt-get)\n", names)
	install := append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...)
	if run(ctx, apt, install...) == nil {
		return nil
	}
	// A fresh system has no package lists, an old one has lists of packages that are
	// gone: both are mended by an update.
	if err := run(ctx, apt, "update", "-q"); err != nil {
		return err
	}
	return run(ctx, apt, install...)
}

func run(ctx context.Context, apt string, args ...string) error {
	// Another apt-get may hold the lock: an unattended upgrade, or a test beside us.
	cmd := exec.CommandContext(ctx, apt, append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("apt-get %s: %w: %s", strings.Join(args, " "), err, strings.Join(lines[max(0, len(lines)-5):], "; "))
}
