/* TCP options: whatever is parsed keeps its promises, and what is built from it parses to the same again. */
#include "../../net/tcp/tcp_int.h"
#include <stdlib.h>

#define CHECK(x)                                                                                                       \
  do {                                                                                                                 \
    if (!(x))                                                                                                          \
      abort();                                                                                                         \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (!n || n > 41)
    return 0;
  struct tcp_opts o, again;
  bool syn = data[0] & 1;
  uint8_t built[40];
  tcp_opts_parse(data + 1, (uint32_t)n - 1, syn, &o);
  CHECK(o.nsack <= 4 && o.wscale >= -1 && o.wscale <= TCP_MAX_WSCALE);
  CHECK(syn ? !o.nsack : !o.mss && !o.sack_ok && o.wscale < 0);
  uint32_t len = tcp_opts_build(&o, built);
  CHECK(len <= 40 && len % 4 == 0);
  tcp_opts_parse(built, len, syn, &again);
  CHECK(again.mss == o.mss && again.wscale == o.wscale && again.ts == o.ts && again.sack_ok == o.sack_ok);
  CHECK(!o.ts || (again.tsval == o.tsval && again.tsecr == o.tsecr));
  CHECK(again.nsack <= o.nsack && !memcmp(again.sack, o.sack, again.nsack * sizeof *o.sack));
  return 0;
}
