/*
 * What exec needs to know of a file's first bytes: ELF (elf(5)) for x86-64, and #! lines. Pure functions over buffers,
 * every field of which is hostile; internal to exec.
 */
#pragma once
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BINPRM_BUF_SIZE 256 /* the bytes of a file that decide what it is */
#define ELF_MAX_PHDRS 1170  /* 64 KiB of them, as Linux */
#define ELF_MAX_LOADS 128

struct elf_load {
  uint64_t vaddr, off, filesz,
      memsz; /* filesz <= memsz, vaddr + memsz and off + filesz do not wrap; vaddr and off agree modulo pages */
  int prot;
};

struct elf_image {
  bool dyn; /* ET_DYN */
  uint64_t entry;
  uint64_t phoff;
  int phnum;
  int nloads;
  struct elf_load load[ELF_MAX_LOADS];
  uint64_t lo, hi;                 /* page-aligned span of all loads, before the bias */
  uint64_t align;                  /* the largest p_align: a power of two, at least a page */
  uint64_t phdr;                   /* AT_PHDR before the bias; 0: not in memory */
  uint64_t interp_off, interp_len; /* PT_INTERP, with the NUL; 0: none */
  bool exec_stack;                 /* PT_GNU_STACK asks for PF_X */
};

/* The file header: -ENOEXEC if it is no ELF file for us. Fills phoff, phnum, entry, dyn. */
int elf_parse_header(const void *buf, size_t n, struct elf_image *img);
/* The program headers, img->phnum of them in buf. -ENOEXEC, -EINVAL. max: one past the highest guest address. */
int elf_parse_phdrs(const void *buf, size_t n, struct elf_image *img, uint64_t max);
/* The bias that puts img at or right below `want` (for ET_DYN), keeping p_align. */
uint64_t elf_bias(const struct elf_image *img, uint64_t want);

/* A #! line in buf (n bytes, at most BINPRM_BUF_SIZE; shorter files are zero-filled): 0, or -ENOEXEC. arg is "" without
 * one. */
int script_parse(const char *buf, size_t n, char interp[BINPRM_BUF_SIZE], char arg[BINPRM_BUF_SIZE]);
static inline bool script_is(const char *buf, size_t n) {
  return n >= 2 && buf[0] == '#' && buf[1] == '!';
}
