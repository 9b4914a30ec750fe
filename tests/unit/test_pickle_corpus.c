/*
 * The cases of tests/corpus/pickle.  valid/<case>/expect is the value as text
 * and the offset of its end; of an invalid case it is the code, the offset and
 * the message.  With FERRY_UPDATE_CORPUS in the environment they are written.
 *
 * A valid case is also written at every protocol, and read back as the same.
 */
#include "config.h"

#include "formats/pickle/pickle.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <ferry/sys/python_name.h>

enum {
	MOST_CASES = 400,
	MOST_IDS = 4096,
};

/* A value as one line of text: "&3" before what "*3" refers to later. */
struct dump {
	struct ferry_buffer out;
	uint32_t seen[MOST_IDS];	/* by id: number + 1 */
	uint32_t n;
	bool modern_names;		/* as Python 3 reads them */
};

static void dump_value(struct dump *d, const struct ferry_value *v);

static void dump_bytes(struct dump *d, const char *data, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (data[i] >= 0x20 && data[i] < 0x7f && data[i] != '\\' &&
		    data[i] != '"')
			ferry_buffer_printf(&d->out, "%c", data[i]);
		else
			ferry_buffer_printf(&d->out, "\\x%02x",
					    (unsigned char)data[i]);
}

static void dump_text(struct dump *d, const char *prefix, const char *data,
		      uint64_t n)
{
	ferry_buffer_printf(&d->out, "%s\"", prefix);
	dump_bytes(d, data, n);
	ferry_buffer_add_str(&d->out, "\"");
}

static void dump_items(struct dump *d, const char *open,
		       const struct ferry_value *v, const char *close)
{
	ferry_buffer_add_str(&d->out, open);
	for (uint32_t i = 0; i < v->u.list.n; i++) {
		if (i)
			ferry_buffer_add_str(&d->out, ", ");
		dump_value(d, v->u.list.items[i]);
	}
	ferry_buffer_add_str(&d->out, close);
}

static void dump_pairs(struct dump *d, const struct ferry_value *v)
{
	ferry_buffer_add_str(&d->out, "{");
	for (uint32_t i = 0; i < v->u.dict.n; i++) {
		if (i)
			ferry_buffer_add_str(&d->out, ", ");
		dump_value(d, v->u.dict.pairs[i].key);
		ferry_buffer_add_str(&d->out, ": ");
		dump_value(d, v->u.dict.pairs[i].value);
	}
	ferry_buffer_add_str(&d->out, "}");
}

static void dump_part(struct dump *d, const char *name,
		      const struct ferry_value *v)
{
	if (!v)
		return;
	ferry_buffer_printf(&d->out, " %s ", name);
	dump_value(d, v);
}

static void dump_object(struct dump *d, const struct ferry_object *o)
{
	static const char *const forms[] = { "call", "new", "instance",
					     "persistent", "extension",
					     "self" };

	ferry_buffer_printf(&d->out, "<%s", forms[o->form]);
	dump_part(d, "of", o->callable);
	dump_part(d, "args", o->args);
	dump_part(d, "kwargs", o->kwargs);
	if (o->list)
		dump_items(d, o->flags & FERRY_ADD_ITEMS ? " add [" : " list [",
			   o->list, "]");
	if (o->dict) {
		ferry_buffer_add_str(&d->out, " dict ");
		dump_pairs(d, o->dict);
	}
	if (o->flags & FERRY_STATES)
		dump_items(d, " states [", o->state, "]");
	else
		dump_part(d, o->flags & FERRY_STATE_FIRST ? "first state"
							  : "state",
			  o->state);
	if (o->flags & FERRY_DISCARDED)
		ferry_buffer_add_str(&d->out, " discarded");
	ferry_buffer_add_str(&d->out, ">");
}

static void dump_big(struct dump *d, const struct ferry_value *v)
{
	struct ferry_store *store;
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_assert_eq(ferry_store_new(&store, &err), 0);
	ferry_buffer_add_str(&d->out, ferry_int_text(store, v));
	ferry_store_unref(store);
}

static void dump_name(struct dump *d, const struct ferry_value *v)
{
	struct ferry_name name = {
		v->u.global.module, v->u.global.name,
		v->u.global.module_len, v->u.global.name_len,
	};

	if (d->modern_names)
		name = ferry_name_of(v);
	else if (v->flags & FERRY_PY2)
		ferry_buffer_add_str(&d->out, "old ");
	dump_bytes(d, name.module, name.module_len);
	ferry_buffer_add_str(&d->out, ":");
	dump_bytes(d, name.name, name.name_len);
}

