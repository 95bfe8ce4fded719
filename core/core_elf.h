/*
 * The form of a core file: core(5), elf(5), fs/binfmt_elf.c of Linux. Pure encoding into memory; what is written where
 * and of whom is core/coredump.c's.
 */
#pragma once
#include "regset.h"
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core_buf { /* grows; `failed` once memory ran out */
  uint8_t *p;
  size_t len, cap;
  bool failed;
};
void core_buf_put(struct core_buf *b, const void *p, size_t n);
void core_buf_free(struct core_buf *b);

/* A note named "CORE", or "LINUX" for the types that are not System V's. */
void core_note(struct core_buf *b, uint32_t type, const void *desc, size_t n);

/* struct elf_prstatus, struct elf_prpsinfo of x86-64 */
struct core_prstatus {
  int32_t signo, code, err;
  int16_t cursig, pad0;
  uint64_t sigpend, sighold;
  int32_t pid, ppid, pgrp, sid;
  struct {
    int64_t sec, usec;
  } utime, stime, cutime, cstime;
  struct regset_gp reg;
  int32_t fpvalid, pad1;
};
struct core_prpsinfo {
  int8_t state, sname, zomb, nice;
  uint64_t flag;
  uint32_t uid, gid;
  int32_t pid, ppid, pgrp, sid;
  char fname[16], psargs[80];
};

struct core_load { /* one area: [start, end), of which the first `filesz` bytes are in the file */
  uint64_t start, end, filesz;
  int prot;
};
/* ELF header, program headers and (from b on) room up to the first page of data. notes_len: of all notes. The offset at
 * which the data starts is *data. */
void core_headers(struct core_buf *b, const struct core_load *loads, size_t n, size_t notes_len, uint64_t *data);
