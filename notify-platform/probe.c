/* What the platform needs of the host, asked while there is still a /proc to ask. */
#include "../core/platform.h"
#include <elf.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static int find_vdso(struct plat_host *h) {
  FILE *f = fopen("/proc/self/maps", "re");
  if (!f)
    return -errno;
  char line[512];
  memset(h, 0, sizeof *h);
  while (fgets(line, sizeof line, f)) {
    unsigned long a, b;
    if (sscanf(line, "%lx-%lx", &a, &b) != 2)
      continue;
    /* [vvar] and, on newer kernels, [vvar_vclock] lie directly below [vdso]; the three work only together. */
    if (strstr(line, "[vvar") && !h->vvar)
      h->vvar = a;
    if (strstr(line, "[vdso]")) {
      h->vdso = a;
      h->vdso_end = b;
    }
  }
  fclose(f);
  return h->vvar && h->vdso && h->vvar < h->vdso ? 0 : -ENOENT;
}

static bool sysctl_is(const char *path, const char *value) {
  FILE *f = fopen(path, "re");
  char b[32] = "";
  if (!f)
    return false;
  if (!fgets(b, sizeof b, f))
    b[0] = 0;
  fclose(f);
  b[strcspn(b, "\n")] = 0;
  return !strcmp(b, value);
}

int plat_probe(struct plat_host *h, const char **err) {
  struct utsname u;
  int major = 0, minor = 0;
  if (uname(&u) == 0)
    sscanf(u.release, "%d.%d", &major, &minor);
  if (major < 5 || (major == 5 && minor < 19)) {
    *err =
        "the host's Linux is older than 5.19 (seccomp user notification lacks WAIT_KILLABLE_RECV): upgrade the kernel";
    return -ENOSYS;
  }
  struct seccomp_notif_sizes sizes;
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes)) {
    *err = "the host's Linux has no seccomp user notification: it needs CONFIG_SECCOMP_FILTER, and no outer seccomp "
           "profile that denies seccomp(2)";
    return -ENOSYS;
  }
  if (!(getauxval(AT_HWCAP2) & 2)) {
    *err = "the host lacks FSGSBASE: it needs a CPU and a kernel with it enabled (no 'nofsgsbase' on the kernel's "
           "command line)";
    return -ENOSYS;
  }
  if (sysctl_is("/proc/sys/kernel/io_uring_disabled", "2")) {
    *err = "io_uring is disabled on the host: set the sysctl kernel.io_uring_disabled to 0";
    return -EPERM;
  }
  if (sysctl_is("/proc/sys/user/max_user_namespaces", "0")) {
    *err = "user namespaces are disabled on the host: raise the sysctl user.max_user_namespaces";
    return -EPERM;
  }
  if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0")) {
    *err =
        "unprivileged user namespaces are disabled on the host: set the sysctl kernel.unprivileged_userns_clone to 1";
    return -EPERM;
  }
  int r = find_vdso(h);
  if (r < 0)
    *err =
        "the host's vDSO could not be found in /proc/self/maps: is /proc mounted, and the kernel booted with vdso=1?";
  return r;
}