static void dump_scalar(struct dump *d, const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_NONE:
		ferry_buffer_add_str(&d->out, "none");
		break;
	case FERRY_BOOL:
		ferry_buffer_add_str(&d->out, v->u.b ? "true" : "false");
		break;
	case FERRY_INT:
		dump_big(d, v);
		break;
	case FERRY_FLOAT:
		ferry_buffer_printf(&d->out, "%.17gf", v->u.f);
		break;
	case FERRY_COMPLEX:
		ferry_buffer_printf(&d->out, "%.17g+%.17gj", v->u.c.re,
				    v->u.c.im);
		break;
	case FERRY_STRING:
		dump_text(d, "", v->u.s.data, v->u.s.nbytes);
		break;
	case FERRY_BYTES:
		dump_text(d, v->flags & FERRY_PY2     ? "py2" :
			     v->flags & FERRY_MUTABLE ? "bytearray" : "bytes",
			  v->u.s.data, v->u.s.nbytes);
		break;
	default:
		dump_name(d, v);
	}
}

/* Only containers are told apart; equal strings and names are one. */
static bool has_number(const struct ferry_value *v)
{
	return (v->kind >= FERRY_LIST && v->kind <= FERRY_DICT &&
		!(v->kind == FERRY_TUPLE && !v->u.list.n)) ||
	       v->kind == FERRY_OBJECT;
}

static void dump_value(struct dump *d, const struct ferry_value *v)
{
	if (has_number(v)) {
		cr_assert_lt(v->id, MOST_IDS);
		if (d->seen[v->id]) {
			ferry_buffer_printf(&d->out, "*%u",
					    (unsigned)d->seen[v->id]);
			return;
		}
		d->seen[v->id] = ++d->n;
		ferry_buffer_printf(&d->out, "&%u ", (unsigned)d->n);
	}
	switch (v->kind) {
	case FERRY_LIST:
		dump_items(d, "[", v, "]");
		break;
	case FERRY_TUPLE:
		dump_items(d, "(", v, ")");
		break;
	case FERRY_SET:
		dump_items(d, "set{", v, "}");
		break;
	case FERRY_FROZENSET:
		dump_items(d, "frozenset{", v, "}");
		break;
	case FERRY_DICT:
		dump_pairs(d, v);
		break;
	case FERRY_OBJECT:
		dump_object(d, v->u.object);
		break;
	default:
		dump_scalar(d, v);
	}
}

static char *dump_text_of(const struct ferry_value *v, bool modern_names)
{
	struct dump *d = calloc(1, sizeof(*d));
	char *text;

	d->modern_names = modern_names;
	dump_value(d, v);
	text = d->out.data;
	cr_assert_not(d->out.failed);
	free(d);
	return text;
}

static void drop_text(char *text)
{
	struct ferry_buffer b = { .data = text };

	ferry_buffer_release(&b);
}

static const char *join(char *out, const char *folder, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);

	cr_assert(n > 0 && n < PATH_MAX);
	return out;
}

static char *slurp(const char *path, size_t *n)
{
	FILE *file = fopen(path, "rb");
	char *data = calloc(1, 1 << 17);

	if (!file) {
		free(data);
		return NULL;
	}
	*n = fread(data, 1, (1 << 17) - 1, file);
	fclose(file);
	return data;
}

/* Compare with the expectation, or write it. */
static void expect(const char *folder, const char *text)
{
	char path[PATH_MAX];
	char *expected;
	FILE *file;
	size_t n;

	join(path, folder, "expect");
	if (getenv("FERRY_UPDATE_CORPUS")) {
		file = fopen(path, "wb");
		cr_assert(file, "%s", path);
		fputs(text, file);
		fclose(file);
		return;
	}
	expected = slurp(path, &n);
	cr_assert(expected, "%s", path);
	cr_expect_str_eq(text, expected, "%s:\n%s\nnot\n%s", folder, text,
			 expected);
	free(expected);
}

static int decode(struct ferry_store *store, const char *data, size_t n,
		  struct ferry_value **out, uint64_t *end,
		  struct ferry_error *err)
{
	struct ferry_source *src;

