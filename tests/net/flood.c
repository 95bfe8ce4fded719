/*
 * Sends frames as fast as it can:  flood IFACE SECONDS MOST HEX RANGES [CSUM_START:CSUM_OFFSET]
 * HEX is the frame, Ethernet header first; RANGES, as OFF:LEN,OFF:LEN… or "-", are filled at random in each. An IPv4
 * header's checksum is made right; with CSUM_START the transport's is left to the device, so that nobody looks at it.
 * Prints how many it sent; ends after that time or that many.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define FRAME 2048
static uint64_t state = 88172645463325252ull;
static uint64_t rnd(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

struct frame {
  struct virtio_net_hdr h;
  uint8_t b[FRAME];
};
static struct frame frames[BATCH];
static size_t len;
static struct range {
  unsigned off, len;
} ranges[32];
static unsigned nranges;

static void ip4_sum(uint8_t *h) {
  uint32_t sum = 0;
  h[10] = h[11] = 0;
  for (unsigned i = 0; i < (h[0] & 15u) * 4; i += 2)
    sum += (uint32_t)(h[i] << 8 | h[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  h[10] = (uint8_t)(~sum >> 8), h[11] = (uint8_t)~sum;
}

static void vary(struct frame *f) {
  for (unsigned r = 0; r < nranges; r++)
    for (unsigned i = 0; i < ranges[r].len && ranges[r].off + i < len; i++)
      f->b[ranges[r].off + i] = (uint8_t)(rnd() >> 24);
  if (len >= 34 && f->b[12] == 8 && !f->b[13] && 14u + (f->b[14] & 15u) * 4 <= len)
    ip4_sum(f->b + 14);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_on(const char *iface) {
  int one = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(iface)};
  if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) || bind(fd, (void *)&a, sizeof a)) {
    perror(iface);
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  if (argc < 6)
    return 2;
  int fd = open_on(argv[1]);
  double until = now() + atof(argv[2]);
  long most = atol(argv[3]), n = 0;
  unsigned start = 0, offset = 0;
  uint8_t base[FRAME] = {0};
  for (const char *p = argv[4]; *p && p[1] && len < FRAME; p += 2)
    sscanf(p, "%2hhx", &base[len++]);
  for (char *p = strtok(argv[5], ","); p && nranges < 32; p = strtok(NULL, ","))
    nranges += sscanf(p, "%u:%u", &ranges[nranges].off, &ranges[nranges].len) == 2;
  bool sum = argc > 6 && sscanf(argv[6], "%u:%u", &start, &offset) == 2;
  state ^= (uint64_t)time(NULL);
  struct mmsghdr m[BATCH];
  struct iovec v[BATCH];
  for (int i = 0; i < BATCH; i++) {
    memcpy(frames[i].b, base, len);
    if (sum)
      frames[i].h = (struct virtio_net_hdr){
          .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = (uint16_t)start, .csum_offset = (uint16_t)offset};
    v[i] = (struct iovec){&frames[i], sizeof frames[i].h + len};
    m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
  }
  while (n < most && now() < until) {
    for (int i = 0; i < BATCH; i++)
      vary(&frames[i]);
    int sent = sendmmsg(fd, m, BATCH, 0);
    n += sent > 0 ? sent : 0;
  }
  printf("%ld\n", n);
  return 0;
}
