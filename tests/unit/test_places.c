/* The places of tensors, and their names. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/build.h>
#include <ferry/sys/map.h>
#include <ferry/tensor.h>

static struct ferry_document *doc;
static struct ferry_store *s;
static struct ferry_storage *st;
static struct ferry_places places;

static void open_document(void)
{
	struct ferry_source *src;

	cr_assert_eq(ferry_document_new(&doc, NULL, NULL), 0);
	s = doc->store;
	cr_assert_eq(ferry_source_zero(&src, 64, NULL), 0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	st = ferry_storage(s, FERRY_F32, src, 0, 64);
}

static void close_document(void)
{
	ferry_places_release(&places);
	ferry_document_free(doc);
}

TestSuite(places, .init = open_document, .fini = close_document);

static struct ferry_value *tensor(void)
{
	return ferry_tensor(s, FERRY_F32, 1, (uint64_t[]){ 4 }, NULL, 0, st);
}

static struct ferry_value *sequence(enum ferry_kind kind, unsigned n,
				    struct ferry_value **items)
{
	struct ferry_value *v = ferry_sequence(s, kind, n);

	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(ferry_list_add(s, v, items[i]), 0);
	return v;
}

#define TUPLE(n, ...) \
	sequence(FERRY_TUPLE, n, (struct ferry_value *[]){ __VA_ARGS__ })
#define LIST(n, ...) \
	sequence(FERRY_LIST, n, (struct ferry_value *[]){ __VA_ARGS__ })

static struct ferry_value *object(struct ferry_value *args, int payload)
{
	struct ferry_value *o;

	o = ferry_object(s, FERRY_FORM_CALL, ferry_global(s, "m", 1, "C", 1),
			 args, NULL);
	o->u.object->payload = (int16_t)payload;
	return o;
}

static struct ferry_value *parameter(struct ferry_value *data)
{
	return object(TUPLE(2, data, ferry_bool(true)), 0);
}

static struct ferry_value *dict1(const char *key, struct ferry_value *value)
{
	struct ferry_value *d = ferry_dict(s, 1);

	cr_assert_eq(ferry_dict_set_str(s, d, key, value), 0);
	return d;
}

static void set(struct ferry_value *d, const char *key, struct ferry_value *v)
{
	cr_assert_eq(ferry_dict_set_str(s, d, key, v), 0);
}

static void set_key(struct ferry_value *d, struct ferry_value *key)
{
	cr_assert_eq(ferry_dict_set(s, d, key, tensor()), 0);
}

static void list_places(struct ferry_value *root)
{
	doc->root = root;
	cr_assert_eq(ferry_places_init(&places, doc, NULL), 0);
}

/* The names, joined by "|". */
static void are_named(struct ferry_value *root, const char *expected)
{
	char names[2000] = "";
	size_t n = 0;

	list_places(root);
	for (size_t i = 0; i < places.n; i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s",
				      i ? "|" : "", places.items[i].name);
	cr_assert_str_eq(names, expected);
}

Test(places, a_state_dict_gives_its_keys)
{
	struct ferry_value *d = dict1("conv.weight", tensor());

	set(d, "conv.bias", parameter(tensor()));
	set(d, "epoch", ferry_int(s, 3));
	set(d, "st", ferry_storage_value(s, st));
	are_named(d, "conv.weight|conv.bias|st");
	cr_assert_eq(places.items[0].holder, places.items[0].value);
	cr_assert_eq(places.items[1].holder->kind, FERRY_OBJECT);
	cr_assert_eq(places.items[1].value->kind, FERRY_TENSOR);
	cr_assert_eq(places.items[2].value->kind, FERRY_STORAGE);
	for (size_t i = 0; i < places.n; i++)
		cr_assert_eq(ferry_value_at(d, places.items[i].name),
			     places.items[i].holder);
}

Test(places, an_ordered_dict_with_metadata)
{
	struct ferry_value *o = object(TUPLE(0, NULL), -1);

	o->u.object->dict = dict1("w", tensor());
	o->u.object->state = dict1("_metadata", dict1("w", tensor()));
	are_named(dict1("model", o), "model.w|model.state._metadata.w");
}

