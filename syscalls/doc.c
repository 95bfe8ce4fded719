/* `runsc-notify syscalls`, and docs/syscalls.md: the table as text. */
#include "doc.h"
#include "table.h"
#include <stdio.h>
#include <string.h>

static const char *support_word(const struct syscall_desc *d) {
  static const char *const words[] = {
      [SUP_FULL] = "full", [SUP_PARTIAL] = "partial", [SUP_ERROR] = "error", [SUP_NONE] = "none"};
  if (!d->fn)
    return words[d->support == SUP_ERROR ? SUP_ERROR : SUP_NONE]; /* refused on purpose, or not there yet */
  return d->support == SUP_NONE ? "partial" : words[d->support];
}

static void print_string(FILE *f, const char *s) {
  fputc('"', f);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\')
      fputc('\\', f);
    fputc(*s, f);
  }
  fputc('"', f);
}

static void print_json(FILE *f) {
  const char *sep = "";
  fputs("{\"os\": \"linux\", \"arch\": \"amd64\", \"syscalls\": [", f);
  for (int i = 0; i < NR_SYSCALLS; i++) {
    const struct syscall_desc *d = &syscall_table[i];
    if (!d->name)
      continue;
    fprintf(f, "%s\n  {\"number\": %d, \"name\": \"%s\", \"support\": \"%s\", \"note\": ", sep, i, d->name,
            support_word(d));
    print_string(f, d->note);
    fputc('}', f);
    sep = ",";
  }
  fputs("\n]}\n", f);
}

static void print_rows(FILE *f, const char *row) {
  for (int i = 0; i < NR_SYSCALLS; i++) {
    const struct syscall_desc *d = &syscall_table[i];
    if (d->name)
      fprintf(f, row, i, d->name, support_word(d), d->note);
  }
}

int syscalls_print(FILE *f, const char *format) {
  if (!strcmp(format, "json")) {
    print_json(f);
  } else if (!strcmp(format, "markdown")) {
    fputs("| number | call | support | note |\n| ---: | --- | --- | --- |\n", f);
    print_rows(f, "| %d | %s | %s | %s |\n");
  } else if (!strcmp(format, "table")) {
    fprintf(f, "%6s  %-24s %-8s %s\n", "NUMBER", "NAME", "SUPPORT", "NOTE");
    print_rows(f, "%6d  %-24s %-8s %s\n");
  } else {
    return -1;
  }
  return ferror(f) ? -1 : 0;
}
