/* procfs over a kernel with one process and a made-up address space: every file can be read, formats are those of
 * Linux. */
#include "../../core/area.h"
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "../../core/kernel.h"
#include "../../fs/vfs.h"
#include "../../net/stack.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

static struct kernel *k;
static struct task *me;
static struct path root;

static ssize_t slurp(const char *name, char *buf, size_t cap) {
  struct path p;
  struct file *f;
  int r = vfs_lookup_kernel(&root, name, LOOKUP_FOLLOW, &p);
  if (r)
    return r;
  r = vfs_open_kernel(&p, O_RDONLY, &f);
  path_put(&p);
  if (r)
    return r;
  size_t total = 0;
  ssize_t n = 0;
  while (total < cap - 1) {
    struct uio u;
    struct iovec v;
    uio_kernel(&u, &v, buf + total, cap - 1 - total < 1000 ? cap - 1 - total : 1000);
    n = file_read(f, &u, NULL);
    if (n <= 0)
      break;
    total += (size_t)n;
  }
  file_put(f);
  buf[total] = 0;
  return n < 0 ? n : (ssize_t)total;
}

static void host(const char *name, char *buf, size_t cap) {
  FILE *f = fopen(name, "r");
  ck_assert_ptr_nonnull(f);
  buf[fread(buf, 1, cap - 1, f)] = 0;
  fclose(f);
}

static int count_fields(const char *s) {
  char *copy = strdup(s), *save = NULL;
  int n = 0;
  for (char *w = strtok_r(copy, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
    n++;
  free(copy);
  return n;
}

static char ours[1 << 16], theirs[1 << 16];

static void same_field_count(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s", name);
  ck_assert_msg(slurp(name, ours, sizeof ours) > 0, "%s", name);
  host(path, theirs, sizeof theirs);
  ck_assert_msg(count_fields(ours) == count_fields(theirs), "%s: %s against %s", name, ours, theirs);
}

/* Every "Key:" in `keys` starts a line of the text. */
static void has_keys(const char *text, const char *keys) {
  char *copy = strdup(keys), *save = NULL, line[64];
  for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
    snprintf(line, sizeof line, "\n%s:", w);
    ck_assert_msg(!strncmp(text, line + 1, strlen(line) - 1) || strstr(text, line), "no %s in\n%s", w, text);
  }
  free(copy);
}

static void body_formats(void) {
  same_field_count("self/stat");
  same_field_count("thread-self/stat");
  same_field_count("self/statm");
  same_field_count("self/schedstat");
  same_field_count("uptime");
  same_field_count("loadavg");
  same_field_count("self/limits");
  int pid, ppid;
  char comm[32], state;
  ck_assert_int_gt(slurp("self/stat", ours, sizeof ours), 0);
  ck_assert_int_eq(sscanf(ours, "%d (%31[^)]) %c %d", &pid, comm, &state, &ppid), 4);
  ck_assert_int_eq(pid, me->proc->pid->nr);
  ck_assert_str_eq(comm, "test");
  slurp("self/status", ours, sizeof ours);
  has_keys(ours, "Name Umask State Tgid Ngid Pid PPid TracerPid Uid Gid FDSize Groups NStgid NSpid VmPeak VmSize VmRSS "
                 "VmData VmStk VmExe VmSwap Threads SigQ SigPnd ShdPnd SigBlk SigIgn SigCgt CapInh CapPrm CapEff "
                 "CapBnd CapAmb NoNewPrivs Seccomp Cpus_allowed Cpus_allowed_list voluntary_ctxt_switches");
  slurp("meminfo", ours, sizeof ours);
  has_keys(ours, "MemTotal MemFree MemAvailable Buffers Cached SwapTotal SwapFree Shmem Slab SReclaimable");
  unsigned long total = 0;
  ck_assert_int_eq(sscanf(ours, "MemTotal: %lu kB", &total), 1);
  ck_assert_uint_eq(total, k->mem_total / 1024);
  slurp("stat", ours, sizeof ours);
  ck_assert(!strncmp(ours, "cpu  ", 5));
  ck_assert_ptr_nonnull(strstr(ours, "\nbtime "));
  slurp("cpuinfo", ours, sizeof ours);
  ck_assert(!strncmp(ours, "processor\t: 0\n", 14));
  ck_assert_ptr_nonnull(strstr(ours, " sse2 "));
  slurp("filesystems", ours, sizeof ours);
  ck_assert_ptr_nonnull(strstr(ours, "nodev\tproc\n"));
}

static void body_maps(void) {
  slurp("self/maps", ours, sizeof ours);
  char *line = strtok(ours, "\n");
  ck_assert_str_eq(line, "00400000-00402000 r-xp 00000000 00:00 0 ");
  line = strtok(NULL, "\n");
  ck_assert(!strncmp(line, "7ffffff00000-7ffffff21000 rw-p 00000000 00:00 0 ", 47));
  ck_assert_str_eq(line + 73, "[stack]");
  ck_assert_ptr_null(strtok(NULL, "\n"));
  slurp("self/statm", ours, sizeof ours);
  ck_assert_int_eq(atoi(ours), 35);
  slurp("self/smaps", ours, sizeof ours);
  has_keys(ours, "Size Rss Pss Private_Dirty Swap VmFlags");
}

static void body_mounts(void) {
  char want[64];
  ck_assert_int_gt(slurp("mounts", ours, sizeof ours), 0);
  ck_assert_str_eq(ours, "proc / proc rw,nosuid 0 0\n");
  slurp("self/mountinfo", ours, sizeof ours);
  snprintf(want, sizeof want, " / / rw,nosuid - proc proc rw\n");
  ck_assert_msg(strstr(ours, want) != NULL, "%s", ours);
}

static int files, dirs;
struct names {
  struct dir_ctx d;
  int n;
  char name[400][64];
  unsigned char type[400];
};
static bool take(struct dir_ctx *d, const char *name, size_t len, int64_t next, uint64_t ino, unsigned char type) {
  struct names *l = (struct names *)d;
  if (strcmp(name, ".") && strcmp(name, "..")) {
    ck_assert_int_lt(l->n, 400);
    snprintf(l->name[l->n], 64, "%s", name);
    l->type[l->n++] = type;
  }
  return true;
}

/* Read everything there is. What may fail: what is for nobody, or has no object behind it in this test. */
static void walk(const char *dir) {
  struct names *l = calloc(1, sizeof *l);
  struct path p;
  struct file *f;
  l->d.emit = take;
  dirs++;
  ck_assert_msg(vfs_lookup_kernel(&root, dir, 0, &p) == 0, "%s", dir);
  ck_assert_int_eq(vfs_open_kernel(&p, O_RDONLY | O_DIRECTORY, &f), 0);
  path_put(&p);
  ck_assert_int_eq(f->ops->iterate(f, &l->d), 0);
  file_put(f);
  for (int i = 0; i < l->n; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, l->name[i]);
    if (l->type[i] == DT_DIR) {
      walk(path);
    } else if (l->type[i] == DT_REG && !strstr(path, "/mem")) {
      ssize_t n = slurp(path, ours, sizeof ours);
      files++;
      bool may_fail = strstr(path, "/stack") || strstr(path, "/clear_refs") || strstr(path, "route/flush") ||
                      strstr(path, "/speed") || strstr(path, "/duplex"); /* lo has neither */
      ck_assert_msg(n >= 0 || may_fail, "%s: %zd", path, n);
      ck_assert_msg(n <= 0 || ours[n - 1] == '\n' || strstr(path, "wchan") || strstr(path, "children") ||
                        strstr(path, "auxv"),
                    "%s: %s", path, ours);
    }
  }
  free(l);
}