Test(places, a_module_tree)
{
	struct ferry_value *inner = object(TUPLE(0, NULL), -1);
	struct ferry_value *outer = object(TUPLE(1, tensor()), -1);
	struct ferry_value *mods = object(TUPLE(0, NULL), -1);

	inner->u.object->state = dict1("_parameters",
				       dict1("weight", parameter(tensor())));
	mods->u.object->dict = dict1("0", inner);
	outer->u.object->state = dict1("_modules", mods);
	set(outer->u.object->state, "_buffers", dict1("b", tensor()));
	are_named(outer, "args.0|_modules.0._parameters.weight|_buffers.b");
	for (size_t i = 0; i < places.n; i++)
		cr_assert_eq(ferry_value_at(outer, places.items[i].name),
			     places.items[i].holder);
}

Test(places, states_with_slots_lists_and_odd_states)
{
	struct ferry_value *slots = object(TUPLE(0, NULL), -1);
	struct ferry_value *list = object(TUPLE(0, NULL), -1);
	struct ferry_value *odd = object(TUPLE(0, NULL), -1);
	struct ferry_value *states = object(TUPLE(0, NULL), -1);

	slots->u.object->state = TUPLE(2, dict1("a", tensor()),
				       dict1("b", tensor()));
	list->u.object->list = LIST(1, tensor());
	list->u.object->kwargs = dict1("k", tensor());
	odd->u.object->state = TUPLE(2, tensor(), ferry_none());
	states->u.object->state = TUPLE(2, dict1("a", tensor()), ferry_none());
	states->u.object->flags = FERRY_STATES;
	are_named(LIST(4, slots, list, odd, states),
		  "0.a|0.b|1.kwargs.k|1.0|2.state.0|3.state.0.a");
}

Test(places, what_is_beside_a_payload_is_named)
{
	struct ferry_value *p = object(TUPLE(2, tensor(),
					     dict1("hook", tensor())), 0);
	struct ferry_value *t = tensor();

	p->u.object->state = dict1("grad", tensor());
	t->u.tensor->extra = dict1("torch", dict1("scales", tensor()));
	are_named(LIST(2, p, parameter(parameter(t))),
		  "0|0.args.1.hook|0.grad|1|1.extra.torch.scales");
	cr_assert_eq(places.items[3].value, t);
	cr_assert_eq(ferry_value_at(doc->root, "1.extra.torch.scales"),
		     places.items[4].value);
}

Test(places, a_payload_that_is_no_tensor_is_transparent)
{
	are_named(dict1("x", object(TUPLE(2, ferry_none(),
					  dict1("w", tensor())), 1)), "x.w");
}

Test(places, shared_tensors_are_listed_shared_containers_are_not)
{
	struct ferry_value *t = tensor(), *p = parameter(t);
	struct ferry_value *d = dict1("t", t);
	struct ferry_value *root = dict1("a", d);

	set(root, "b", d);
	set(root, "c", t);
	set(root, "d", p);
	set(root, "e", p);
	set(root, "self", root);
	are_named(root, "a.t|c|d|e");
	for (size_t i = 0; i < places.n; i++)
		cr_assert_eq(places.items[i].same, 0);
	cr_assert_eq(places.items[2].holder, p);
	cr_assert_eq(places.items[3].holder, p);
}

Test(places, payloads_behind_shared_arguments_are_listed)
{
	struct ferry_value *args = TUPLE(1, tensor());

	are_named(LIST(3, object(args, 0), object(args, 0), object(args, -1)),
		  "0|1");
	cr_assert_eq(places.items[1].same, 0);
}

Test(places, names_are_unique)
{
	struct ferry_value *root = dict1("a", dict1("b", tensor()));

	set(root, "a.b", tensor());
	set(root, "a.b#2", tensor());
	set(root, "a.b#3", tensor());
	set_key(root, ferry_int(s, 1));
	set(root, "1", tensor());
	are_named(root, "a.b|a.b#2|a.b#2#2|a.b#3|1|1#2");
}

