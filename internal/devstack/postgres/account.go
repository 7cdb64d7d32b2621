package postgres

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that a server started by root runs as. A nil account is the
// user of this process.
type account struct{ uid, gid int }

// serverUser chooses the account. The owner of an existing cluster wins, because
// PostgreSQL refuses a cluster of somebody else.
func serverUser(cluster string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if info, err := os.Stat(cluster); err == nil {
		owner := info.Sys().(*syscall.Stat_t)
		if owner.Uid == 0 {
			return nil, fmt.Errorf("%s belongs to root, and PostgreSQL does not run as root", cluster)
		}
		return &account{uid: int(owner.Uid), gid: int(owner.Gid)}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, err
		}
		return &account{uid: uid, gid: gid}, nil
	}
	return nil, fs.ErrNotExist
}

// own gives a file or directory to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// path is how a program started by run names a file in dir. The account may not be
// able to reach dir by its path: root's home and temporary directories are closed to
// others. It needs no permission for them when it goes through the descriptor that
// run opens for it.
func (a *account) path(dir, name string) string {
	if a == nil {
		return filepath.Join(dir, name)
	}
	return filepath.Join("/proc/self/fd/3", name)
}

// run makes cmd run as the account, with dir as descriptor 3.
func (a *account) run(cmd *exec.Cmd, dir *os.File) {
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	cmd.Env = environment()
	if a == nil {
		return
	}
	cmd.Dir = "/" // the current directory may be closed to the account
	cmd.ExtraFiles = []*os.File{dir}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}
