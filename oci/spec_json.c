#include "spec_json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *member(json_t *o, const char *key) {
  json_t *v = json_object_get(o, key);
  return json_is_null(v) ? NULL : v;
}

int js_str(json_t *o, const char *key, const char *path, const char **out, struct err *e) {
  json_t *v = member(o, key);
  if (!v)
    return 0;
  if (!json_is_string(v))
    return err_set(e, "%s: must be a string", path);
  *out = json_string_value(v);
  return 0;
}

int js_bool(json_t *o, const char *key, const char *path, bool *out, struct err *e) {
  json_t *v = member(o, key);
  if (!v)
    return 0;
  if (!json_is_boolean(v))
    return err_set(e, "%s: must be true or false", path);
  *out = json_is_true(v);
  return 0;
}

int js_int(json_t *o, const char *key, const char *path, int64_t min, int64_t max, int64_t *out, struct err *e) {
  json_t *v = member(o, key);
  if (!v)
    return 0;
  if (!json_is_integer(v))
    return err_set(e, "%s: must be an integer", path);
  int64_t n = json_integer_value(v);
  if (n < min || n > max)
    return err_set(e, "%s: %" PRId64 " is out of range", path, n);
  *out = n;
  return 0;
}

int js_strv(json_t *o, const char *key, const char *path, struct oci_strv *out, struct err *e) {
  json_t *v = member(o, key), *item;
  size_t i;
  if (!v)
    return 0;
  if (!json_is_array(v))
    return err_set(e, "%s: must be a list of strings", path);
  out->v = calloc(json_array_size(v) + 1, sizeof *out->v);
  if (!out->v)
    return err_set(e, "%s: out of memory", path);
  json_array_foreach(v, i, item) {
    if (!json_is_string(item))
      return err_set(e, "%s[%zu]: must be a string", path, i);
    out->v[out->n++] = json_string_value(item);
  }
  return 0;
}

int js_obj(json_t *o, const char *key, const char *path, json_t **out, struct err *e) {
  *out = member(o, key);
  if (*out && !json_is_object(*out))
    return err_set(e, "%s: must be an object", path);
  return 0;
}

int js_list(json_t *o, const char *key, const char *path, json_t **out, struct err *e) {
  *out = member(o, key);
  if (*out && !json_is_array(*out))
    return err_set(e, "%s: must be a list", path);
  return 0;
}

/* Reads what there is, so that pipes (--process /dev/fd/N) work as well. */
static char *slurp(int fd, size_t *len, struct err *e, const char *path) {
  size_t cap = 65536, n = 0;
  char *buf = malloc(cap);
  while (buf) {
    if (n == cap) {
      if (cap > SPEC_MAX_BYTES) {
        err_set(e, "%s: is larger than %d MiB", path, SPEC_MAX_BYTES >> 20);
        break;
      }
      char *more = realloc(buf, cap *= 2);
      if (!more) {
        err_set(e, "%s: out of memory", path);
        break;
      }
      buf = more;
    }
    ssize_t r = read(fd, buf + n, cap - n);
    if (r < 0 && errno == EINTR)
      continue;
    if (r < 0) {
      err_sys(e, errno, "read %s", path);
      break;
    }
    if (r == 0) {
      *len = n;
      return buf;
    }
    n += (size_t)r;
  }
  free(buf);
  return NULL;
}

/*
 * RLIM_INFINITY is 18446744073709551615 in configurations of Go programs, and jansson refuses integers above 2^63-1.
 * Such numbers get ".0" appended, which makes them reals that spec_process.c knows. `out` has room for 2 * len + 1
 * bytes.
 */
static size_t mark_big_integers(const char *in, size_t len, char *out) {
  bool quoted = false;
  size_t n = 0;
  for (size_t i = 0; i < len;) {
    size_t digits = 0;
    if (!quoted)
      while (i + digits < len && in[i + digits] >= '0' && in[i + digits] <= '9')
        digits++;
    if (digits) {
      char next = i + digits < len ? in[i + digits] : 0;
      bool part = (i && (in[i - 1] == '.' || in[i - 1] == '+')) || next == '.' || next == 'e' || next == 'E';
      memcpy(out + n, in + i, digits);
      n += digits;
      if (!part && (digits > 19 || (digits == 19 && strncmp(in + i, "9223372036854775807", 19) > 0))) {
        memcpy(out + n, ".0", 2);
        n += 2;
      }
      i += digits;
      continue;
    }
    if (quoted && in[i] == '\\' && i + 1 < len)
      out[n++] = in[i++];
    else if (in[i] == '"')
      quoted = !quoted;
    out[n++] = in[i++];
  }
  return n;
}

json_t *js_loadb(const char *text, size_t len, json_error_t *je) {
  json_error_t scratch;
  char *marked = malloc(2 * len + 1);
  if (!marked)
    return NULL;
  json_t *doc = json_loadb(marked, mark_big_integers(text, len, marked), JSON_REJECT_DUPLICATES, je ? je : &scratch);
  free(marked);
  return doc;
}

json_t *js_load_file(const char *path, struct err *e) {
  int fd = !strcmp(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    err_sys(e, errno, "open %s", path);
    return NULL;
  }
  struct stat st;
  size_t len = 0;
  char *text = NULL;
  if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > SPEC_MAX_BYTES)
    err_set(e, "%s: is larger than %d MiB", path, SPEC_MAX_BYTES >> 20);
  else
    text = slurp(fd, &len, e, path);
  close(fd);
  if (!text)
    return NULL;
  json_error_t je;
  json_t *doc = js_loadb(text, len, &je);
  free(text);
  if (!doc) {
    err_set(e, "%s: line %d: %s", path, je.line, je.text);
  } else if (!json_is_object(doc)) {
    err_set(e, "%s: must hold a JSON object", path);
    json_decref(doc);
    doc = NULL;
  }
  return doc;
}
