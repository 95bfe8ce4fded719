/* name_to_handle_at(2), open_by_handle_at(2), listmount(2), statmount(2) in a mount namespace of one's own. */
#include "guest.h"
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>

static void res(const char *what, long r) {
  say("%s: %s", what, r < 0 ? ename(errno) : "ok");
}

union fh {
  struct file_handle h;
  char room[sizeof(struct file_handle) + 256];
};

static long handle_of(int dir, const char *path, union fh *u, int *id, int flags) {
  memset(u, 0, sizeof *u);
  u->h.handle_bytes = MAX_HANDLE_SZ;
  return name_to_handle_at(dir, path, &u->h, id, flags);
}

static void handles(void) {
  union fh a, b, d;
  int id, id2;
  char buf[32] = "";
  mkdir("t", 0755);
  res("mount", mount("none", "t", "tmpfs", 0, "mode=755"));
  mkdir("t/d", 0755), mkdir("t/d/e", 0755);
  int fd = open("t/d/e/file", O_CREAT | O_RDWR, 0644);
  write(fd, "hello", 5);
  link("t/d/e/file", "t/other");
  symlink("d/e/file", "t/link");
  memset(&a, 0, sizeof a);
  res("no room", name_to_handle_at(AT_FDCWD, "t/link", &a.h, &id, AT_SYMLINK_FOLLOW));
  say("%u", a.h.handle_bytes);
  a.h.handle_bytes = MAX_HANDLE_SZ + 1;
  res("too much room", name_to_handle_at(AT_FDCWD, "t/link", &a.h, &id, 0));
  res("flags", name_to_handle_at(AT_FDCWD, "t/link", &a.h, &id, 0x8000));
  res("file", handle_of(AT_FDCWD, "t/d/e/file", &a, &id, 0));
  say("%u bytes, type %d", a.h.handle_bytes, a.h.handle_type);
  res("followed", handle_of(AT_FDCWD, "t/link", &b, &id2, AT_SYMLINK_FOLLOW));
  say("same %d, mount %d", !memcmp(&a, &b, sizeof a), id == id2);
  res("descriptor", handle_of(fd, "", &b, &id2, AT_EMPTY_PATH));
  say("same %d", !memcmp(&a, &b, sizeof a));
  res("link itself", handle_of(AT_FDCWD, "t/link", &b, &id2, 0));
  say("same %d", !memcmp(&a, &b, sizeof a));
  res("missing", handle_of(AT_FDCWD, "t/none", &b, &id2, 0));
  res("proc", handle_of(AT_FDCWD, "/proc/self/status", &b, &id2, 0));
  res("proc, to compare", handle_of(AT_FDCWD, "/proc/self", &b, &id2, 0x200));
  res("directory", handle_of(AT_FDCWD, "t/d", &d, &id2, 0));

  int m = open("t", O_RDONLY | O_DIRECTORY);
  int h = open_by_handle_at(m, &a.h, O_RDONLY);
  res("open", h);
  read(h, buf, sizeof buf);
  say("%s", buf);
  close(h);
  h = open_by_handle_at(m, &d.h, O_RDONLY | O_DIRECTORY);
  res("open directory", h);
  say("%d", faccessat(h, "e/file", F_OK, 0));
  close(h);
  res("not a directory", open_by_handle_at(m, &a.h, O_RDONLY | O_DIRECTORY));
  res("O_PATH", h = open_by_handle_at(m, &a.h, O_PATH));
  close(h);
  rename("t/d/e", "t/moved");
  h = open_by_handle_at(m, &a.h, O_WRONLY | O_TRUNC);
  res("renamed", h);
  close(h);
  struct stat st;
  stat("t/other", &st);
  say("size %d", (int)st.st_size);
  b = a;
  b.h.handle_type = 77;
  res("type", h = open_by_handle_at(m, &b.h, O_RDONLY));
  close(h);
  b = a;
  b.h.handle_bytes = 0;
  res("empty", open_by_handle_at(m, &b.h, O_RDONLY));
  b.h.handle_bytes = 4;
  res("short", open_by_handle_at(m, &b.h, O_RDONLY));
  res("descriptor", open_by_handle_at(-1, &a.h, O_RDONLY));
  res("handle", open_by_handle_at(m, (void *)8, O_RDONLY));
  unlink("t/moved/file"), unlink("t/other");
  close(fd);
  res("gone", open_by_handle_at(m, &a.h, O_RDONLY));
  CHILD("unprivileged") {
    setuid(65534);
    res("no right", open_by_handle_at(m, &d.h, O_RDONLY));
    res("but a handle", handle_of(AT_FDCWD, "t/d", &d, &id2, 0));
  }
  close(m);
}

