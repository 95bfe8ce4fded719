/* A sysfs of what programs ask about the machine: CPUs, the one memory node, huge pages, network interfaces. */
#include "../../core/errno.h"
#include "sys.h"
#include "../mount.h"
#include "../net_files.h"
#include "../proc/proc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSFS_MAGIC 0x62656572
#define FILE_MODE S_IFREG | 0444
#define DIR_MODE S_IFDIR | 0755
#define TEXT(n, t)                                                                                                     \
  { .name = n, .mode = FILE_MODE, .text = t "\n" }
#define SHOW(n, f)                                                                                                     \
  { .name = n, .mode = FILE_MODE, .show = f }
#define DIR(n, t)                                                                                                      \
  { .name = n, .mode = DIR_MODE, .children = t }

static const struct synth_ent empty[] = {{0}};

/* ---- CPUs ---- */
static int cpu_range(struct inode *i, struct sbuf *b) {
  int n = synth_kernel(i)->ncpus;
  sb_printf(b, "%s%d\n", n > 1 ? "0-" : "", n - 1);
  return 0;
}

static int cpu_mask(struct inode *i, struct sbuf *b) {
  int n = synth_kernel(i)->ncpus;
  for (int w = (n - 1) / 32; w >= 0; w--) {
    int bits = n - w * 32 < 32 ? n - w * 32 : 32;
    uint32_t v = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
    sb_printf(b, "%08x%s", v, w ? "," : "\n");
  }
  return 0;
}

static int own_number(struct inode *i, struct sbuf *b) {
  sb_printf(b, "%llu\n", (unsigned long long)synth_num(i));
  return 0;
}

static int own_mask(struct inode *i, struct sbuf *b) {
  int n = synth_kernel(i)->ncpus, cpu = (int)synth_num(i);
  for (int w = (n - 1) / 32; w >= 0; w--)
    sb_printf(b, "%08x%s", cpu / 32 == w ? 1u << cpu % 32 : 0u, w ? "," : "\n");
  return 0;
}

static const struct synth_ent topology_entries[] = {
    SHOW("core_cpus", own_mask),       SHOW("core_cpus_list", own_number),       SHOW("core_id", own_number),
    SHOW("core_siblings", cpu_mask),   SHOW("core_siblings_list", cpu_range),    TEXT("die_id", "0"),
    SHOW("package_cpus", cpu_mask),    SHOW("package_cpus_list", cpu_range),     TEXT("physical_package_id", "0"),
    SHOW("thread_siblings", own_mask), SHOW("thread_siblings_list", own_number), {0},
};
static const struct synth_ent cpu_n_entries[] = {DIR("topology", topology_entries), TEXT("online", "1"), {0}};
static const struct synth_ent cpu_n = {.mode = DIR_MODE, .children = cpu_n_entries};

static int cpu_lookup(struct inode *dir, const char *name, struct synth_child *c) {
  char back[32];
  unsigned n;
  if (sscanf(name, "cpu%u", &n) != 1 || n >= (unsigned)synth_kernel(dir)->ncpus)
    return -ENOENT;
  snprintf(back, sizeof back, "cpu%u", n);
  if (strcmp(back, name))
    return -ENOENT;
  c->ent = &cpu_n;
  c->n = n;
  return 0;
}

static int cpu_next(struct inode *dir, uint64_t key, struct synth_child *c) {
  if (key >= (uint64_t)synth_kernel(dir)->ncpus)
    return 0;
  snprintf(c->name, sizeof c->name, "cpu%u", (unsigned)key);
  c->ent = &cpu_n;
  c->key = key;
  return 1;
}

static const struct synth_ent smt_entries[] = {TEXT("active", "0"), TEXT("control", "notsupported"), {0}};
static const struct synth_ent cpu_entries[] = {
    TEXT("isolated", ""),        TEXT("kernel_max", "8191"), TEXT("offline", ""),     SHOW("online", cpu_range),
    SHOW("possible", cpu_range), SHOW("present", cpu_range), DIR("smt", smt_entries), {0},
};

/* ---- the memory node ---- */
static int node_meminfo(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  uint64_t total = (k->mem_limit && k->mem_limit < k->mem_total ? k->mem_limit : k->mem_total) / 1024;
  uint64_t used = proc_mem_used(k) / 1024;
  if (used > total)
    used = total;
  sb_printf(b, "Node 0 MemTotal:       %8llu kB\nNode 0 MemFree:        %8llu kB\nNode 0 MemUsed:        %8llu kB\n",
            (unsigned long long)total, (unsigned long long)(total - used), (unsigned long long)used);
  return 0;
}
static const struct synth_ent node0_entries[] = {
    SHOW("cpulist", cpu_range), SHOW("cpumap", cpu_mask), TEXT("distance", "10"), SHOW("meminfo", node_meminfo), {0}};
