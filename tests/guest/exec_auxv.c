/* The auxiliary vector and the initial stack of a new program. */
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>
int main(int argc, char **argv, char **envp) {
  say("page size %lu, clock ticks %lu", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK));
  say("ids %lu %lu %lu %lu, secure %lu", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID),
      getauxval(AT_SECURE));
  say("phent %lu", getauxval(AT_PHENT));
  YES(getauxval(AT_PHDR) != 0);
  YES(getauxval(AT_PHNUM) > 3);
  YES(getauxval(AT_ENTRY) != 0);
  YES(getauxval(AT_FLAGS) == 0);
  YES(getauxval(AT_SYSINFO_EHDR) != 0 && !memcmp((void *)getauxval(AT_SYSINFO_EHDR), "\177ELF", 4));
  say("platform %s", (char *)getauxval(AT_PLATFORM));
  YES(strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
  unsigned char *r = (unsigned char *)getauxval(AT_RANDOM), sum = 0;
  for (int i = 0; i < 16; i++)
    sum |= r[i];
  YES(sum != 0);
  YES((getauxval(AT_HWCAP2) & 2) != 0);
  YES(((uintptr_t)argv & 7) == 0);
  YES((uintptr_t)argv < (uintptr_t)envp && (uintptr_t)envp < (uintptr_t)argv[0]);
  YES(argv[argc] == NULL);
  unsigned long file[128];
  int fd = MUST(open("/proc/self/auxv", O_RDONLY));
  ssize_t n = read(fd, file, sizeof file);
  YES(n % 16 == 0 && n > 200);
  bool same = false;
  for (ssize_t i = 0; i + 1 < n / 8; i += 2)
    same |= file[i] == AT_RANDOM && file[i + 1] == getauxval(AT_RANDOM);
  YES(same);
  YES(file[n / 8 - 2] == AT_NULL);
}
