/* The ELF and #! parsers, and the initial stack. */
#include "../../core/elf.h"
#include "../../core/errno.h"
#include "../../core/exec_stack.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#define MAX 0x7ffffffff000ull

struct image {
  Elf64_Ehdr h;
  Elf64_Phdr p[4];
};

static struct image good(void) {
  struct image i = {.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                          .e_type = ET_DYN,
                          .e_machine = EM_X86_64,
                          .e_entry = 0x1000,
                          .e_phoff = sizeof(Elf64_Ehdr),
                          .e_phentsize = sizeof(Elf64_Phdr),
                          .e_phnum = 3}};
  i.p[0] =
      (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 0x1800, .p_memsz = 0x1800, .p_align = 0x1000};
  i.p[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                        .p_flags = PF_R | PF_W,
                        .p_offset = 0x1800,
                        .p_vaddr = 0x2800,
                        .p_filesz = 0x100,
                        .p_memsz = 0x5000,
                        .p_align = 0x200000};
  i.p[2] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0x300, .p_filesz = 28};
  return i;
}

static int parse(const struct image *i, struct elf_image *out) {
  int r = elf_parse_header(i, sizeof *i, out);
  return r ? r : elf_parse_phdrs(i->p, sizeof i->p, out, MAX);
}

START_TEST(a_good_file) {
  struct image i = good();
  struct elf_image e;
  ck_assert_int_eq(parse(&i, &e), 0);
  ck_assert_int_eq(e.nloads, 2);
  ck_assert(e.dyn);
  ck_assert_uint_eq(e.lo, 0);
  ck_assert_uint_eq(e.hi, 0x8000);
  ck_assert_uint_eq(e.align, 0x200000);
  ck_assert_uint_eq(e.phdr, 64);
  ck_assert_uint_eq(e.interp_off, 0x300);
  ck_assert_uint_eq(e.interp_len, 28);
  ck_assert(!e.exec_stack);
  ck_assert_uint_eq(elf_bias(&e, 0x555555554000) & 0x1fffff, 0);
}
END_TEST

START_TEST(bad_headers) {
  struct elf_image e;
  struct image i = good();
  ck_assert_int_eq(elf_parse_header(&i, 63, &e), -ENOEXEC);
  i.h.e_ident[EI_CLASS] = ELFCLASS32;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
  i = good();
  i.h.e_machine = EM_AARCH64;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
  i = good();
  i.h.e_type = ET_REL;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
  i = good();
  i.h.e_phnum = 0;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
  i = good();
  i.h.e_phnum = 0xffff;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
  i = good();
  i.h.e_phoff = UINT64_MAX;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
  i = good();
  i.p[0].p_type = i.p[1].p_type = PT_NOTE;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
}
END_TEST

START_TEST(hostile_segments) {
  struct elf_image e;
  struct image i = good();
  i.p[1].p_memsz = UINT64_MAX;
  ck_assert_int_eq(parse(&i, &e), -EINVAL);
  i = good();
  i.p[1].p_vaddr = UINT64_MAX - 0x7ff;
  ck_assert_int_eq(parse(&i, &e), -EINVAL);
  i = good();
  i.p[1].p_filesz = 0x6000; /* more than in memory */
  ck_assert_int_eq(parse(&i, &e), -EINVAL);
  i = good();
  i.p[1].p_offset = INT64_MAX - 0x7ff;
  ck_assert_int_eq(parse(&i, &e), -EINVAL);
  i = good();
  i.p[1].p_offset = 0x1801; /* not as its address, modulo pages */
  ck_assert_int_eq(parse(&i, &e), -EINVAL);
  i = good();
  i.p[1].p_align = 3; /* ignored, as Linux does */
  ck_assert_int_eq(parse(&i, &e), 0);
  ck_assert_uint_eq(e.align, 0x1000);
  i = good();
  i.p[2].p_filesz = 1;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
  i = good();
  i.p[2].p_filesz = 1 << 20;
  ck_assert_int_eq(parse(&i, &e), -ENOEXEC);
}
END_TEST

static int script(const char *text, char *interp, char *arg) {
  char buf[BINPRM_BUF_SIZE] = {0};
  size_t n = strlen(text);
  memcpy(buf, text, n < sizeof buf ? n : sizeof buf);
  return script_parse(buf, n < sizeof buf ? n : sizeof buf, interp, arg);
}