static const struct synth_ent node_entries[] = {TEXT("has_cpu", "0"),
                                                TEXT("has_memory", "0"),
                                                TEXT("has_normal_memory", "0"),
                                                DIR("node0", node0_entries),
                                                TEXT("online", "0"),
                                                TEXT("possible", "0"),
                                                {0}};

static const struct synth_ent system_entries[] = {
    {.name = "cpu", .mode = DIR_MODE, .children = cpu_entries, .lookup = cpu_lookup, .next = cpu_next},
    DIR("node", node_entries),
    {0},
};

static const struct synth_ent virtual_entries[] = {{.name = "net", .mode = DIR_MODE, NET_FILES_ROOT(NET_TREE_CLASS)},
                                                   {0}};
static const struct synth_ent class_entries[] = {DIR("block", empty),
                                                 DIR("mem", empty),
                                                 DIR("misc", empty),
                                                 {.name = "net",
                                                  .mode = DIR_MODE,
                                                  .lookup = sys_net_class_lookup,
                                                  .next = sys_net_class_next,
                                                  .arg = NET_TREE_CLASS},
                                                 DIR("power_supply", empty),
                                                 DIR("thermal", empty),
                                                 DIR("tty", empty),
                                                 {0}};

/* ---- the kernel ---- */
static const struct synth_ent thp_entries[] = {TEXT("defrag", "always defer defer+madvise [madvise] never"),
                                               TEXT("enabled", "always [madvise] never"),
                                               TEXT("hpage_pmd_size", "2097152"),
                                               TEXT("shmem_enabled", "always within_size advise [never] deny force"),
                                               TEXT("use_zero_page", "1"),
                                               {0}};
static const struct synth_ent huge_2m_entries[] = {TEXT("free_hugepages", "0"),
                                                   TEXT("nr_hugepages", "0"),
                                                   TEXT("resv_hugepages", "0"),
                                                   TEXT("surplus_hugepages", "0"),
                                                   {0}};
static const struct synth_ent huge_entries[] = {DIR("hugepages-2048kB", huge_2m_entries), {0}};
static const struct synth_ent mm_entries[] = {
    DIR("hugepages", huge_entries), DIR("transparent_hugepage", thp_entries), {0}};
static const struct synth_ent kernel_entries[] = {
    DIR("debug", empty), DIR("mm", mm_entries), DIR("security", empty), DIR("tracing", empty), {0}};

static const struct synth_ent fs_entries[] = {DIR("cgroup", empty), {0}};
static const struct synth_ent devices_entries[] = {DIR("system", system_entries), DIR("virtual", virtual_entries), {0}};
static const struct synth_ent bus_entries[] = {DIR("cpu", empty), DIR("node", empty), DIR("pci", empty), {0}};
static const struct synth_ent dev_entries[] = {DIR("block", empty), DIR("char", empty), {0}};
static const struct synth_ent root_entries[] = {DIR("block", empty),
                                                DIR("bus", bus_entries),
                                                DIR("class", class_entries),
                                                DIR("dev", dev_entries),
                                                DIR("devices", devices_entries),
                                                DIR("firmware", empty),
                                                DIR("fs", fs_entries),
                                                DIR("kernel", kernel_entries),
                                                DIR("module", empty),
                                                DIR("power", empty),
                                                {0}};
static const struct synth_ent root = {.mode = S_IFDIR | 0555, .children = root_entries};

static void sysfs_kill(struct synth_super *s) {
  ns_put(s->priv);
}

/* Interfaces are those of the network namespace that mounts it: sysfs(5). */
int sysfs_mount(struct kernel *k, struct super **out) {
  struct task *t = task_current();
  struct net_namespace *ns = (t && t->nsproxy ? t->nsproxy : k->init_nsproxy)->net;
  struct synth_super tmpl = {.kill = sysfs_kill, .priv = ns};
  *out = super_find(k->vfs, "sysfs", ns);
  if (*out)
    return 0;
  ns_get(&ns->ns);
  int r = synth_mount(k, "sysfs", SYSFS_MAGIC, &root, &tmpl, out);
  if (r)
    ns_put(&ns->ns);
  else
    (*out)->key = ns;
  return r;
}
