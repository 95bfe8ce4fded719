/* File capabilities at exec: versions, effective bit, bounding and inheritable sets, root, no_new_privs, user
 * namespaces; what takes them away. */
#include "guest.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#define RAW (1u << CAP_NET_RAW)
#define BIND (1u << CAP_NET_BIND_SERVICE)
#define KILL (1u << CAP_KILL)
#define MASK (RAW | BIND | KILL)
#define EFF VFS_CAP_FLAGS_EFFECTIVE

static void caps(const char *what) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  MUST(syscall(SYS_capget, &h, d));
  int amb = 0;
  for (int i = 0; i < 3; i++)
    amb |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, (int[]){CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_KILL}[i], 0, 0)
           << i;
  say("  %s: eff %x perm %x inh %x amb %x secure %lu dumpable %d uid %d %d %d gid %d %d", what, d[0].effective & MASK,
      d[0].permitted & MASK, d[0].inheritable & MASK, amb, getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE), getuid(),
      geteuid(), geteuid() == 0, getgid(), getegid());
}

static int set(unsigned e, unsigned p, unsigned i) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{e, p, i}};
  return syscall(SYS_capset, &h, d);
}

static void copy_self(const char *to) {
  char buf[65536];
  int in = MUST(open("/proc/self/exe", O_RDONLY)), out = MUST(open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755));
  for (ssize_t n; (n = read(in, buf, sizeof buf)) > 0;)
    MUST(write(out, buf, n));
  close(in), close(out);
  chmod(to, 0755);
}

static int setcap(const char *file, unsigned magic, unsigned p, unsigned i, unsigned rootid, size_t size) {
  struct vfs_ns_cap_data d = {magic, {{p, i}, {0, 0}}, rootid};
  return setxattr(file, "security.capability", &d, size, 0);
}
static int v2(const char *file, unsigned eff, unsigned p, unsigned i) {
  return setcap(file, VFS_CAP_REVISION_2 | eff, p, i, 0, XATTR_CAPS_SZ_2);
}
static void shown(const char *file) {
  struct vfs_ns_cap_data d = {0};
  ssize_t n = getxattr(file, "security.capability", &d, sizeof d);
  if (n < 0)
    say("  attribute: %s", ename(errno));
  else
    say("  attribute: %zd bytes, magic %x, p %x i %x rootid %u", n, d.magic_etc, d.data[0].permitted,
        d.data[0].inheritable, n == XATTR_CAPS_SZ_3 ? d.rootid : 0);
}
static void run(const char *what) {
  execl("./prog", "prog", what, NULL);
  say("  %s: exec: %s", what, ename(errno));
}
static void user(void) {
  MUST(setgroups(0, NULL));
  MUST(setresgid(1000, 1000, 1000));
  MUST(setresuid(1000, 1000, 1000));
}

static void formats(void) {
  OK(setcap("prog", VFS_CAP_REVISION_1, RAW, 0, 0, XATTR_CAPS_SZ_1));
  OK(setcap("prog", VFS_CAP_REVISION_2, RAW, 0, 0, XATTR_CAPS_SZ_1));
  OK(setcap("prog", VFS_CAP_REVISION_2 | 2, RAW, 0, 0, XATTR_CAPS_SZ_2));
  OK(setcap("prog", VFS_CAP_REVISION_3, RAW, 0, 0, XATTR_CAPS_SZ_2));
  OK(setcap("prog", VFS_CAP_REVISION_3, RAW, 0, -1, XATTR_CAPS_SZ_3));
  OK(setcap("prog", 0x04000000, RAW, 0, 0, XATTR_CAPS_SZ_3));
  OK(setcap("prog", VFS_CAP_REVISION_3, RAW, 0, 1000, XATTR_CAPS_SZ_3));
  shown("prog");
  CHILD("v3 of another root") user(), run("v3");
  OK(setcap("prog", VFS_CAP_REVISION_3, RAW, 0, 0, XATTR_CAPS_SZ_3));
  shown("prog");
  CHILD("v3 of this root") user(), run("v3");
  char b[8];
  SHOW(getxattr("prog", "security.capability", b, sizeof b));
  SHOW(getxattr("prog", "security.capability", NULL, 0));
  CHILD("as a user") {
    user();
    OK(v2("prog", 0, RAW, 0));
    OK(removexattr("prog", "security.capability"));
    OK(setxattr("prog", "security.other", "x", 1, 0));
    shown("prog");
  }
  OK(removexattr("prog", "security.capability"));
  shown("prog");
}

