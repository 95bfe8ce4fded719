#include "leaks.h"
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void unshares(void *arg) {
  unshare((int)(long)arg);
}
static void unshare_each(int i) {
  static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS,     CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET,
                              CLONE_NEWPID,  CLONE_NEWCGROUP, 0x80,         CLONE_FS,     CLONE_FILES};
  in_child(unshares, (void *)(long)flags[i % 10]);
}
static void unshare_all(int i) {
  in_child(unshares, (void *)(long)(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                                    CLONE_NEWPID | CLONE_NEWCGROUP | 0x80));
}
/* Again and again in the same process. */
static void unshare_here(int i) {
  static const int flags[] = {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWCGROUP, 0x80};
  unshare(flags[i % 6]);
}

static void put(const char *file, const char *text) {
  int fd = open(file, O_WRONLY);
  if (write(fd, text, strlen(text)) < 0)
    return;
  close(fd);
}
static void map_user(void *arg) {
  if (unshare(CLONE_NEWUSER))
    return;
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 0 1");
  put("/proc/self/gid_map", "0 0 1");
  unshare(CLONE_NEWNS | CLONE_NEWPID);
  in_child(nothing, NULL);
}
static void user_maps(int i) {
  in_child(map_user, NULL);
}

static void pid_init(void *arg) {
  for (int k = 0; k < 2; k++)
    if (!fork()) {
      pause();
      _exit(0);
    }
  mount("proc", "/proc", "proc", 0, NULL);
  struct stat st;
  stat("/proc/1/fd", &st);
  stat("/proc/2/status", &st);
}
static void pid_namespace(int i) {
  in_clone(CLONE_NEWPID | CLONE_NEWNS, pid_init, NULL);
}
static void nested(void *arg) {
  if (arg)
    in_clone(CLONE_NEWPID, nested, (void *)((long)arg - 1));
}
static void pid_nested(int i) {
  in_clone(CLONE_NEWPID, nested, (void *)4l);
}

static void setns_all(void *arg) {
  static const char *const kinds[] = {"uts", "ipc", "net", "mnt", "cgroup", "pid"};
  char file[40];
  int fds[6];
  for (int k = 0; k < 6; k++) {
    snprintf(file, sizeof file, "/proc/self/ns/%s", kinds[k]);
    fds[k] = open(file, O_RDONLY);
  }
  unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWCGROUP);
  for (int k = 0; k < 6; k++)
    setns(fds[k], 0);
  int p = (int)syscall(SYS_pidfd_open, getppid(), 0);
  setns(p, CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET);
}
static void setns_scene(int i) {
  in_child(setns_all, NULL);
}

