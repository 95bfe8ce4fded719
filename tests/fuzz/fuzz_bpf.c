/* Classic BPF programs of guests: what the checker lets through the interpreter must survive, in both uses. */
#include "../../core/bpf_classic.h"
#include <linux/seccomp.h>
#include <string.h>

static bool ancillary(void *arg, uint32_t off, uint32_t a, uint32_t x, uint32_t *out) {
  *out = off ^ a ^ x;
  return off % 8 == 0;
}

static uint16_t common(uint8_t b) { /* mostly codes that exist, or nothing gets past the checker */
  static const uint16_t codes[] = {0x00, 0x01, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x60, 0x61, 0x80, 0x81,
                                   0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54,
                                   0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0x05, 0x15, 0x1d,
                                   0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87};
  return b < 0xf0 ? codes[b % (sizeof codes / sizeof *codes)] : (uint16_t)(b * 257);
}

/* The part behind the linear one: as a packet's fragments are. */
static bool load(void *arg, uint32_t off, unsigned n, uint8_t out[4]) {
  const uint8_t *bytes = arg;
  if ((uint64_t)off + n > sizeof(struct seccomp_data))
    return off >= (uint32_t)SKF_LL_OFF && off % 3 ? (memset(out, (int)off, n), true) : false;
  memcpy(out, bytes + off, n);
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sock_filter f[256];
  unsigned n = 0;
  if (!size)
    return 0;
  enum bpf_use use = data[0] & 1 ? BPF_FOR_PACKETS : BPF_FOR_SECCOMP;
  size_t pos = 1;
  for (; pos + 7 <= size && n < 256; pos += 7, n++) {
    f[n].code = common(data[pos]);
    f[n].jt = data[pos + 1];
    f[n].jf = data[pos + 2];
    memcpy(&f[n].k, data + pos + 3, 4);
    if (data[0] & 2) {
      f[n].k %= 64;
      f[n].jt %= 4;
      f[n].jf %= 4;
    }
  }
  if (bpf_check(f, n, use))
    return 0;
  uint8_t bytes[sizeof(struct seccomp_data)];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = data[i % size];
  struct bpf_data d = {.bytes = bytes,
                       .len = sizeof bytes,
                       .linear = data[0] & 8 ? data[0] & 0x30 : sizeof bytes,
                       .load = load,
                       .ancillary = data[0] & 4 ? ancillary : NULL,
                       .arg = bytes};
  bpf_run(f, use, &d);
  return 0;
}
