/* PACKET_RX_RING: requests that are refused, frames of all three versions, a full ring, a guest that scribbles over it.
 * packet_mmap.rst */
#include "packet.h"

#define STAMP (1u << 29) /* TP_STATUS_TS_SOFTWARE: where the stamp is from may differ */
#define FRAMES 8
#define FRAME 2048

static uint8_t frame[3000];
static int lo, tx;

static void send_frame(int n) {
  struct sockaddr_ll to = ll_to(lo, TEST_PROTO);
  int len = make_frame(frame, TEST_PROTO, n);
  MUST(sendto(tx, frame, len, 0, (struct sockaddr *)&to, sizeof to));
}

static int ring(int fd, unsigned bs, unsigned bn, unsigned fs, unsigned fn) {
  struct tpacket_req3 r = {bs, bn, fs, fn, 0, 0, 0};
  return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r);
}

static int with_version(int type, int v) {
  int fd = packet_socket(type, TEST_PROTO);
  MUST(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &v, sizeof v));
  return fd;
}

static void requests(int v) {
  int fd = with_version(SOCK_RAW, v), other = v == 2 ? 1 : 2;
  say("version %d", v);
  OK(ring(fd, 4096, 1, 2048, 2));
  OK(ring(fd, 4096, 1, 2048, 2));
  OK(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &other, sizeof other));
  OK(setsockopt(fd, SOL_PACKET, PACKET_RESERVE, &other, sizeof other));
  OK(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &other, sizeof other));
  OK(ring(fd, 0, 0, 0, 0));
  OK(ring(fd, 0, 0, 0, 1));
  OK(ring(fd, 4095, 1, 2048, 1));
  OK(ring(fd, 0, 1, 2048, 1));
  OK(ring(fd, 0x80000000, 1, 2048, 1));
  OK(ring(fd, 4096, 1, 2040, 2));
  OK(ring(fd, 4096, 1, 16, 256));
  OK(ring(fd, 4096, 1, 8192, 1));
  OK(ring(fd, 4096, 1, 2048, 3));
  OK(ring(fd, 4096, 0xffffffff, 2048, 2));
  OK(ring(fd, 4096, 3, 4096, 3));
  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  say("map too little: %s", m == MAP_FAILED ? ename(errno) : "ok");
  m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  say("map from the middle: %s", m == MAP_FAILED ? ename(errno) : "ok");
  m = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  say("map: %s", m == MAP_FAILED ? ename(errno) : "ok");
  OK(munmap(m, 12288));
  OK(ring(fd, 0, 0, 0, 0));
  m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  say("map nothing: %s", m == MAP_FAILED ? ename(errno) : "ok");
  OK(ring(fd, 8192, 1, 4096, 2));
  m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  say("map the next one: %s", m == MAP_FAILED ? ename(errno) : "ok");
  munmap(m, 8192);
  close(fd);
}

static void say_frame(uint8_t *f, int v, int type) {
  struct sockaddr_ll ll;
  unsigned status, len, snap, mac, net;
  uint64_t sec;
  if (v == TPACKET_V1) {
    struct tpacket_hdr *h = (void *)f;
    status = h->tp_status, len = h->tp_len, snap = h->tp_snaplen, mac = h->tp_mac, net = h->tp_net, sec = h->tp_sec;
    memcpy(&ll, f + TPACKET_ALIGN(sizeof *h), sizeof ll);
  } else if (v == TPACKET_V2) {
    struct tpacket2_hdr *h = (void *)f;
    status = h->tp_status, len = h->tp_len, snap = h->tp_snaplen, mac = h->tp_mac, net = h->tp_net, sec = h->tp_sec;
    memcpy(&ll, f + TPACKET_ALIGN(sizeof *h), sizeof ll);
  } else {
    struct tpacket3_hdr *h = (void *)f;
    status = h->tp_status, len = h->tp_len, snap = h->tp_snaplen, mac = h->tp_mac, net = h->tp_net, sec = h->tp_sec;
    memcpy(&ll, f + TPACKET_ALIGN(sizeof *h), sizeof ll);
    say("  next %u", h->tp_next_offset);
  }
  say("  status %x len %u snaplen %u mac %u net %u", status & ~STAMP, len, snap, mac, net);
  say_ll(&ll, 20);
  YES(labs((long)sec - time(NULL)) < 5);
  YES(!memcmp(f + mac, frame + (type == SOCK_RAW ? 0 : 14), snap));
}

static void stats(int fd) {
  struct tpacket_stats_v3 st = {0};
  socklen_t len = sizeof st;
  MUST(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
  say("  packets %u drops %u", st.tp_packets, st.tp_drops);
}

static int pollin(int fd, int ms) {
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, ms);
  return p.revents;
}