/* A descriptor of a namespace in flight through a socket that only the namespace's own task had. */
static void ns_fd_flies(void *arg) {
  int sv[2];
  unshare(CLONE_NEWNET | CLONE_NEWPID);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  int fd = open("/proc/self/ns/net", O_RDONLY);
  char c = 0, control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec v = {&c, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  *CMSG_FIRSTHDR(&m) =
      (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
  sendmsg(sv[0], &m, 0);
}
static void ns_in_flight(int i) {
  in_child(ns_fd_flies, NULL);
}

/* Listening sockets of a network namespace that ends. */
static void net_busy(void *arg) {
  unshare(CLONE_NEWNET);
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  strcpy(un.sun_path + 1, "name");
  int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(s, (void *)&un, 7);
  listen(s, 4);
  connect(c, (void *)&un, 7);
  socket(AF_INET, SOCK_STREAM, 0);
  socket(AF_NETLINK, SOCK_RAW, 0);
  socket(AF_PACKET, SOCK_RAW, 0x300);
}
static void net_namespace(int i) {
  in_child(net_busy, NULL);
}

static void tmpfs_mount(int i) {
  mkdir("m", 0777);
  mount("none", "m", "tmpfs", 0, "size=1m");
  close(open("m/file", O_RDWR | O_CREAT, 0666));
  mkdir("m/dir", 0777);
  symlink("x", "m/link");
  umount2("m", i & 1 ? MNT_DETACH : 0);
}
static void kinds_of_mounts(int i) {
  static const char *const kinds[] = {"proc", "sysfs", "devpts", "mqueue", "ramfs", "cgroup2", "tmpfs", "devtmpfs"};
  mkdir("m", 0777);
  mount("none", "m", kinds[i % 8], 0, NULL);
  struct stat st;
  stat("m/1/status", &st);
  stat("m/x", &st);
  umount2("m", MNT_DETACH);
}
static void bind_mount(int i) {
  mkdir("m", 0777);
  mkdir("n", 0777);
  mount("n", "m", NULL, MS_BIND, NULL);
  mount(NULL, "m", NULL, MS_SHARED, NULL);
  mount("m", "n", NULL, MS_BIND | MS_REC, NULL);
  mount(NULL, "n", NULL, MS_SLAVE, NULL);
  umount2("n", MNT_DETACH);
  umount2("m", MNT_DETACH);
}
static void overlay_mount(int i) {
  mkdir("m", 0777);
  mkdir("o", 0777);
  mount("none", "o", "tmpfs", 0, NULL);
  mkdir("o/l", 0777);
  mkdir("o/u", 0777);
  mkdir("o/w", 0777);
  close(open("o/l/f", O_WRONLY | O_CREAT, 0666));
  mount("none", "m", "overlay", 0, "lowerdir=o/l,upperdir=o/u,workdir=o/w");
  int fd = open("m/f", O_WRONLY);
  (void)!write(fd, "x", 1);
  close(fd);
  unlink("m/f");
  umount2("m", MNT_DETACH);
  umount2("o", MNT_DETACH);
}
static void mount_api(int i) {
  int fs = (int)syscall(430, "tmpfs", 0); /* fsopen */
  syscall(431, fs, 1, "size", "1m", 0);   /* fsconfig */
  syscall(431, fs, 6, NULL, NULL, 0);
  int m = (int)syscall(432, fs, 0, 0); /* fsmount */
  close(fs);
  mkdir("m", 0777);
  if (i & 1) {
    syscall(429, m, "", AT_FDCWD, "m", 4); /* move_mount */
    umount2("m", MNT_DETACH);
  }
  close(m);
  int t = (int)syscall(428, AT_FDCWD, "/tmp", 1 | 0x8000); /* open_tree, a clone */
  close(t);
}
static void mounts_left(void *arg) {
  unshare(CLONE_NEWNS);
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mkdir("m", 0777);
  mount("none", "m", "tmpfs", 0, NULL);
  mkdir("m/a", 0777);
  mount("m", "m/a", NULL, MS_BIND, NULL);
  mount("proc", "m/a", "proc", 0, NULL);
  close(open("m/f", O_RDWR | O_CREAT, 0666));
}
static void mounts_at_exit(int i) {
  in_child(mounts_left, NULL);
}
static void chrooted(void *arg) {
  unshare(CLONE_NEWNS);
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mkdir("m", 0777);
  mount("none", "m", "tmpfs", 0, NULL);
  if (chdir("m"))
    return;
  if (arg) {
    syscall(SYS_pivot_root, ".", ".");
    umount2(".", MNT_DETACH);
  } else {
    (void)!chroot(".");
  }
}
static void chroots(int i) {
  in_child(chrooted, i & 1 ? "" : NULL);
}
static void many_in_one(void *arg) {
  unshare(CLONE_NEWUSER);
  for (int k = 0; k < 4; k++)
    unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUSER);
}
static void users_nested(int i) {
  in_child(many_in_one, NULL);
}

const struct scene ns_scenes[] = {
    {"unshare", unshare_each, 4},
    {"unshare-all", unshare_all, 6},
    {"unshare-here", unshare_here, 1},
    {"user-maps", user_maps, 10},
    {"user-nested", users_nested, 8},
    {"pid-namespace", pid_namespace, 16},
    {"pid-nested", pid_nested, 16},
    {"setns", setns_scene, 8},
    {"ns-in-flight", ns_in_flight, 6},
    {"net-namespace", net_namespace, 8},
    {"mount-tmpfs", tmpfs_mount, 3},
    {"mount-kinds", kinds_of_mounts, 3},
    {"mount-bind", bind_mount, 3},
    {"mount-overlay", overlay_mount, 8},
    {"mount-api", mount_api, 4},
    {"mounts-at-exit", mounts_at_exit, 8},
    {"chroot", chroots, 8},
    {NULL, NULL, 0},
};
