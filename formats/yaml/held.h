/* What YAML has a form for, and how mappings are ordered. */
#ifndef FORMATS_YAML_HELD_H
#define FORMATS_YAML_HELD_H

#include "formats/yaml/yaml.h"

enum held {
	HELD_SCALAR,		/* none, bool, numbers, string, bytes, date */
	HELD_LIST,		/* lists, tuples; a path's parts */
	HELD_SET,
	HELD_DICT,
	NOT_HELD,
};

enum held yaml_held(const struct ferry_value *v, enum yaml_style style);
/* Written as a key on one line or behind "?". */
bool yaml_held_key(const struct ferry_value *key);
/* An OBJECT of pathlib with its parts as arguments. */
bool yaml_is_path(const struct ferry_value *v);

/* Order pairs whose keys passed yaml_held_key() by key where Python could: all
 * strings, all bytes, all numbers, all dates; else leave them. */
void yaml_sort_pairs(struct ferry_pair *pairs, uint32_t n);

#endif