static void at_exec(void) {
  v2("prog", EFF, RAW, 0);
  CHILD("ep") user(), run("ep");
  CHILD("ep as root") run("root");
  CHILD("ep, not in the bounding set") {
    MUST(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
    user();
    run("bound");
  }
  CHILD("ep, no_new_privs") {
    user();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    run("nnp");
  }
  v2("prog", 0, RAW | KILL, 0);
  CHILD("p alone, half of it bound") {
    MUST(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
    user();
    run("p");
  }
  v2("prog", EFF, 0, BIND | RAW);
  CHILD("ei") {
    MUST(set(-1u & ~(1u << CAP_SYS_RESOURCE), -1u & ~(1u << CAP_SYS_RESOURCE), BIND));
    user();
    run("ei");
  }
  v2("prog", 0, 0, 0);
  CHILD("empty, with ambient ones") {
    prctl(PR_SET_KEEPCAPS, 1);
    user();
    MUST(set(KILL, KILL, KILL));
    MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    run("ambient lost");
  }
  removexattr("prog", "security.capability");
  CHILD("none, with ambient ones") {
    prctl(PR_SET_KEEPCAPS, 1);
    user();
    MUST(set(KILL, KILL, KILL));
    MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    run("ambient kept");
  }
  v2("prog", EFF, RAW, 0);
  CHILD("root under NOROOT") {
    MUST(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
    run("noroot");
  }
}

static void setid_too(void) {
  MUST(chown("prog", 0, 0));
  MUST(chmod("prog", 04755));
  CHILD("set-user-ID root") user(), run("suid");
  v2("prog", EFF, RAW, 0);
  CHILD("set-user-ID root and file capabilities") user(), run("suid+caps");
  MUST(removexattr("prog", "security.capability"));
  MUST(chown("prog", 77, 88));
  MUST(chmod("prog", 06755));
  CHILD("of another user") {
    prctl(PR_SET_KEEPCAPS, 1);
    user();
    MUST(set(KILL, KILL, KILL));
    MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    run("suid 77");
  }
  CHILD("with no_new_privs") {
    user();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    run("nnp");
  }
  CHILD("NOROOT") {
    chown("prog", 0, 0), chmod("prog", 04755);
    MUST(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED));
    OK(prctl(PR_SET_SECUREBITS, 0));
    user();
    run("suid");
  }
  CHILD("a mount with nosuid") {
    MUST(unshare(CLONE_NEWNS));
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    mkdir("m", 0755);
    MUST(mount("t", "m", "tmpfs", 0, "mode=755"));
    MUST(chdir("m"));
    copy_self("prog");
    MUST(v2("prog", EFF, RAW, 0));
    CHILD("before") user(), run("caps");
    MUST(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL) == 0 || errno == EINVAL ? 0 : -1);
    MUST(chdir("../m"));
    MUST(mount(NULL, "../m", NULL, MS_REMOUNT | MS_NOSUID, NULL));
    CHILD("after") user(), run("caps");
    MUST(chmod("prog", 04755));
    CHILD("set-user-ID") user(), run("suid");
  }
}

static void killed(void) {
  int fd;
  copy_self("k");
  MUST(v2("k", EFF, RAW, 0));
  OK(chmod("k", 0700));
  shown("k");
  OK(chown("k", 5, 5));
  shown("k");
  MUST(v2("k", EFF, RAW, 0));
  OK(chown("k", -1, -1));
  shown("k");
  MUST(v2("k", EFF, RAW, 0));
  fd = MUST(open("k", O_RDWR));
  shown("k");
  SHOW(pwrite(fd, "x", 1, 0));
  shown("k");
  MUST(v2("k", EFF, RAW, 0));
  OK(ftruncate(fd, 10));
  shown("k");
  MUST(v2("k", EFF, RAW, 0));
  OK(truncate("k", 5));
  shown("k");
  MUST(v2("k", EFF, RAW, 0));
  close(MUST(open("k", O_WRONLY | O_TRUNC)));
  shown("k");
  MUST(v2("k", EFF, RAW, 0));
  SHOW(link("k", "k2"));
  rename("k", "k3");
  shown("k2");
  shown("k3");
}

static void in_userns(void) {
  MUST(chown("prog", 1000, 1000));
  MUST(chmod("prog", 0755));
  MUST(v2("prog", EFF, RAW, 0));
  CHILD("a user namespace") {
    user();
    prctl(PR_SET_DUMPABLE, 1);
    MUST(unshare(CLONE_NEWUSER));
    write_file("/proc/self/setgroups", "deny");
    MUST(write_file("/proc/self/uid_map", "0 1000 1"));
    MUST(write_file("/proc/self/gid_map", "0 1000 1"));
    shown("prog");
    OK(v2("prog", EFF, KILL, 0));
    shown("prog");
    OK(setcap("prog", VFS_CAP_REVISION_3, KILL, 0, 1, XATTR_CAPS_SZ_3));
    set(RAW, RAW, 0);
    OK(v2("prog", EFF, KILL, 0));
    CHILD("its own") {
      prctl(PR_SET_SECUREBITS, SECBIT_NOROOT);
      run("v3 inside");
    }
  }
  shown("prog");
  CHILD("outside") user(), run("v3 outside");
  CHILD("in another one") {
    MUST(unshare(CLONE_NEWUSER));
    MUST(write_file("/proc/self/uid_map", "0 0 1"));
    shown("prog");
  }
}

int main(int argc, char **argv) {
  if (argc > 1) {
    caps(argv[1]);
    return 0;
  }
  MUST(chmod(".", 0755));
  copy_self("prog");
  formats();
  at_exec();
  setid_too();
  killed();
  in_userns();
  CHILD("setcap(8)") {
    copy_self("prog");
    CHILD("set") execlp("/sbin/setcap", "setcap", "cap_net_raw+ep", "prog", NULL);
    CHILD("get") execlp("/sbin/getcap", "getcap", "prog", NULL);
    CHILD("use") user(), run("setcap");
    CHILD("remove") execlp("/sbin/setcap", "setcap", "-r", "prog", NULL);
    shown("prog");
  }
}
