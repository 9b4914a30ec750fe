/* What a session's rows declare, for people and tools that choose. */
#include "config.h"

#include <ferry/abilities.h>

#include <stddef.h>
#include <string.h>

#include <ferry/sys/plugin.h>

/* A field beyond what the plugin was compiled with counts as zero. */
#define HAS(d, field) \
	((d)->struct_size >= offsetof(__typeof__(*(d)), field) + \
	 sizeof((d)->field) && (d)->field)

static void format_abilities(const struct ferry_format *f,
			     struct ferry_abilities *out)
{
	out->suffixes = f->suffixes;
	out->flags = f->flags;
	out->dtypes = f->dtypes;
	out->reads = HAS(f, read);
	out->writes = HAS(f, write);
	out->verifies = HAS(f, verify);
	out->scans = HAS(f, scan);
	out->read_options = HAS(f, read_options) ? f->read_options : NULL;
	out->write_options = HAS(f, write_options) ? f->write_options : NULL;
}

static void type_abilities(const struct ferry_artifact_type *t,
			   struct ferry_abilities *out)
{
	out->suffixes = HAS(t, suffixes) ? t->suffixes : NULL;
	out->describes = HAS(t, describe);
	out->checks = HAS(t, check);
	out->has_weights = HAS(t, weights);
	out->dtypes = HAS(t, dtypes) ? t->dtypes : 0;
	out->output_suffix = HAS(t, output_suffix) ? t->output_suffix : NULL;
	out->average_options = HAS(t, average_options) ? t->average_options :
			       NULL;
	out->check_options = HAS(t, check_options) ? t->check_options : NULL;
}

static void conversion_abilities(const struct ferry_conversion *c,
				 struct ferry_abilities *out)
{
	out->roles = c->roles;
	out->output = c->output;
	out->cost = c->cost;
	out->options = HAS(c, options) ? c->options : NULL;
	out->upgrades = HAS(c, flags) &&
			c->flags & FERRY_CONVERSION_UPGRADE;
}

void ferry_known_abilities(const struct ferry_known *known,
			   struct ferry_abilities *out)
{
	memset(out, 0, sizeof(*out));
	if (known->format)
		format_abilities(known->format, out);
	if (known->type)
		type_abilities(known->type, out);
	if (known->conversion)
		conversion_abilities(known->conversion, out);
}