	cr_assert_eq(ferry_source_from_memory(&src, data, n, "case", err), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	return pickle_read(src, 0, store, NULL, out, end, err);
}

/* Which of its names for a class is written depends on the protocol; what
 * Python 3 finds does not. */
static void check_written(const char *folder, struct ferry_store *store,
			  const struct ferry_value *root)
{
	static const unsigned protocols[] = { 2, 4, 5 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *back = NULL;
	char *again, *text = dump_text_of(root, true);
	uint64_t end;

	for (int i = 0; i < 3; i++) {
		struct pickle_writer_options options = {
			.protocol = protocols[i],
		};
		struct ferry_buffer out = FERRY_BUFFER_INIT;

		cr_assert_eq(pickle_write(root, &options, &out, &err), 0,
			     "%s: %s", folder, err.text);
		cr_assert_eq(decode(store, out.data, out.n, &back, &end, &err),
			     0, "%s at protocol %u: %s", folder, protocols[i],
			     err.text);
		cr_assert_eq(end, out.n);
		again = dump_text_of(back, true);
		cr_expect_str_eq(again, text,
				 "%s at protocol %u:\n%s\nnot\n%s", folder,
				 protocols[i], again, text);
		drop_text(again);
		ferry_buffer_release(&out);
	}
	drop_text(text);
}

static void check_valid(const char *folder)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_store *store;
	struct ferry_value *root = NULL;
	uint64_t end = 0;
	char *data, *dump, path[PATH_MAX];
	size_t n;

	data = slurp(join(path, folder, "input"), &n);
	cr_assert(data, "%s", folder);
	cr_assert_eq(ferry_store_new(&store, &err), 0);
	cr_assert_eq(decode(store, data, n, &root, &end, &err), 0, "%s: %s",
		     folder, err.text);
	dump = dump_text_of(root, false);
	ferry_buffer_printf(&text, "%s\nend %" PRIu64 "\n", dump, end);
	expect(folder, text.data);
	check_written(folder, store, root);
	drop_text(dump);
	ferry_buffer_release(&text);
	ferry_store_unref(store);
	free(data);
}

static void check_invalid(const char *folder)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_store *store;
	struct ferry_value *root = NULL, *names = NULL;
	struct ferry_source *src;
	char *data, path[PATH_MAX];
	uint64_t end;
	size_t n;
	int ret;

	data = slurp(join(path, folder, "input"), &n);
	cr_assert(data, "%s", folder);
	cr_assert_eq(ferry_store_new(&store, &err), 0);
	ret = decode(store, data, n, &root, &end, &err);
	cr_assert_neq(ret, 0, "%s was read", folder);
	cr_expect_eq(ret, err.code, "%s", folder);
	cr_expect_null(root, "%s", folder);
	ferry_buffer_printf(&text, "%s %" PRId64 "\n%s\n", ferry_code_name(ret),
			    (int64_t)err.offset, err.text);
	expect(folder, text.data);
	cr_assert_eq(ferry_source_from_memory(&src, data, n, "case", NULL), 0);
	pickle_scan(src, 0, store, &names, &end, NULL);
	cr_expect(names, "%s: nothing was scanned", folder);
	ferry_source_unref(src);
	ferry_buffer_release(&text);
	ferry_store_unref(store);
	free(data);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Run every folder, in order; at least `least` of them. */
static void each_case(const char *kind, size_t least,
		      void (*check)(const char *folder))
{
	const char *corpus = getenv("FERRY_CORPUS");
	char top[PATH_MAX], folder[PATH_MAX], *names[MOST_CASES];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	cr_assert(corpus, "FERRY_CORPUS is not set");
	snprintf(top, sizeof(top), "%s/pickle/%s", corpus, kind);
	dir = opendir(top);
	cr_assert(dir, "%s", top);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && n < MOST_CASES)
			names[n++] = strdup(entry->d_name);
	closedir(dir);
	qsort(names, n, sizeof(names[0]), by_name);
	cr_assert_geq(n, least);
	for (size_t i = 0; i < n; i++) {
		check(join(folder, top, names[i]));
		free(names[i]);
	}
}

Test(pickle_corpus, valid_cases_read_as_expected_and_survive_writing)
{
	each_case("valid", 150, check_valid);
}

Test(pickle_corpus, invalid_cases_are_refused_with_a_place_and_a_reason)
{
	each_case("invalid", 50, check_invalid);
}
