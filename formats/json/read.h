/* What the readers of plain and typed JSON share. */
#ifndef FORMATS_JSON_READ_H
#define FORMATS_JSON_READ_H

#include <ferry/sys/map.h>

#include "formats/json/scan.h"
#include "formats/json/text.h"

struct json_reader {
	struct json_scan scan;
	struct ferry_store *store;
	struct ferry_map strings;	/* of json_intern() */
};

/* The value that `token` began; depth is that of the value itself. */
int json_read_plain(struct json_reader *r, enum json_token token,
		    unsigned depth, struct ferry_value **out,
		    struct ferry_error *err);
int json_read_scalar(struct json_reader *r, enum json_token token,
		     struct ferry_value **out, struct ferry_error *err);
/* The STRING of the key just scanned. */
int json_read_key(struct json_reader *r, struct ferry_value **out,
		  struct ferry_error *err);
int json_set_new(struct json_reader *r, struct ferry_value *dict,
		 struct ferry_value *key, struct ferry_value *value,
		 struct ferry_error *err);
int json_check_depth(struct json_reader *r, unsigned depth,
		     struct ferry_error *err);
/* Give an error without a place the place of the last token; returns rc. */
int json_located(const struct json_reader *r, int rc,
		 struct ferry_error *err);

#endif
