/* Scalars: which type a plain one has, and text <-> value for each type. */
#ifndef FORMATS_YAML_SCALAR_H
#define FORMATS_YAML_SCALAR_H

#include "formats/yaml/node.h"

/* ---- resolve.c ---- */

/* The type of a plain scalar by its text. */
enum yaml_tag yaml_resolve(const char *text, size_t n,
			   enum yaml_schema schema);

/* ---- number.c ---- */

/*
 * As PyYAML constructs !!int and !!float.  0 or FERRY_NOMEM, FERRY_MALFORMED
 * (text is none), FERRY_LIMIT (too long); no error is filled.
 */
int yaml_parse_int(struct ferry_store *store, const char *text, size_t n,
		   struct ferry_value **out);
int yaml_parse_float(const char *text, size_t n, double *out);
/* Python's float(text) of ASCII text; returns as the above. */
int yaml_python_float(const char *text, size_t n, double *out);

/* ---- timestamp.c ---- */

struct yaml_time {
	unsigned year, month, day;
	unsigned hour, minute, second, micro;
	int zone;		/* seconds east of UTC */
	bool has_time, has_zone;
};

/* False when text is not written as a date; dates are not checked. */
bool yaml_scan_time(const char *text, size_t n, struct yaml_time *out);
/* MALFORMED, no error filled, when there is no such date. */
int yaml_make_time(struct ferry_store *store, const struct yaml_time *t,
		   struct ferry_value **out);
/* True when v is an OBJECT as yaml_make_time() makes it. */
bool yaml_is_time(const struct ferry_value *v);
/* isoformat(" "), as PyYAML represents it; v passed yaml_is_time(). */
void yaml_add_time(struct ferry_buffer *out, const struct ferry_value *v);

/* ---- binary.c ---- */

/* base64.decodebytes(): what is no digit is skipped.  As yaml_parse_int(). */
int yaml_parse_binary(struct ferry_store *store, const char *text, size_t n,
		      struct ferry_value **out);
/* base64.encodebytes(): lines of 76 digits. */
int yaml_add_binary(struct ferry_buffer *out, const struct ferry_value *v,
		    struct ferry_error *err);

#endif