static void body_everything(void) {
  walk("");
  ck_assert_int_gt(files, 200);
  ck_assert_int_gt(dirs, 20);
}

static void body_sys(void) {
  walk("");
  ck_assert_int_gt(files, 50);
  ck_assert_int_gt(slurp("devices/system/cpu/online", ours, sizeof ours), 0);
  host("/sys/devices/system/cpu/online", theirs, sizeof theirs);
  ck_assert_str_eq(ours, theirs);
  ck_assert_int_gt(slurp("class/net/lo/mtu", ours, sizeof ours), 0);
  ck_assert_str_eq(ours, "65536\n");
  ck_assert_int_eq(slurp("class/net/lo/statistics/rx_bytes", ours, sizeof ours), 2);
}

static void body_cgroup(void) {
  walk("");
  slurp("memory.max", ours, sizeof ours);
  ck_assert_str_eq(ours, "max\n");
  slurp("cgroup.procs", ours, sizeof ours);
  ck_assert_str_eq(ours, "1\n");
  slurp("cpu.stat", ours, sizeof ours);
  ck_assert(!strncmp(ours, "usage_usec ", 11));
}

static void body_watch(void) {
  struct path p;
  struct file *f;
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self/mounts", LOOKUP_FOLLOW, &p), 0);
  ck_assert_int_eq(vfs_open_kernel(&p, O_RDONLY, &f), 0);
  path_put(&p);
  ck_assert_ptr_eq(f->wq, &k->vfs->mounts_wq);
  ck_assert_uint_eq(file_poll(f) & EPOLLPRI, 0);
  k->vfs->mounts_seq++;
  ck_assert_uint_ne(file_poll(f) & EPOLLPRI, 0);
  ck_assert_uint_eq(file_poll(f) & EPOLLPRI, 0);
  file_put(f);
}

