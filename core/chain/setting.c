/* Settings: who of a plan takes each, and what the document itself hints at. */
#include "config.h"

#include <string.h>

#include "core/chain/plan.h"

static bool reader_knows(const struct ferry__input *in, const char *setting)
{
	const struct ferry_format *f = in->format ? in->format->format : NULL;

	return f && ferry__option_known(f->read_options, setting);
}

bool ferry__setting_known(const struct ferry_plan *p, const char *setting)
{
	for (size_t i = 0; i < p->n_inputs; i++)
		if (reader_knows(&p->inputs[i], setting))
			return true;
	for (size_t i = 0; i < p->n_named; i++)
		if (reader_knows(p->named[i], setting))
			return true;
	for (size_t i = 0; i < p->n_conversions; i++)
		if (ferry__option_known(p->conversions[i]->conversion->options,
					setting))
			return true;
	if (ferry__option_known(p->average_options, setting) ||
	    (p->rules && ferry__option_known(ferry_rules_options(p->rules),
					     setting)))
		return true;
	return p->writer &&
	       ferry__option_known(p->writer->format->write_options, setting);
}

static void list_options(struct ferry_buffer *out,
			 const struct ferry_option_spec *spec, const char *of)
{
	for (; spec && spec->name; spec++)
		ferry_buffer_printf(out, "%s%s (%s)", out->n ? ", " : "",
				    spec->name, of);
}

/* Edits that would run for their options. */
static void list_edits(const struct ferry_plan *p, struct ferry_buffer *out)
{
	const struct ferry_known *c;

	for (size_t i = 0; p->input_type.type &&
	     (c = ferry_session_get(p->s, FERRY_KNOWN_CONVERSIONS, i)); i++)
		if (ferry__is_edit(c) &&
		    !strcmp(c->conversion->output, p->input_type.type->name))
			list_options(out, c->conversion->options, c->name);
}

static void list_known(const struct ferry_plan *p, struct ferry_buffer *out)
{
	const struct ferry_known *row;

	for (size_t i = 0; i < p->n_inputs; i++) {
		row = p->inputs[i].format;
		if (row)
			list_options(out, row->format->read_options,
				     "reading");
	}
	for (size_t i = 0; i < p->n_conversions; i++)
		if (!ferry__is_edit(p->conversions[i]))
			list_options(out, p->conversions[i]->conversion->
				     options, p->conversions[i]->name);
	list_options(out, p->average_options, "average");
	if (p->rules)
		list_options(out, ferry_rules_options(p->rules), "handling");
	list_edits(p, out);
	if (p->writer)
		list_options(out, p->writer->format->write_options, "writing");
}

int ferry__check_settings(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	char shown[96];
	size_t i = 0;

	while (i < p->job.n_settings &&
	       ferry__setting_known(p, p->job.settings[i]))
		i++;
	if (i == p->job.n_settings)
		return 0;
	ferry_escape(shown, sizeof(shown), p->job.settings[i],
		     strlen(p->job.settings[i]));
	list_known(p, &known);
	ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
		   "setting '%s' is none of this plan; it has: %.400s", shown,
		   known.n ? known.data : "none");
	ferry_buffer_release(&known);
	return FERRY_MISUSE;
}

/* ---- the writer's -------------------------------------------------------- */

/* "NAME=VALUE" in the store; NULL: not a hint. */
static int hint_text(struct ferry_plan *p, const struct ferry_pair *pair,
		     const char **out)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	*out = NULL;
	if (pair->key->kind != FERRY_STRING ||
	    pair->value->kind != FERRY_STRING)
		return 0;
	ferry_buffer_add(&b, pair->key->u.s.data, pair->key->u.s.nbytes);
	ferry_buffer_add_str(&b, "=");
	ferry_buffer_add(&b, pair->value->u.s.data, pair->value->u.s.nbytes);
	if (!b.failed)
		*out = ferry_store_strndup(p->store, b.data, b.n);
	ferry_buffer_release(&b);
	return *out ? 0 : FERRY_NOMEM;
}

/* Hints that the writer has an option for, before all that overrides them. */
static int add_hints(struct ferry_plan *p, const struct ferry_value *hints)
{
	const struct ferry_option_spec *specs = p->write_options.specs;
	const char *text;

	for (uint32_t i = 0; i < hints->u.dict.n; i++) {
		if (hint_text(p, &hints->u.dict.pairs[i], &text))
			return FERRY_NOMEM;
		if (text && ferry__option_known(specs, text))
			p->settings[p->n_settings++] = text;
	}
	return 0;
}

int ferry__set_options(struct ferry_plan *p, struct ferry_error *err)
{
	static const char *const policies[] = {
		[FERRY_SHARED_KEEP] = "shared=keep",
		[FERRY_SHARED_COPY] = "shared=copy",
		[FERRY_SHARED_FIRST] = "shared=first",
		[FERRY_SHARED_ERROR] = "shared=error",
	};
	const struct ferry_value *hints = p->doc->hints;

	if (!p->writer)
		return 0;
	if (hints && hints->kind != FERRY_DICT)
		hints = NULL;
	p->settings = ferry_store_array(p->store, p->job.n_settings + 1 +
					(hints ? hints->u.dict.n : 0),
					sizeof(*p->settings));
	p->write_options.specs = p->writer->format->write_options;
	if (!p->settings || (hints && add_hints(p, hints)))
		return ferry_fail_nomem(err, "a plan");
	p->settings[p->n_settings++] = policies[p->job.shared];
	for (size_t i = 0; i < p->job.n_settings; i++)
		p->settings[p->n_settings++] = p->job.settings[i];
	p->write_options.settings = p->settings;
	p->write_options.n = p->n_settings;
	return 0;
}
