/* /proc/cpuinfo, from what the processor says of itself: guests run on it directly. */
#include "proc.h"
#include <cpuid.h>
#include <string.h>

struct leaf {
  unsigned eax, ebx, ecx, edx;
};

static struct leaf cpuid(unsigned leaf, unsigned sub) {
  struct leaf l = {0};
  if (leaf <= __get_cpuid_max(leaf & 0x80000000u, NULL))
    __cpuid_count(leaf, sub, l.eax, l.ebx, l.ecx, l.edx);
  return l;
}

/* Names by bit, "" where Linux shows none; arch/x86/include/asm/cpufeatures.h lists them. */
static const char *const f1_edx[32] = {"fpu",  "vme",   "de",   "pse",     "tsc",  "msr", "pae",  "mce",
                                       "cx8",  "apic",  "",     "sep",     "mtrr", "pge", "mca",  "cmov",
                                       "pat",  "pse36", "pn",   "clflush", "",     "dts", "acpi", "mmx",
                                       "fxsr", "sse",   "sse2", "ss",      "ht",   "tm",  "ia64", "pbe"};
static const char *const f1_ecx[32] = {"pni",    "pclmulqdq", "dtes64", "monitor", "ds_cpl",
                                       "vmx",    "smx",       "est",    "tm2",     "ssse3",
                                       "cid",    "sdbg",      "fma",    "cx16",    "xtpr",
                                       "pdcm",   "",          "pcid",   "dca",     "sse4_1",
                                       "sse4_2", "x2apic",    "movbe",  "popcnt",  "tsc_deadline_timer",
                                       "aes",    "xsave",     "",       "avx",     "f16c",
                                       "rdrand", "hypervisor"};
static const char *const e1_edx[32] = {
    [11] = "syscall", [20] = "nx", [22] = "mmxext",   [25] = "fxsr_opt", [26] = "pdpe1gb",
    [27] = "rdtscp",  [29] = "lm", [30] = "3dnowext", [31] = "3dnow"};
static const char *const e1_ecx[32] = {"lahf_lm",
                                       "cmp_legacy",
                                       "svm",
                                       "extapic",
                                       "cr8_legacy",
                                       "abm",
                                       "sse4a",
                                       "misalignsse",
                                       "3dnowprefetch",
                                       "osvw",
                                       "ibs",
                                       "xop",
                                       "skinit",
                                       "wdt",
                                       "",
                                       "lwp",
                                       "fma4",
                                       "tce",
                                       "",
                                       "nodeid_msr",
                                       "",
                                       "tbm",
                                       "topoext",
                                       "perfctr_core",
                                       "perfctr_nb",
                                       "",
                                       "bpext",
                                       "ptsc",
                                       "perfctr_llc",
                                       "mwaitx"};
static const char *const f7_ebx[32] = {
    "fsgsbase", "tsc_adjust", "sgx",      "bmi1",     "hle",      "avx2",       "",         "smep",
    "bmi2",     "erms",       "invpcid",  "rtm",      "cqm",      "",           "mpx",      "rdt_a",
    "avx512f",  "avx512dq",   "rdseed",   "adx",      "smap",     "avx512ifma", "",         "clflushopt",
    "clwb",     "intel_pt",   "avx512pf", "avx512er", "avx512cd", "sha_ni",     "avx512bw", "avx512vl"};
static const char *const f7_ecx[32] = {"",
                                       "avx512vbmi",
                                       "umip",
                                       "pku",
                                       "ospke",
                                       "waitpkg",
                                       "avx512_vbmi2",
                                       "",
                                       "gfni",
                                       "vaes",
                                       "vpclmulqdq",
                                       "avx512_vnni",
                                       "avx512_bitalg",
                                       "tme",
                                       "avx512_vpopcntdq",
                                       "",
                                       "la57",
                                       "",
                                       "",
                                       "",
                                       "",
                                       "",
                                       "rdpid",
                                       "",
                                       "bus_lock_detect",
                                       "cldemote",
                                       "",
                                       "movdiri",
                                       "movdir64b",
                                       "enqcmd"};
