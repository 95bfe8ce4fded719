/*
 * Roots of the sandbox's own processes. Mounts are made detached (fsmount(2), open_tree(2)) and attached only inside a
 * private mount namespace, so nothing is ever visible to, or left behind in, the host's.
 */
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc 2.36 declares these in <sys/mount.h>, which older ones lack; the raw calls serve both. */
int detached_tmpfs(void) {
  int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (fs < 0)
    return -1;
  int fd = -1;
  if (!syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0755", 0) &&
      !syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "65536", 0) &&
      !syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
    fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  int err = errno;
  close(fs);
  errno = err;
  return fd;
}

int detached_procfs(void) {
  int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC), fd = -1;
  if (fs < 0)
    return 0;
  if (!syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "subset", "pid", 0) &&
      !syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
    fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  close(fs);
  return fd < 0 ? 0 : fd;
}

int enter_root(int fd, bool readonly) {
  /* Any directory can carry the new root for the moment; /proc exists everywhere and holds no source of ours. */
  if (syscall(SYS_move_mount, fd, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH))
    return -1;
  if (fchdir(fd) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
    return -1;
  if (readonly && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL))
    return -1;
  return 0;
}
