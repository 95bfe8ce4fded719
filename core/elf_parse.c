#include "elf.h"
#include "errno.h"
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096ull
#define MAX_ALIGN (1ull << 30) /* of segments: more is not worth address space */

int elf_parse_header(const void *buf, size_t n, struct elf_image *img) {
  Elf64_Ehdr h;
  memset(img, 0, sizeof *img);
  if (n < sizeof h)
    return -ENOEXEC;
  memcpy(&h, buf, sizeof h);
  if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB)
    return -ENOEXEC;
  if ((h.e_type != ET_EXEC && h.e_type != ET_DYN) || h.e_machine != EM_X86_64)
    return -ENOEXEC;
  if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum < 1 || h.e_phnum > ELF_MAX_PHDRS)
    return -ENOEXEC;
  if (h.e_phoff > INT64_MAX - (uint64_t)ELF_MAX_PHDRS * sizeof(Elf64_Phdr))
    return -ENOEXEC;
  img->dyn = h.e_type == ET_DYN;
  img->entry = h.e_entry;
  img->phoff = h.e_phoff;
  img->phnum = h.e_phnum;
  return 0;
}

static int prot_of(uint32_t flags) {
  return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

static int add_load(struct elf_image *img, const Elf64_Phdr *p, uint64_t max) {
  if (!p->p_memsz)
    return 0;
  if (img->nloads == ELF_MAX_LOADS)
    return -ENOEXEC;
  if (p->p_filesz > p->p_memsz || p->p_memsz > max || p->p_vaddr > max - p->p_memsz)
    return -EINVAL;
  if (p->p_offset > INT64_MAX - PAGE || p->p_filesz > INT64_MAX - PAGE - p->p_offset)
    return -EINVAL;
  if (p->p_filesz && ((p->p_vaddr ^ p->p_offset) & (PAGE - 1)))
    return -EINVAL;
  uint64_t lo = p->p_vaddr & ~(PAGE - 1), hi = (p->p_vaddr + p->p_memsz + PAGE - 1) & ~(PAGE - 1);
  if (!img->nloads || lo < img->lo)
    img->lo = lo;
  if (!img->nloads || hi > img->hi)
    img->hi = hi;
  if (p->p_align > img->align && p->p_align <= MAX_ALIGN && !(p->p_align & (p->p_align - 1)))
    img->align = p->p_align;
  if (!img->phdr && p->p_offset <= img->phoff && img->phoff - p->p_offset < p->p_filesz)
    img->phdr = p->p_vaddr + (img->phoff - p->p_offset);
  img->load[img->nloads++] = (struct elf_load){p->p_vaddr, p->p_offset, p->p_filesz, p->p_memsz, prot_of(p->p_flags)};
  return 0;
}

int elf_parse_phdrs(const void *buf, size_t n, struct elf_image *img, uint64_t max) {
  if (n < (size_t)img->phnum * sizeof(Elf64_Phdr))
    return -ENOEXEC;
  img->align = PAGE;
  for (int i = 0; i < img->phnum; i++) {
    Elf64_Phdr p;
    int r = 0;
    memcpy(&p, (const char *)buf + (size_t)i * sizeof p, sizeof p);
    switch (p.p_type) {
    case PT_LOAD:
      r = add_load(img, &p, max);
      break;
    case PT_INTERP: /* the first one counts */
      if (img->interp_len)
        break;
      if (p.p_filesz < 2 || p.p_filesz > PATH_MAX || p.p_offset > INT64_MAX - PATH_MAX)
        return -ENOEXEC;
      img->interp_off = p.p_offset;
      img->interp_len = p.p_filesz;
      break;
    case PT_GNU_STACK:
      img->exec_stack = p.p_flags & PF_X;
      break;
    }
    if (r < 0)
      return r;
  }
  return img->nloads ? 0 : -ENOEXEC;
}

uint64_t elf_bias(const struct elf_image *img, uint64_t want) {
  if (want <= img->lo)
    return 0;
  return (want - img->lo) & ~(img->align - 1);
}

/* ---- #! ---- */

static bool blank(char c) {
  return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *p, const char *end) {
  while (p < end && blank(*p))
    p++;
  return p;
}

static const char *word_end(const char *p, const char *end) {
  while (p < end && !blank(*p) && *p)
    p++;
  return p;
}

/* The rules of binfmt_script: a line cut at 255 bytes is accepted only if the cut is not within the interpreter's name.
 */
int script_parse(const char *buf, size_t n, char interp[BINPRM_BUF_SIZE], char arg[BINPRM_BUF_SIZE]) {
  char line[BINPRM_BUF_SIZE] = {0};
  if (!script_is(buf, n))
    return -ENOEXEC;
  memcpy(line, buf, n < sizeof line ? n : sizeof line);
  const char *limit = line + sizeof line - 1, *end = memchr(line, '\n', sizeof line);
  if (!end) {
    const char *name = skip_blanks(line + 2, limit);
    if (name == limit || word_end(name, limit) == limit)
      return -ENOEXEC;
    end = limit;
  }
  while (end > line + 2 && blank(end[-1]))
    end--;
  const char *name = skip_blanks(line + 2, end), *stop = word_end(name, end);
  if (name == stop)
    return -ENOEXEC;
  memcpy(interp, name, (size_t)(stop - name));
  interp[stop - name] = 0;
  arg[0] = 0;
  if (stop < end && *stop) {
    const char *a = skip_blanks(stop, end);
    size_t len = strnlen(a, (size_t)(end - a));
    memcpy(arg, a, len);
    arg[len] = 0;
  }
  return 0;
}