static const char *const f7_edx[32] = {
    [4] = "fsrm",      [8] = "avx512_vp2intersect", [10] = "md_clear",         [14] = "serialize",   [16] = "tsxldtrk",
    [18] = "pconfig",  [19] = "arch_lbr",           [22] = "amx_bf16",         [23] = "avx512_fp16", [24] = "amx_tile",
    [25] = "amx_int8", [28] = "flush_l1d",          [29] = "arch_capabilities"};
static const char *const d1_eax[32] = {"xsaveopt", "xsavec", "xgetbv1", "xsaves"};

static void show_bits(struct sbuf *b, unsigned bits, const char *const names[32]) {
  for (int i = 0; i < 32; i++)
    if ((bits >> i & 1) && names[i] && *names[i])
      sb_printf(b, " %s", names[i]);
}

static void show_flags(struct sbuf *b) {
  struct leaf f1 = cpuid(1, 0), f7 = cpuid(7, 0), e1 = cpuid(0x80000001u, 0), d1 = cpuid(0xd, 1);
  sb_puts(b, "flags\t\t:");
  show_bits(b, f1.edx, f1_edx);
  show_bits(b, e1.edx, e1_edx);
  sb_puts(b, " constant_tsc rep_good nopl nonstop_tsc cpuid");
  show_bits(b, f1.ecx, f1_ecx);
  show_bits(b, e1.ecx, e1_ecx);
  show_bits(b, f7.ebx, f7_ebx);
  show_bits(b, d1.eax, d1_eax);
  show_bits(b, f7.ecx, f7_ecx);
  show_bits(b, f7.edx, f7_edx);
  sb_puts(b, "\n");
}

struct model {
  char vendor[13], brand[49];
  unsigned family, model, stepping, level, clflush, phys_bits, virt_bits, mhz;
};

static struct model identify(void) {
  struct model m = {0};
  struct leaf l0 = cpuid(0, 0), l1 = cpuid(1, 0), l16 = cpuid(0x16, 0), l8 = cpuid(0x80000008u, 0);
  memcpy(m.vendor, &l0.ebx, 4);
  memcpy(m.vendor + 4, &l0.edx, 4);
  memcpy(m.vendor + 8, &l0.ecx, 4);
  for (unsigned i = 0; i < 3; i++) {
    struct leaf l = cpuid(0x80000002u + i, 0);
    memcpy(m.brand + i * 16, &l, 16);
  }
  m.level = l0.eax;
  m.stepping = l1.eax & 15;
  m.model = l1.eax >> 4 & 15;
  m.family = l1.eax >> 8 & 15;
  if (m.family == 6 || m.family == 15)
    m.model |= (l1.eax >> 16 & 15) << 4;
  if (m.family == 15)
    m.family += l1.eax >> 20 & 255;
  m.clflush = (l1.ebx >> 8 & 255) * 8;
  m.phys_bits = l8.eax & 255;
  m.virt_bits = l8.eax >> 8 & 255;
  m.mhz = l16.eax & 0xffff;
  return m;
}

int proc_cpuinfo_show(struct inode *i, struct sbuf *b) {
  struct kernel *k = synth_kernel(i);
  struct model m = identify();
  const char *brand = m.brand;
  while (*brand == ' ')
    brand++;
  for (int c = 0; c < k->ncpus; c++) {
    sb_printf(b, "processor\t: %d\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n", c, m.vendor,
              m.family, m.model, *brand ? brand : "unknown");
    sb_printf(b, "stepping\t: %u\ncpu MHz\t\t: %u.000\n", m.stepping, m.mhz ? m.mhz : 2000);
    sb_printf(b, "physical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\napicid\t\t: %d\n", k->ncpus, c,
              k->ncpus, c);
    sb_printf(b, "initial apicid\t: %d\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\n", c,
              m.level);
    show_flags(b);
    sb_printf(b, "bugs\t\t:\nbogomips\t: %u.00\nclflush size\t: %u\ncache_alignment\t: %u\n",
              2 * (m.mhz ? m.mhz : 2000), m.clflush, m.clflush);
    sb_printf(b, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n", m.phys_bits, m.virt_bits);
  }
  return 0;
}
