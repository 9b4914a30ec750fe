/* Dtypes a target does not hold. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/map.h>
#include <ferry/sys/ops.h>

#include "core/chain/plan.h"
#include "core/chain/walk.h"

/* What takes the place of a dtype, best first. */
static const uint8_t wider_float[] = { FERRY_F32, FERRY_F64, 0 };
static const uint8_t narrower_float[] = { FERRY_F32, 0 };
static const uint8_t wider_complex[] = { FERRY_C64, FERRY_C128, 0 };
static const uint8_t narrower_complex[] = { FERRY_C64, 0 };
static const uint8_t wider_signed[] = {
	FERRY_I16, FERRY_I32, FERRY_I64, 0
};
static const uint8_t over_u16[] = { FERRY_I32, FERRY_U32, FERRY_I64, 0 };
static const uint8_t over_u32[] = { FERRY_I64, FERRY_U64, 0 };
static const uint8_t over_bool[] = { FERRY_U8, FERRY_I8, FERRY_I32, 0 };
static const uint8_t over_u8[] = {
	FERRY_I16, FERRY_U16, FERRY_I32, FERRY_I64, 0
};
static const uint8_t over_i16[] = { FERRY_I32, FERRY_I64, 0 };
static const uint8_t over_i32[] = { FERRY_I64, 0 };

static const uint8_t *candidates(enum ferry_dtype d)
{
	switch (d) {
	case FERRY_F64:
		return narrower_float;
	case FERRY_C128:
		return narrower_complex;
	case FERRY_C32:
	case FERRY_C64:
		return wider_complex;
	case FERRY_BOOL8:
		return over_bool;
	case FERRY_U8:
		return over_u8;
	case FERRY_I8:
		return wider_signed;
	case FERRY_U16:
		return over_u16;
	case FERRY_I16:
		return over_i16;
	case FERRY_U32:
		return over_u32;
	case FERRY_I32:
		return over_i32;
	default:
		return ferry_dtype_is_float(d) && ferry_dtype_size(d) ?
		       wider_float : NULL;
	}
}

static enum ferry_dtype substitute(enum ferry_dtype d, uint64_t mask)
{
	const uint8_t *c = candidates(d);

	for (; c && *c; c++)
		if (*c != d && (mask & FERRY_DTYPE_BIT(*c)))
			return (enum ferry_dtype)*c;
	return FERRY_DTYPE_NONE;
}

struct fitting {
	struct ferry_plan *p;
	uint64_t mask;
	uint64_t counts[FERRY_N_DTYPES];
	struct ferry_map cast;		/* id of a tensor -> its cast */
	struct ferry_error *err;
};

static int fit(void *ctx, struct ferry_value **slot, bool seen)
{
	struct fitting *f = ctx;
	struct ferry_value *v = *slot, *now;
	enum ferry_dtype d, to;
	uint64_t found;
	int rc;

	if (v->kind != FERRY_TENSOR)
		return 0;
	d = v->u.tensor->dtype;
	if (f->mask & FERRY_DTYPE_BIT(d))
		return 0;
	if (seen && ferry_map_get(&f->cast, &v->id, sizeof(v->id), &found)) {
		*slot = (struct ferry_value *)(uintptr_t)found;
		return 0;
	}
	f->counts[d]++;
	to = substitute(d, f->mask);
	if (to == FERRY_DTYPE_NONE)
		return 0;
	rc = ferry_op_cast(f->p->store, v, to, &now, f->err);
	if (rc)
		return rc;
	if (ferry_map_put(&f->cast, &v->id, sizeof(v->id), (uintptr_t)now))
		return ferry_fail_nomem(f->err, "a plan");
	*slot = now;
	return 0;
}

static int name_first(struct ferry_plan *p, enum ferry_dtype d, char *out,
		      size_t cap, struct ferry_error *err)
{
	struct ferry_places places;
	int rc = ferry_places_init(&places, p->doc, err);

	if (rc)
		return rc;
	*out = '\0';
	for (size_t i = 0; i < places.n; i++) {
		const struct ferry_value *v = places.items[i].value;

		if (v->kind != FERRY_TENSOR || v->u.tensor->dtype != d)
			continue;
		ferry_escape(out, cap, places.items[i].name,
			     strlen(places.items[i].name));
		break;
	}
	ferry_places_release(&places);
	return 0;
}

static int fail_unfit(struct fitting *f, enum ferry_dtype d,
		      const char *holder)
{
	char name[200];
	int rc = name_first(f->p, d, name, sizeof(name), f->err);

	if (rc)
		return rc;
	return ferry_fail(f->err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "%s%s%s is %s, which %s does not hold; %swrite "
			  "another format", *name ? "tensor '" : "the tensor",
			  name, *name ? "'" : "", ferry_dtype_name(d), holder,
			  *name ? "drop it (--drop), or " : "");
}

static int note_loss(struct fitting *f, struct ferry_findings *losses,
		     enum ferry_dtype d, const char *holder)
{
	enum ferry_dtype to = substitute(d, f->mask);

	return ferry_findings_add(losses, FERRY_WARNING, "dtype", "",
				  FERRY_NO_OFFSET, "%s holds no %s: %" PRIu64
				  " tensor%s become%s %s (--cast chooses)",
				  holder, ferry_dtype_name(d), f->counts[d],
				  f->counts[d] == 1 ? "" : "s",
				  f->counts[d] == 1 ? "s" : "",
				  ferry_dtype_name(to)) ?
	       ferry_fail_nomem(f->err, "findings") : 0;
}

static int report(struct fitting *f, const char *holder)
{
	struct ferry_findings *losses;
	int rc = ferry_findings_new(&losses, f->err);

	if (rc)
		return rc;
	for (int d = 1; d < FERRY_N_DTYPES && !rc; d++) {
		if (!f->counts[d])
			continue;
		rc = substitute(d, f->mask) == FERRY_DTYPE_NONE ?
		     fail_unfit(f, d, holder) :
		     note_loss(f, losses, d, holder);
	}
	if (!rc)
		rc = ferry__take_losses(f->p, losses, false, f->err);
	ferry_findings_free(losses);
	return rc;
}

int ferry__fit_dtypes(struct ferry_plan *p, uint64_t mask, const char *holder,
		      struct ferry_error *err)
{
	struct fitting f = { .p = p, .mask = mask, .err = err };
	struct ferry__walk w = { .visit = fit, .ctx = &f };
	int rc;

	if (ferry_marks_init(&w.marks, p->store))
		return ferry_fail_nomem(err, "a plan");
	rc = ferry__walk(&w, &p->doc->root);
	if (!rc)
		rc = report(&f, holder);
	ferry_marks_release(&w.marks);
	ferry_map_release(&f.cast);
	return rc;
}
