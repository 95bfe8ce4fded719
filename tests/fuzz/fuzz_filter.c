/* Socket filters of guests over packets of strangers: random programs, packets in random pieces with random headers'
 * places, ancillary data; and over messages that are no packets. */
#include "../../core/bpf_classic.h"
#include "../../net/netdev.h"
#include "../../net/sock_filter.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int copy_from_user(void *dst, uint64_t src, size_t n) {
  memcpy(dst, (const void *)src, n);
  return 0;
}
ssize_t uio_copy_to(struct uio *u, const void *src, size_t n) {
  return -EFAULT;
}
ssize_t uio_copy_to_vec(struct uio *u, struct iovec *src, int n) {
  return -EFAULT;
}

struct input {
  const uint8_t *p;
  size_t n;
};
static uint8_t byte(struct input *in) {
  return in->n ? in->n--, *in->p++ : 0;
}

static uint16_t common(uint8_t b) { /* mostly codes that exist, or nothing gets past the checker */
  static const uint16_t codes[] = {0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x00, 0x01, 0x80, 0x04,
                                   0x0c, 0x14, 0x1c, 0x44, 0x54, 0x64, 0x74, 0x84, 0x07, 0x87, 0x15,
                                   0x25, 0x35, 0x45, 0x02, 0x60, 0x03, 0x61, 0x94, 0x9c, 0xa4, 0xac};
  return b < 0xf0 ? codes[b % (sizeof codes / sizeof *codes)] : (uint16_t)(b * 257);
}

/* Offsets near where something happens. */
static uint32_t offset(struct input *in) {
  uint8_t kind = byte(in), b = byte(in);
  switch (kind & 7) {
  case 0:
    return (uint32_t)SKF_AD_OFF + (b & 63);
  case 1:
    return (uint32_t)SKF_NET_OFF + b;
  case 2:
    return (uint32_t)SKF_LL_OFF + b;
  case 3:
    return (uint32_t)-b;
  case 4:
    return (uint32_t)b << 24 | kind;
  default:
    return b;
  }
}

static unsigned program(struct input *in, struct sock_filter *f, unsigned max) {
  unsigned n = 1 + byte(in) % (max - 1);
  for (unsigned i = 0; i < n; i++)
    f[i] = (struct sock_filter){common(byte(in)), byte(in) % 3, byte(in) % 3, offset(in)};
  f[n - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
  return n;
}

static struct pbuf *packet(struct input *in, struct netdev *d) {
  uint32_t linear = byte(in) & 127, push = byte(in) & 31;
  struct pbuf *p = pbuf_new(linear);
  uint8_t *h = pbuf_put(p, linear);
  for (uint32_t i = 0; i < linear; i++)
    h[i] = byte(in);
  for (unsigned nfrags = byte(in) & 3; nfrags; nfrags--) {
    uint32_t len = 1 + (byte(in) & 63);
    struct pstore *s = pstore_new(len);
    for (uint32_t i = 0; i < len; i++)
      s->bytes[i] = byte(in);
    pbuf_add_frag(p, s, s->bytes, len);
    pstore_put(s);
  }
  p->dev = byte(in) & 1 ? d : NULL;
  p->mac = byte(in) & 1 ? p->data : NULL;
  p->net = byte(in) & 1 ? p->data + (byte(in) % (linear + 1)) : NULL;
  p->protocol = byte(in) & 1 ? ETH_P_IP : ETH_P_IPV6;
  if (push < p->linear)
    pbuf_pull(p, push);
  return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  struct sock_filter insns[40];
  struct netdev d = {.ifindex = 3, .type = ARPHRD_ETHER};
  struct sock_filter_prog *f;
  unsigned n = program(&in, insns, 40);
  struct sock_fprog arg = {.len = (unsigned short)n, .filter = insns};
  if (sock_filter_load(&arg, sizeof arg, &f))
    return 0;
  struct pbuf *p = packet(&in, &d);
  uint32_t keep, base = byte(&in) % (p->len + 1);
  struct socket s = {.filter = f};
  (void)sock_filter_run(f, p, base);
  if (sock_filter_pass(&s, p, &keep) && keep > p->len)
    abort();
  uint8_t *msg = malloc(in.n + 1); /* exactly as long as it is, for the sanitizer */
  memcpy(msg, in.p, in.n);
  if (sock_filter_pass_bytes(&s, msg, (uint32_t)in.n, &keep) && keep > in.n)
    abort();
  free(msg);
  pbuf_free(p);
  sock_filter_free(&s);
  return 0;
}
