/*
 * Rules whose file wants an option compared: what the weights would be with its
 * other values, told beside what they are.
 */
#ifndef CORE_CHAIN_OTHERS_H
#define CORE_CHAIN_OTHERS_H

#include <ferry/schema.h>

#include "core/chain/plan.h"

/* An option with another value, and what it makes. */
struct ferry__other {
	const char *setting;		/* "NAME=VALUE" */
	struct ferry_tensor_schema *schema;	/* NULL: it fails */
	char why[400];
};

struct ferry__others {
	struct ferry__other *items;	/* in the plan's store */
	size_t n;
};

/* handle.c: the job's rules, loaded with these settings. */
int ferry__make_rules(struct ferry_plan *p, const char *const *settings,
		      size_t n, struct ferry_rules **out,
		      struct ferry_error *err);
/* handle.c: the weights below root by the rules' source; *key is its name. */
int ferry__find_source(const struct ferry_rules *rules,
		       struct ferry_value *root, const char **key,
		       struct ferry_value **out, struct ferry_error *err);

/* Before the rules run: root is the document's before their source was taken,
 * weights what they will change. */
int ferry__others_try(struct ferry__others *out, struct ferry_plan *p,
		      struct ferry_value *root, struct ferry_value *weights,
		      struct ferry_error *err);
/* After it: a NOTE "compare" for each kind of difference. */
int ferry__others_tell(const struct ferry__others *others, struct ferry_plan *p,
		       struct ferry_value *weights, struct ferry_error *err);
void ferry__others_release(struct ferry__others *others);

#endif
