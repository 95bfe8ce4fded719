/* The parsers that exec runs over a file's bytes: whatever they accept must keep the promises of core/elf.h. */
#include "../../core/elf.h"
#include <stdlib.h>
#include <string.h>

#define MAX 0x7ffffffff000ull
#define CHECK(x)                                                                                                       \
  do {                                                                                                                 \
    if (!(x))                                                                                                          \
      abort();                                                                                                         \
  } while (0)

static void check_image(const struct elf_image *e) {
  CHECK(e->nloads > 0 && e->nloads <= ELF_MAX_LOADS);
  CHECK(e->lo < e->hi && e->hi <= MAX + 4096 && !((e->lo | e->hi) & 4095));
  CHECK(e->align >= 4096 && !(e->align & (e->align - 1)));
  for (int i = 0; i < e->nloads; i++) {
    const struct elf_load *l = &e->load[i];
    CHECK(l->filesz <= l->memsz && l->memsz && l->vaddr + l->memsz > l->vaddr && l->vaddr + l->memsz <= MAX);
    CHECK(l->off + l->filesz >= l->off && l->off + l->filesz <= INT64_MAX);
    CHECK(l->vaddr >= e->lo && l->vaddr + l->memsz <= e->hi);
    CHECK(!l->filesz || l->off >= (l->vaddr & 4095));
  }
  uint64_t bias = elf_bias(e, 0x555555554000ull);
  CHECK(!(bias & 4095) && bias <= 0x555555554000ull);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct elf_image e;
  char interp[BINPRM_BUF_SIZE], arg[BINPRM_BUF_SIZE];
  if (!script_parse((const char *)data, n < BINPRM_BUF_SIZE ? n : BINPRM_BUF_SIZE, interp, arg))
    CHECK(strlen(interp) > 0 && strlen(interp) + strlen(arg) < BINPRM_BUF_SIZE);
  if (elf_parse_header(data, n, &e))
    return 0;
  CHECK(e.phnum > 0 && e.phnum <= ELF_MAX_PHDRS);
  size_t off = e.phoff < n ? e.phoff : 0; /* also when the offset leads nowhere: the parser need not know */
  if (!elf_parse_phdrs(data + off, n - off, &e, MAX))
    check_image(&e);
  return 0;
}
