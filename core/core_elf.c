#include "core_elf.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CORE_PAGE 4096ull

_Static_assert(sizeof(struct core_prstatus) == 336, "struct elf_prstatus");
_Static_assert(sizeof(struct core_prpsinfo) == 136, "struct elf_prpsinfo");

void core_buf_put(struct core_buf *b, const void *p, size_t n) {
  if (b->failed)
    return;
  if (b->len + n > b->cap) {
    size_t cap = b->cap ? b->cap : 4096;
    while (cap < b->len + n)
      cap *= 2;
    uint8_t *q = realloc(b->p, cap);
    if (!q) {
      b->failed = true;
      return;
    }
    b->p = q;
    b->cap = cap;
  }
  memcpy(b->p + b->len, p, n);
  b->len += n;
}

void core_buf_free(struct core_buf *b) {
  free(b->p);
  *b = (struct core_buf){0};
}

void core_note(struct core_buf *b, uint32_t type, const void *desc, size_t n) {
  static const char zero[4];
  const char *name = type == NT_X86_XSTATE ? "LINUX" : "CORE";
  Elf64_Nhdr h = {.n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = (uint32_t)n, .n_type = type};
  core_buf_put(b, &h, sizeof h);
  core_buf_put(b, name, h.n_namesz);
  core_buf_put(b, zero, -h.n_namesz & 3);
  core_buf_put(b, desc, n);
  core_buf_put(b, zero, -n & 3);
}

static uint32_t load_flags(int prot) {
  return (prot & PROT_READ ? PF_R : 0u) | (prot & PROT_WRITE ? PF_W : 0u) | (prot & PROT_EXEC ? PF_X : 0u);
}

void core_headers(struct core_buf *b, const struct core_load *loads, size_t n, size_t notes_len, uint64_t *data) {
  size_t nph = n + 1;
  bool many = nph >= PN_XNUM; /* the true number is in the first section header then */
  uint64_t notes_at = sizeof(Elf64_Ehdr) + nph * sizeof(Elf64_Phdr);
  uint64_t at = (notes_at + notes_len + CORE_PAGE - 1) & ~(CORE_PAGE - 1);
  *data = at;
  uint64_t end = at;
  for (size_t i = 0; i < n; i++)
    end += loads[i].filesz;
  Elf64_Ehdr eh = {.e_type = ET_CORE,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_phoff = sizeof eh,
                   .e_ehsize = sizeof eh,
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = many ? PN_XNUM : (uint16_t)nph};
  memcpy(eh.e_ident, ELFMAG, SELFMAG);
  eh.e_ident[EI_CLASS] = ELFCLASS64;
  eh.e_ident[EI_DATA] = ELFDATA2LSB;
  eh.e_ident[EI_VERSION] = EV_CURRENT;
  if (many) {
    eh.e_shoff = end;
    eh.e_shentsize = sizeof(Elf64_Shdr);
    eh.e_shnum = 1;
  }
  core_buf_put(b, &eh, sizeof eh);
  Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes_len, .p_align = 4};
  core_buf_put(b, &note, sizeof note);
  for (size_t i = 0; i < n; i++) {
    Elf64_Phdr ph = {.p_type = PT_LOAD,
                     .p_flags = load_flags(loads[i].prot),
                     .p_offset = at,
                     .p_vaddr = loads[i].start,
                     .p_filesz = loads[i].filesz,
                     .p_memsz = loads[i].end - loads[i].start,
                     .p_align = CORE_PAGE};
    core_buf_put(b, &ph, sizeof ph);
    at += loads[i].filesz;
  }
}
