/* Parts of the artifacts. */
#include "config.h"

#include "plugins/caiman/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct ferry_value *at(struct ferry_value *in, const char *key)
{
	struct ferry_value *items = in ? ferry_value_items(in) : NULL;

	return items ? ferry_dict_get(items, key) : NULL;
}

bool is_mapping(struct ferry_value *v)
{
	return v && ferry_value_items(v);
}

bool number(const struct ferry_value *v, double *out)
{
	if (!v || (v->flags & FERRY_BIG))
		return false;
	if (v->kind == FERRY_FLOAT)
		*out = v->u.f;
	else if (v->kind == FERRY_INT)
		*out = (double)v->u.i;
	else
		return false;
	return true;
}

bool dimension(const struct ferry_value *v, uint64_t *out)
{
	if (!v || v->kind != FERRY_INT || (v->flags & FERRY_BIG) ||
	    v->u.i < 1 || v->u.i > UINT32_MAX)
		return false;
	*out = (uint64_t)v->u.i;
	return true;
}

const char *text_of(struct ferry_store *store, const struct ferry_value *v)
{
	return v && v->kind == FERRY_STRING ?
	       ferry_store_strndup(store, v->u.s.data, v->u.s.nbytes) : NULL;
}

const struct ferry_value *unk_handling(const struct ferry_value *v)
{
	const struct ferry_object *o;
	const struct ferry_value *args;

	if (v->kind == FERRY_STRING)
		return v;
	if (v->kind != FERRY_OBJECT)
		return NULL;
	o = v->u.object;
	args = o->args;
	if (o->form != FERRY_FORM_CALL || !o->callable || !args ||
	    args->kind != FERRY_TUPLE || !args->u.list.n ||
	    o->callable->kind != FERRY_GLOBAL ||
	    (strcmp(o->callable->u.global.name, "UnkHandling") &&
	     strcmp(o->callable->u.global.name, "getattr")))
		return NULL;
	v = args->u.list.items[args->u.list.n - 1];
	return v->kind == FERRY_STRING ? v : NULL;
}

struct making make(struct ferry_store *store, struct ferry_value *from)
{
	struct ferry_value *items = from ? ferry_value_items(from) : NULL;
	struct making m = { .store = store };

	m.dict = ferry_dict(store, items ? items->u.dict.n : 0);
	m.failed = !m.dict || (items &&
		   ferry_dict_replace(store, m.dict, items->u.dict.pairs,
				      items->u.dict.n));
	return m;
}

void put(struct making *m, const char *key, struct ferry_value *value)
{
	if (!m->failed)
		m->failed = !value || ferry_dict_set_str(m->store, m->dict, key,
							 value);
}

struct ferry_value *mapping_like(struct ferry_store *store,
				 struct ferry_value *like,
				 struct ferry_value *items)
{
	struct ferry_value *v;
	const struct ferry_object *old;

	if (!items || like->kind != FERRY_OBJECT)
		return items;
	old = like->u.object;
	v = ferry_object(store, old->form, old->callable, old->args,
			 old->kwargs);
	if (!v)
		return NULL;
	v->u.object->flags = old->flags;
	v->u.object->state = old->state;
	v->u.object->dict = items;
	return v;
}

bool model_of(struct ferry_value *rnnt, struct model *out)
{
	const struct {
		const char *key;
		uint64_t *value;
	} dims[] = {
		{ "in_feats", &out->F }, { "enc_n_hid", &out->E },
		{ "enc_pre_rnn_layers", &out->L1 },
		{ "enc_post_rnn_layers", &out->L2 },
		{ "enc_stack_time_factor", &out->S },
		{ "pred_n_hid", &out->P }, { "pred_rnn_layers", &out->LP },
		{ "joint_n_hid", &out->J },
	};
	bool ok = true;

	for (size_t i = 0; i < sizeof(dims) / sizeof(*dims); i++)
		ok &= dimension(at(rnnt, dims[i].key), dims[i].value);
	return ok;
}

uint64_t classes_of(struct ferry_value *weights)
{
	struct ferry_value *v = at(weights, "joint_net.2.weight");

	v = v ? ferry_value_payload(v) : NULL;
	return v && v->kind == FERRY_TENSOR && v->u.tensor->ndim == 2 ?
	       v->u.tensor->shape[0] : 0;
}

static uint64_t size_of(struct ferry_value *weights, const char *name,
			unsigned dim)
{
	struct ferry_value *v = at(weights, name);

	v = v ? ferry_value_payload(v) : NULL;
	return v && v->kind == FERRY_TENSOR && dim < v->u.tensor->ndim ?
	       v->u.tensor->shape[dim] : 0;
}

static uint64_t layers_of(struct ferry_value *weights, const char *net)
{
	char name[80];
	uint64_t n = 0;

	do
		snprintf(name, sizeof(name), "%s.lstm.weight_ih_l%" PRIu64, net,
			 n++);
	while (at(weights, name));
	return n - 1;
}

bool model_of_weights(struct ferry_value *weights, struct model *out)
{
	uint64_t stacked = size_of(weights, "encoder.post_rnn.lstm."
				   "weight_ih_l0", 1);

	*out = (struct model){
		.F = size_of(weights, "encoder.pre_rnn.lstm.weight_ih_l0", 1),
		.E = size_of(weights, "encoder.pre_rnn.lstm.weight_hh_l0", 1),
		.L1 = layers_of(weights, "encoder.pre_rnn"),
		.L2 = layers_of(weights, "encoder.post_rnn"),
		.P = size_of(weights, "prediction.embed.weight", 1),
		.LP = layers_of(weights, "prediction.dec_rnn"),
		.J = size_of(weights, "joint_pred.weight", 0),
	};
	out->S = out->E ? stacked / out->E : 0;
	return out->F && out->E && out->L1 && out->L2 && out->S && out->P &&
	       out->LP && out->J;
}