Test(places, all_kinds_of_keys_are_readable)
{
	struct ferry_value *d = ferry_dict(s, 0);
	bool bad;

	set_key(d, ferry_string(s, "n\0l", 3));
	set_key(d, ferry_int(s, -3));
	set_key(d, ferry_big_decimal(s, "-99999999999999999999", 21, &bad));
	set_key(d, ferry_none());
	set_key(d, ferry_bool(true));
	set_key(d, ferry_float(s, 0.1));
	set_key(d, ferry_float(s, NAN));
	set_key(d, ferry_bytes(s, "a'\xff", 3, 0));
	set_key(d, ferry_global(s, "torch", 5, "float32", 7));
	set_key(d, TUPLE(2, ferry_int(s, 1), ferry_cstring(s, "a")));
	set_key(d, tensor());
	set_key(d, ferry_complex(s, 1, 2));
	are_named(d, "n\\0l|-3|-99999999999999999999|None|True|0.1|nan|"
		  "b'a\\x27\\xff'|torch.float32|(1,a)|keys.10|<tensor 10>|"
		  "<complex 11>");
	for (size_t i = 0; i < places.n; i++)
		cr_assert_eq(ferry_value_at(d, places.items[i].name),
			     places.items[i].holder);
}

Test(places, a_tensor_alone_and_nothing)
{
	are_named(tensor(), "");
	cr_assert_eq(places.n, 1);
	ferry_places_release(&places);
	are_named(parameter(tensor()), "");
	ferry_places_release(&places);
	are_named(ferry_int(s, 3), "");
	cr_assert_eq(places.n, 0);
	ferry_places_release(&places);
	list_places(LIST(0, NULL));
	cr_assert_eq(places.n, 0);
}

Test(places, many_tensors_take_linear_time, .timeout = 30)
{
	struct ferry_value *d = ferry_dict(s, 0);
	struct ferry_map map = FERRY_MAP_INIT;
	char key[40];

	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "layers.%d.weight", i);
		set(d, key, tensor());
	}
	list_places(d);
	cr_assert_eq(places.n, 100000);
	for (size_t i = 0; i < places.n; i++) {
		cr_assert(!ferry_map_get(&map, places.items[i].name,
					 strlen(places.items[i].name), NULL));
		ferry_map_put(&map, places.items[i].name,
			      strlen(places.items[i].name), i);
		cr_assert_eq(places.items[i].same, i);
	}
	ferry_map_release(&map);
}

Test(places, colliding_names_take_linear_time, .timeout = 30)
{
	struct ferry_value *list = ferry_sequence(s, FERRY_LIST, 0);
	struct ferry_value *d = ferry_dict(s, 0);

	for (int i = 0; i < 50000; i++)
		set_key(d, TUPLE(3, TUPLE(1, TUPLE(1, ferry_int(s, i))),
				 ferry_cstring(s, "x"), ferry_none()));
	ferry_list_add(s, list, d);
	list_places(d);
	cr_assert_eq(places.n, 50000);
	cr_assert_str_eq(places.items[0].name, "(((...)),x,None)");
	cr_assert_str_eq(places.items[49999].name, "(((...)),x,None)#50000");
}

Test(places, long_keys_are_whole_alone_and_bounded_in_sum, .timeout = 30)
{
	enum { LONG = 10000, MANY = 20000 };
	struct ferry_value *d = ferry_dict(s, 0), *inner = ferry_dict(s, 0);
	char key[LONG + 1];
	uint64_t total = 0;
	size_t n;

	memset(key, 'k', LONG);
	key[LONG] = '\0';
	for (int i = 0; i < MANY; i++)
		set_key(inner, ferry_int(s, i));
	set(d, key, inner);
	list_places(d);
	cr_assert_eq(places.n, MANY);
	cr_assert(!strncmp(places.items[0].name, key, LONG));
	cr_assert_str_eq(places.items[0].name + LONG, ".0");
	for (size_t i = 0; i < places.n; i++)
		total += strlen(places.items[i].name);
	cr_assert_lt(total, (64 << 20) + MANY * 1100);
	n = strlen(places.items[MANY - 1].name);
	cr_assert_lt(n, 1100);
	cr_assert_not_null(strstr(places.items[MANY - 1].name, "...#"));
}

Test(places, depth_and_sharing_cost_nothing, .timeout = 30)
{
	struct ferry_value *v = tensor();

	for (int i = 0; i < 100000; i++)
		v = LIST(2, v, v);
	list_places(v);
	cr_assert_eq(places.n, 2);
	cr_assert_eq(places.items[1].same, 0);
	cr_assert_lt(strlen(places.items[0].name), 17000);
}