struct req {
  uint32_t size, spare;
  uint64_t id, param;
};
struct smount {
  uint32_t size, opts;
  uint64_t mask;
  uint32_t major, minor;
  uint64_t magic;
  uint32_t sb_flags, fs_type;
  uint64_t id, parent, id_old, attr, propagation, peer_group, master, from;
  uint32_t root, point;
  uint64_t rest[50];
  char str[4096];
};

static uint64_t unique_id(const char *path) {
  struct {
    uint32_t mask, pad[35];
    uint64_t id;
    uint64_t rest[13];
  } x;
  syscall(SYS_statx, AT_FDCWD, path, 0, 0x4000, &x);
  return x.id;
}

static int has(const uint64_t *ids, long n, uint64_t id) {
  int found = 0;
  for (long i = 0; i < n; i++)
    found += ids[i] == id;
  return found;
}

static void mounts(void) {
  uint64_t ids[4096], root = unique_id("/"), t = unique_id("t");
  struct smount s = {0};
  struct req q = {24, 0, UINT64_MAX, 0};
  mkdir("t/sub", 0755), mkdir("u", 0755);
  mount("src", "t/sub", "tmpfs", MS_NOSUID | MS_NOATIME, "mode=700");
  mount("t/d", "u", NULL, MS_BIND, NULL);
  mount(NULL, "u", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
  mount(NULL, "u", NULL, MS_SHARED, NULL);
  long n = syscall(458, &q, ids, 4096, 0);
  say("root %d, t %d", has(ids, n, root), has(ids, n, t));
  int sorted = 1;
  for (long i = 1; i < n; i++)
    sorted &= ids[i - 1] < ids[i];
  say("sorted %d", sorted);
  uint64_t back[4096];
  long m = syscall(458, &q, back, 4096, 1);
  say("reverse %d", m == n && back[0] == ids[n - 1] && back[n - 1] == ids[0]);
  q.param = ids[0];
  say("after %d", syscall(458, &q, back, 1, 0) == 1 && back[0] == ids[1]);
  q = (struct req){24, 0, t, 0};
  n = syscall(458, &q, ids, 4096, 0);
  say("below t: %ld, sub %d", n, has(ids, n, unique_id("t/sub")));
  q.id = 5;
  res("old id", syscall(458, &q, ids, 1, 0));
  q.id = t, q.param = 5;
  res("old last id", syscall(458, &q, ids, 1, 0));
  q.id = UINT64_MAX - 1, q.param = 0;
  res("unknown", syscall(458, &q, ids, 1, 0));
  q.size = 8;
  res("size", syscall(458, &q, ids, 1, 0));
  q.size = 5000;
  res("large", syscall(458, &q, ids, 1, 0));
  q.size = 24;
  res("flags", syscall(458, &q, ids, 1, 2));

  q.id = unique_id("t/sub"), q.param = 0x3f;
  res("statmount", syscall(457, &q, &s, sizeof s, 0));
  char cwd[PATH_MAX], want[PATH_MAX * 2];
  getcwd(cwd, sizeof cwd);
  snprintf(want, sizeof want, "%s/t/sub", cwd);
  say("%s root %s at %d, attr %llx propagation %llx magic %llx", s.str + s.fs_type, s.str + s.root,
      !strcmp(s.str + s.point, want), (long long)s.attr, (long long)s.propagation, (long long)s.magic);
  say("parent %d self %d mask %llx", s.parent == t, s.id == q.id, (long long)s.mask);
  q.id = unique_id("u");
  syscall(457, &q, &s, sizeof s, 0);
  say("%s root %s, attr %llx propagation %llx peers %d flags %x", s.str + s.fs_type, s.str + s.root, (long long)s.attr,
      (long long)s.propagation, s.peer_group != 0, s.sb_flags);
  res("no room", syscall(457, &q, &s, 520, 0));
  q.param = 2;
  res("only numbers", syscall(457, &q, &s, 512, 0));
  say("mask %llx size %u", (long long)s.mask, s.size);
  q.param = 0;
  res("nothing", syscall(457, &q, &s, 512, 0));
  res("flags", syscall(457, &q, &s, 512, 1));
  res("result", syscall(457, &q, NULL, 512, 0));
  q.id = UINT64_MAX - 1;
  res("unknown", syscall(457, &q, &s, 512, 0));
}

int main(void) {
  MUST(unshare(CLONE_NEWNS));
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  handles();
  mounts();
  umount2("u", MNT_DETACH), umount2("t/sub", MNT_DETACH), umount2("t", MNT_DETACH);
  return 0;
}