static void body_links(void) {
  char b[64];
  struct path p;
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self", 0, &p), 0);
  ck_assert_int_eq(p.dentry->inode->ops->readlink(p.dentry->inode, b, sizeof b), 1);
  ck_assert_str_eq(b, "1");
  path_put(&p);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self/ns/pid", 0, &p), 0);
  p.dentry->inode->ops->readlink(p.dentry->inode, b, sizeof b);
  ck_assert_str_eq(b, "pid:[4026531836]");
  path_put(&p);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self/fd/0", 0, &p), -ENOENT);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "2", 0, &p), -ENOENT);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "01", 0, &p), -ENOENT);
  /* a descriptor comes and goes */
  struct file *f;
  ck_assert_int_eq(vfs_open_kernel(&root, O_RDONLY | O_DIRECTORY, &f), 0);
  ck_assert_int_eq(fd_install(me->files, f, 0, false), 0);
  file_put(f);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self/fd/0", 0, &p), 0);
  ck_assert_uint_eq(p.dentry->inode->mode, S_IFLNK | 0500);
  p.dentry->inode->ops->readlink(p.dentry->inode, b, sizeof b);
  ck_assert_str_eq(b, "/");
  path_put(&p);
  ck_assert_int_gt(slurp("self/fdinfo/0", ours, sizeof ours), 0);
  ck_assert_int_eq(fd_close(me->files, 0), 0);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self/fd/0", 0, &p), -ENOENT);
}

static void body_writes(void) {
  struct path p;
  struct file *f;
  struct uio u;
  struct iovec v;
  char name[] = "renamed\n", adj[] = "500", bad[] = "5000";
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self/comm", LOOKUP_FOLLOW, &p), 0);
  ck_assert_int_eq(vfs_open_kernel(&p, O_WRONLY, &f), 0);
  uio_kernel(&u, &v, name, 7);
  ck_assert_int_eq(file_write(f, &u, NULL), 7);
  ck_assert_str_eq(me->comm, "renamed");
  file_put(f);
  path_put(&p);
  ck_assert_int_eq(vfs_lookup_kernel(&root, "self/oom_score_adj", LOOKUP_FOLLOW, &p), 0);
  ck_assert_int_eq(vfs_open_kernel(&p, O_WRONLY, &f), 0);
  uio_kernel(&u, &v, adj, 3);
  ck_assert_int_eq(file_write(f, &u, NULL), 3);
  ck_assert_int_eq(me->proc->oom_score_adj, 500);
  uio_kernel(&u, &v, bad, 4);
  ck_assert_int_eq(file_write(f, &u, NULL), -EINVAL);
  file_put(f);
  path_put(&p);
}

static void add_area(struct mm *m, uint64_t start, uint64_t end, int prot, enum area_kind kind) {
  struct area *a = calloc(1, sizeof *a);
  a->start = start, a->end = end, a->prot = prot, a->flags = MAP_PRIVATE, a->kind = kind, a->host_fd = -1;
  RB_INSERT(area_tree, &m->areas, a);
}

static void on_fiber(void *body) {
  fiber_set_local(me);
  me->fiber = fiber_self();
  ((void (*)(void))(uintptr_t)body)();
}

static int mount_proc(struct kernel *kernel, struct super **sb) {
  return proc_mount(kernel, NULL, sb);
}
static int (*mount_fs)(struct kernel *, struct super **) = mount_proc;

static void run(void (*body)(void)) {
  struct super *sb;
  struct mount *m;
  k = kernel_new(loop_new());
  ck_assert_int_eq(net_boot(k), 0);
  ck_assert_int_eq(vfs_init(k), 0);
  ck_assert_int_eq(mount_fs(k, &sb), 0);
  ck_assert_int_eq(vfs_mount(k->vfs, k->vfs->init_ns, sb, NULL, MS_NOSUID, "proc", &m), 0);
  root = (struct path){m, m->root};
  ck_assert_int_eq(task_new_process(k, NULL, &me), 0);
  if (!me->cred)
    me->cred = cred_new();
  me->fs = fs_ctx_new(&root);
  me->mm = mm_new();
  strcpy(me->comm, "test");
  add_area(me->mm, 0x400000, 0x402000, PROT_READ | PROT_EXEC, AREA_ANON);
  add_area(me->mm, 0x7ffffff00000, 0x7ffffff21000, PROT_READ | PROT_WRITE, AREA_STACK);
  me->mm->total_vm = 35;
  ck_assert_int_eq(fiber_spawn(on_fiber, (void *)(uintptr_t)body), 0);
}

START_TEST(formats) {
  run(body_formats);
}
END_TEST
START_TEST(maps) {
  run(body_maps);
}
END_TEST
START_TEST(mounts) {
  run(body_mounts);
}
END_TEST
START_TEST(everything) {
  run(body_everything);
}
END_TEST
START_TEST(watch) {
  run(body_watch);
}
END_TEST
START_TEST(sys) {
  mount_fs = sysfs_mount;
  run(body_sys);
}
END_TEST
START_TEST(cgroup) {
  mount_fs = cgroup_mount;
  run(body_cgroup);
}
END_TEST
START_TEST(links) {
  run(body_links);
}
END_TEST
START_TEST(writes) {
  run(body_writes);
}
END_TEST

int main(void) {
  Suite *s = suite_create("procfs");
  TCase *t = tcase_create("procfs");
  tcase_add_test(t, formats);
  tcase_add_test(t, maps);
  tcase_add_test(t, mounts);
  tcase_add_test(t, everything);
  tcase_add_test(t, watch);
  tcase_add_test(t, sys);
  tcase_add_test(t, cgroup);
  tcase_add_test(t, links);
  tcase_add_test(t, writes);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
