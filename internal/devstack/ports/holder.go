package ports

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// holder names the program that listens on a port, or "" when /proc does not show
// it: another user's process, or no Linux.
func holder(port int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, inode := range listeners(table, port) {
			if name := owner("socket:[" + inode + "]"); name != "" {
				return name
			}
		}
	}
	return ""
}

// listeners returns the socket inodes that listen on a port. A line of the table is
// "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...",
// with the address as hex ip:port and state 0A for LISTEN (proc(5)).
func listeners(table string, port int) []string {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // read only
	var inodes []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != "0A" {
			continue
		}
		_, hexPort, ok := strings.Cut(fields[1], ":")
		number, err := strconv.ParseUint(hexPort, 16, 16)
		if ok && err == nil && int(number) == port {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

// owner finds the process that has a socket open.
func owner(socket string) string {
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err != nil || target != socket {
			continue
		}
		process := filepath.Dir(filepath.Dir(fd))
		comm, err := os.ReadFile(filepath.Join(process, "comm"))
		if err != nil {
			return ""
		}
		return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(comm)), filepath.Base(process))
	}
	return ""
}
