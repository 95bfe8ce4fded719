/*
 * Typed access to configuration JSON. `path` names the field in errors ("process.args: must be a list of strings").
 * Absent and null fields leave *out as it is and succeed. 0 or -1.
 */
#pragma once
#include "error.h"
#include "spec.h"
#include <jansson.h>

int js_str(json_t *o, const char *key, const char *path, const char **out, struct err *e);
int js_bool(json_t *o, const char *key, const char *path, bool *out, struct err *e);
int js_int(json_t *o, const char *key, const char *path, int64_t min, int64_t max, int64_t *out, struct err *e);
int js_strv(json_t *o, const char *key, const char *path, struct oci_strv *out, struct err *e);
/* The member as an object or list; NULL in *out if absent. */
int js_obj(json_t *o, const char *key, const char *path, json_t **out, struct err *e);
int js_list(json_t *o, const char *key, const char *path, json_t **out, struct err *e);
/* json_loadb for configurations: integers up to 2^64-1 are accepted, as reals above 2^63-1. */
json_t *js_loadb(const char *text, size_t len, json_error_t *je);
/* Whole files, bounded by SPEC_MAX_BYTES. NULL with *e set. */
json_t *js_load_file(const char *path, struct err *e);