START_TEST(script_lines) {
  char interp[BINPRM_BUF_SIZE], arg[BINPRM_BUF_SIZE], big[400];
  ck_assert_int_eq(script("#!/bin/sh\necho", interp, arg), 0);
  ck_assert_str_eq(interp, "/bin/sh");
  ck_assert_str_eq(arg, "");
  ck_assert_int_eq(script("#! \t/usr/bin/env  python3 -u \t\nx", interp, arg), 0);
  ck_assert_str_eq(interp, "/usr/bin/env");
  ck_assert_str_eq(arg, "python3 -u");
  ck_assert_int_eq(script("#!/bin/sh", interp, arg), 0); /* no newline, a short file */
  ck_assert_str_eq(interp, "/bin/sh");
  ck_assert_int_eq(script("#!\n", interp, arg), -ENOEXEC);
  ck_assert_int_eq(script("#!   \t \n", interp, arg), -ENOEXEC);
  ck_assert_int_eq(script("#", interp, arg), -ENOEXEC);
  memset(big, 'a', sizeof big);
  memcpy(big, "#!/", 3);
  big[399] = 0;
  ck_assert_int_eq(script(big, interp, arg), -ENOEXEC); /* the name itself is cut */
  big[20] = ' ';
  ck_assert_int_eq(script(big, interp, arg), 0); /* only the argument is */
  ck_assert_uint_eq(strlen(arg), 255 - 21);
}
END_TEST

START_TEST(first_stack) {
  char *argv[] = {"prog", "one", NULL}, *envp[] = {"A=1", NULL};
  uint64_t auxv[][2] = {{AT_PAGESZ, 4096}, {AT_EXECFN, 0}, {AT_RANDOM, 0}, {AT_PLATFORM, 0}};
  struct stack_in in = {
      .argv = argv, .argc = 2, .envp = envp, .envc = 1, .execfn = "/bin/prog", .top = 0x7fff00000000, .jitter = 0x1230};
  memset(in.random, 0xab, 16);
  in.auxv = auxv;
  in.nauxv = 4;
  struct stack_out s;
  ck_assert_int_eq(stack_build(&in, &s), 0);
  ck_assert_uint_eq(s.sp % 16, 0);
  ck_assert_uint_eq(s.sp + s.len, in.top);
  const uint64_t *w = (const uint64_t *)s.buf;
#define STR(addr) (s.buf + ((addr)-s.sp))
  ck_assert_uint_eq(w[0], 2);
  ck_assert_str_eq(STR(w[1]), "prog");
  ck_assert_str_eq(STR(w[2]), "one");
  ck_assert_uint_eq(w[3], 0);
  ck_assert_str_eq(STR(w[4]), "A=1");
  ck_assert_uint_eq(w[5], 0);
  ck_assert_uint_eq(w[6], AT_PAGESZ);
  ck_assert_str_eq(STR(w[9]), "/bin/prog");
  ck_assert_mem_eq(STR(w[11]), in.random, 16);
  ck_assert_str_eq(STR(w[13]), "x86_64");
  ck_assert_uint_eq(w[14], AT_NULL);
  ck_assert_uint_eq(s.arg_start, w[1]);
  ck_assert_uint_eq(s.env_end - s.env_start, 4);
  ck_assert_uint_eq(s.env_start, s.arg_end);
  free(s.buf);
}
END_TEST

START_TEST(argument_limits) {
  char *big = malloc(MAX_ARG_STRLEN_K + 1);
  memset(big, 'x', MAX_ARG_STRLEN_K);
  big[MAX_ARG_STRLEN_K] = 0;
  char *argv[64];
  for (int i = 0; i < 64; i++)
    argv[i] = big + 4096;
  char *one[] = {big, NULL}, *none[] = {NULL};
  ck_assert_int_eq(stack_check_size(one, 1, none, 0, "x", 8 << 20), -E2BIG);
  one[0] = big + 1;
  ck_assert_int_eq(stack_check_size(one, 1, none, 0, "x", 8 << 20), 0);
  ck_assert_int_eq(stack_check_size(argv, 15, none, 0, "x", 8 << 20), 0);
  ck_assert_int_eq(stack_check_size(argv, 17, none, 0, "x", 8 << 20), -E2BIG);
  ck_assert_int_eq(stack_check_size(argv, 64, none, 0, "x", UINT64_MAX), -E2BIG); /* 6 MiB whatever the limit */
  ck_assert_int_eq(stack_check_size(argv, 1, none, 0, "x", 4096), 0);             /* 128 KiB at least */
  ck_assert_int_eq(stack_check_size(argv, 2, none, 0, "x", 4096), -E2BIG);
  free(big);
}
END_TEST

int main(void) {
  Suite *s = suite_create("elf");
  TCase *c = tcase_create("elf");
  tcase_add_test(c, a_good_file);
  tcase_add_test(c, bad_headers);
  tcase_add_test(c, hostile_segments);
  tcase_add_test(c, script_lines);
  tcase_add_test(c, first_stack);
  tcase_add_test(c, argument_limits);
  suite_add_tcase(s, c);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