/* V1 and V2: each frame has a status word. */
static void frames(int type, int v, int reserve) {
  int fd = with_version(type, v), copy = 1;
  say("frames: type %d version %d reserve %d", type, v, reserve);
  MUST(setsockopt(fd, SOL_PACKET, PACKET_RESERVE, &reserve, sizeof reserve));
  MUST(ring(fd, 4096, FRAMES / 2, FRAME, FRAMES));
  uint8_t *m = mmap(NULL, FRAMES * FRAME, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buf[3000];
  MUST(m == MAP_FAILED ? -1 : 0);
  say("events %x", pollin(fd, 0));
  send_frame(100);
  say("events %x", pollin(fd, 1000));
  say_frame(m, v, type);
  send_frame(2500);
  msleep(20);
  say_frame(m + FRAME, v, type);
  MUST(setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &copy, sizeof copy));
  send_frame(2400);
  msleep(20);
  say_frame(m + 2 * FRAME, v, type);
  say("  whole in the queue: %zd", recv(fd, buf, sizeof buf, MSG_DONTWAIT));
  copy = 0;
  MUST(setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &copy, sizeof copy));
  for (int i = 0; i < 10; i++)
    send_frame(64);
  msleep(20);
  stats(fd);
  for (int i = 0; i < FRAMES; i++)
    *(uint32_t *)(m + i * FRAME) = 0;
  say("events %x", pollin(fd, 0));
  send_frame(66);
  say("events %x", pollin(fd, 1000));
  say_frame(m, v, type);
  memset(m, 0xff, FRAMES * FRAME); /* no status is 0: nothing can be written */
  send_frame(66);
  msleep(20);
  stats(fd);
  munmap(m, FRAMES * FRAME);
  close(fd);
}

static void say_block(struct tpacket_block_desc *b, int type) {
  struct tpacket_hdr_v1 *h = &b->hdr.bh1;
  say("block: version %u private %u status %x packets %u first %u len %u seq %llu", b->version, b->offset_to_priv,
      h->block_status, h->num_pkts, h->offset_to_first_pkt, h->blk_len, (unsigned long long)h->seq_num);
  uint8_t *f = (uint8_t *)b + h->offset_to_first_pkt;
  for (unsigned i = 0; i < h->num_pkts; i++, f += ((struct tpacket3_hdr *)f)->tp_next_offset)
    say_frame(f, TPACKET_V3, type);
}

static void blocks(int type, unsigned private) {
  int fd = with_version(type, TPACKET_V3);
  struct tpacket_req3 r = {4096, 3, 2048, 6, 50, private, 0};
  say("blocks: type %d, %u private bytes", type, private);
  MUST(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r));
  uint8_t *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(m == MAP_FAILED ? -1 : 0);
  struct tpacket_block_desc *b[3] = {(void *)m, (void *)(m + 4096), (void *)(m + 8192)};
  say("events %x", pollin(fd, 0));
  for (int i = 0; i < 3; i++)
    send_frame(100);
  int64_t t = now_ms();
  say("events %x", pollin(fd, 2000));
  YES(now_ms() - t < 1000);
  say_block(b[0], type);
  b[0]->hdr.bh1.block_status = TP_STATUS_KERNEL;
  for (int i = 0; i < 4; i++)
    send_frame(1500);
  pollin(fd, 2000);
  msleep(150);
  say_block(b[1], type);
  say_block(b[2], type);
  for (int i = 0; i < 4; i++)
    send_frame(2900); /* two blocks are not given back */
  msleep(150);
  stats(fd);
  say_block(b[0], type);
  munmap(m, 3 * 4096);
  close(fd);
}

/* A guest that writes whatever it likes, all the time: nobody may be hurt by it. */
static void scribble(int v) {
  int fd = with_version(SOCK_RAW, v);
  struct tpacket_req3 r = {4096, 4, 2048, 8, 1, 0, 0};
  MUST(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r));
  uint32_t *m = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), x = 12345;
  MUST(m == MAP_FAILED ? -1 : 0);
  for (int i = 0; i < 300; i++) {
    for (int j = 0; j < 64; j++) {
      x = x * 1664525 + 1013904223;
      m[x >> 16 & 4095] = x & 0x100 ? 0 : x & 0x200 ? 0xffffffff : x;
      m[(x >> 8 & 3) * 1024 + (x >> 20 & 31)] = x & 0x400 ? 0 : x;
    }
    send_frame(i * 9);
    pollin(fd, 0);
  }
  say("scribbled over version %d", v);
  close(fd); /* the mapping stays for a while */
  m[5] = 1;
  munmap(m, 4 * 4096);
}

int main(void) {
  lo_up();
  lo = MUST(if_nametoindex("lo"));
  tx = packet_socket(SOCK_RAW, 0);
  for (int v = 0; v < 3; v++)
    requests(v);
  for (int v = 0; v < 2; v++) {
    frames(SOCK_RAW, v, 0);
    frames(SOCK_DGRAM, v, 0);
    frames(SOCK_RAW, v, 100);
  }
  blocks(SOCK_RAW, 0);
  blocks(SOCK_DGRAM, 20);
  for (int v = 0; v < 3; v++)
    scribble(v);
  return 0;
}
