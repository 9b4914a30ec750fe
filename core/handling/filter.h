/* Inside of parameter filters; see ferry/filters.h. */
#ifndef CORE_HANDLING_FILTER_H
#define CORE_HANDLING_FILTER_H

#include <ferry/filters.h>
#include <ferry/sys/build.h>
#include <ferry/sys/map.h>

#include "core/handling/pattern.h"

#define FERRY__FILTERS 10000
#define FERRY__FILTER_TEXTS 100000	/* of all filters together */
#define FERRY__FILTER_DEPTH 64
#define FERRY__FILTER_STEPS (UINT64_C(1) << 28)	/* texts compared in a report */

enum filter_kind {
	FILTER_DIMENSION,
	FILTER_CONVOLUTIONAL,
	FILTER_NAME,
	FILTER_LAYER_TYPE,
	FILTER_INITIALIZATION,
	FILTER_STAGE_BASED,
	FILTER_AND,
	FILTER_OR,
	FILTER_NOT,
	FILTER_ALL_EXCEPT,
	N_FILTERS,
};

enum filter_match {
	FILTER_CONTAINS,
	FILTER_STARTSWITH,
	FILTER_ENDSWITH,
	FILTER_REGEX,
};

struct filter_texts {
	const char **items;		/* in the store */
	size_t n;
};

struct filter {
	enum filter_kind kind;
	enum filter_match match;		/* NAME */
	struct filter_texts patterns;		/* NAME, CONVOLUTIONAL */
	struct filter_texts types;		/* LAYER_TYPE, CONVOLUTIONAL */
	struct filter_texts stages;		/* STAGE_BASED */
	struct ferry__pattern *regexes;		/* of REGEX: [patterns.n] */
	uint64_t ranks;				/* DIMENSION: a mask */
	struct filter **parts;			/* AND, OR, NOT, ALL_EXCEPT */
	size_t n_parts;
	struct filter *next;			/* of all that were made */
};

struct filter_stage {
	const char *name;
	struct filter_texts parts;
};

struct filter_group {
	const char *name;
	struct filter *filter;
	const char *lr_multiplier, *optimizer, *weight_decay;
};

struct ferry_filters {
	struct ferry_store *store;
	struct filter *all;			/* for what they own */
	struct filter_group *groups;		/* the last: DEFAULT */
	size_t n_groups;
	struct filter_stage *stages;
	size_t n_stages;
	bool has_layer_types;
	struct ferry_map layer_types;		/* module path -> class name */
	bool has_gradnorm;
	struct filter *exclude;			/* NULL: by patterns */
	struct filter_texts exclude_patterns;
	struct filter *buffers, *frozen;	/* or NULL */
};

/* A parameter, and what filters ask about beside it. */
struct filter_subject {
	const struct ferry_filters *filters;
	const struct ferry_tensor_schema *initial;
	struct ferry__matcher *matcher;
	const char *name;
	size_t n_name;
	const struct ferry_tensor_spec *spec;
	uint64_t steps;
	bool asked_initial;	/* without there being one */
	bool asked_stages;
	struct ferry_error *err;
};

/* 1, 0, or a negative ferry_code. */
int ferry__filter_match(struct filter_subject *s, const struct filter *f);
/* True when the text has the part in it. */
bool ferry__filter_contains(const char *text, size_t n, const char *part);

#endif
