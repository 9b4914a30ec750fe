/* One call of a conversion: its inputs by role, and the files it opened. */
#ifndef CORE_CHAIN_CALL_H
#define CORE_CHAIN_CALL_H

#include "core/chain/plan.h"

struct ferry__call {
	struct ferry_conversion_args args;
	struct ferry_plan *p;
	const struct ferry_known *conversion;
	struct ferry_document **inputs;
	const struct ferry_source **files;
	const char **paths;
	struct ferry__input **taken;	/* by role */
	struct ferry_options options;
	size_t n_roles;
	struct ferry__input **named;	/* opened by ferry_args_*() */
	size_t n_named, cap_named;
	char missing[320];		/* the role nobody filled */
};

/*
 * In the store of the plan.  `path` is the main input's where the user named
 * it, else NULL.  1: it can be called; 0: a role is not filled, see missing.
 */
int ferry__call_new(struct ferry__call **out, struct ferry_plan *p,
		    const struct ferry_known *conversion,
		    struct ferry_document *main, const char *path,
		    struct ferry_error *err);
/* What it would lose: the caller's. */
int ferry__call_losses(struct ferry__call *call, struct ferry_findings **out,
		       struct ferry_error *err);
/* The document it makes: the plan's, also when this fails. */
int ferry__call_run(struct ferry__call *call, struct ferry_document **out,
		    struct ferry_error *err);
/* It is a part of the plan: its losses, notes and inputs are told, and then the
 * step. */
int ferry__call_take(struct ferry__call *call,
		     const struct ferry_document *made, const char *what,
		     const char *detail, struct ferry_error *err);

#endif
