/* Configurations: any bytes either parse or are refused with a sentence; nothing leaks. */
#include "../../oci/spec.h"
#include "../../oci/spec_json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct oci_spec s;
  struct oci_process p;
  struct err e;
  json_t *doc = js_loadb((const char *)data, size, NULL);
  if (!doc)
    return 0;
  if (!spec_parse(&s, doc, &e)) {
    spec_number_trees(&s);
    spec_free(&s);
  }
  if (!spec_parse_process(&p, doc, "process", &e))
    spec_free_process(&p);
  json_decref(doc);
  return 0;
}
