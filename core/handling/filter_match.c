/* One parameter against a tree of filters. */
#include "config.h"

#include "core/handling/filter.h"

#include <inttypes.h>
#include <string.h>

bool ferry__filter_contains(const char *text, size_t n, const char *part)
{
	return memmem(text, n, part, strlen(part)) != NULL;
}

static bool starts(const char *text, size_t n, const char *part)
{
	size_t k = strlen(part);

	return k <= n && !memcmp(text, part, k);
}

static bool ends(const char *text, size_t n, const char *part)
{
	size_t k = strlen(part);

	return k <= n && !memcmp(text + n - k, part, k);
}

static bool has_text(const struct filter_texts *t, const char *text)
{
	for (size_t i = 0; text && i < t->n; i++)
		if (!strcmp(t->items[i], text))
			return true;
	return false;
}

static int charge(struct filter_subject *s, size_t n)
{
	s->steps += n;
	if (s->steps <= FERRY__FILTER_STEPS)
		return 0;
	return ferry_fail(s->err, FERRY_LIMIT, "filters", FERRY_NO_OFFSET,
			  "filters take more than %" PRIu64 " comparisons; use "
			  "fewer patterns", FERRY__FILTER_STEPS);
}

/* 1 when any pattern matches. */
static int match_name(struct filter_subject *s, const struct filter *f)
{
	int rc = 0;

	for (size_t i = 0; i < f->patterns.n && !rc; i++) {
		const char *text = f->patterns.items[i];

		switch (f->match) {
		case FILTER_CONTAINS:
			rc = ferry__filter_contains(s->name, s->n_name, text);
			break;
		case FILTER_STARTSWITH:
			rc = starts(s->name, s->n_name, text);
			break;
		case FILTER_ENDSWITH:
			rc = ends(s->name, s->n_name, text);
			break;
		case FILTER_REGEX:
			rc = ferry__pattern_match(&f->regexes[i], s->matcher,
						  s->name, s->n_name, s->err);
			break;
		}
	}
	return rc;
}

/* The class of the module that owns the parameter. */
static int owner_type(struct filter_subject *s, const char **out)
{
	const char *dot = memrchr(s->name, '.', s->n_name);
	uint64_t at;

	*out = NULL;
	if (!s->filters->has_layer_types)
		return ferry_fail(s->err, FERRY_UNSUPPORTED, "filters",
				  FERRY_NO_OFFSET, "a filter asks for the "
				  "layer type of %.200s, which weights do not "
				  "tell; add a table `layer_types` of module "
				  "paths to class names", s->spec->name);
	if (ferry_map_get(&s->filters->layer_types, s->name,
			  dot ? (size_t)(dot - s->name) : 0, &at))
		*out = (const char *)(uintptr_t)at;
	return 0;
}

static int match_type(struct filter_subject *s, const struct filter *f)
{
	const char *type;
	int rc = owner_type(s, &type);

	return rc ? rc : has_text(&f->types, type);
}

static int match_convolutional(struct filter_subject *s,
			       const struct filter *f)
{
	int rc;

	if (s->spec->ndim != 4)
		return 0;
	rc = f->patterns.n ? match_name(s, f) : 1;
	return rc > 0 && f->types.n ? match_type(s, f) : rc;
}

static int match_initial(struct filter_subject *s)
{
	const struct ferry_tensor_spec *is = s->spec, *was;

	if (!s->initial) {
		s->asked_initial = true;
		return 1;
	}
	was = ferry_tensor_schema_at(s->initial, s->name);
	return !was || was->ndim != is->ndim ||
	       memcmp(was->shape, is->shape, is->ndim * sizeof(*is->shape));
}

/* The last stage of the table that has a part of the name is the one. */
static int match_stage(struct filter_subject *s, const struct filter *f)
{
	const struct ferry_filters *all = s->filters;
	const char *stage = NULL;

	s->asked_stages |= !all->n_stages;
	for (size_t i = 0; i < all->n_stages; i++)
		for (size_t k = 0; k < all->stages[i].parts.n; k++)
			if (ferry__filter_contains(s->name, s->n_name,
					   all->stages[i].parts.items[k]))
				stage = all->stages[i].name;
	return has_text(&f->stages, stage);
}

static int match_parts(struct filter_subject *s, const struct filter *f,
		       int until)
{
	int rc = !until;

	for (size_t i = 0; i < f->n_parts && rc == !until; i++)
		rc = ferry__filter_match(s, f->parts[i]);
	return rc;
}

int ferry__filter_match(struct filter_subject *s, const struct filter *f)
{
	int rc = charge(s, 1 + f->patterns.n + f->types.n + f->stages.n +
			(f->kind == FILTER_STAGE_BASED ?
			 s->filters->n_stages : 0));

	if (rc)
		return rc;
	switch (f->kind) {
	case FILTER_DIMENSION:
		return s->spec->ndim < 64 && f->ranks >> s->spec->ndim & 1;
	case FILTER_CONVOLUTIONAL:
		return match_convolutional(s, f);
	case FILTER_NAME:
		return match_name(s, f);
	case FILTER_LAYER_TYPE:
		return match_type(s, f);
	case FILTER_INITIALIZATION:
		return match_initial(s);
	case FILTER_STAGE_BASED:
		return match_stage(s, f);
	case FILTER_AND:
		return match_parts(s, f, 0);
	case FILTER_OR:
		return match_parts(s, f, 1);
	default:
		rc = ferry__filter_match(s, f->parts[0]);
		return rc < 0 ? rc : !rc;
	}
}
