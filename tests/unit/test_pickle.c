/* Pickles: the reader's callbacks and limits, and the writer's bytes. */
#include "config.h"

#include "formats/pickle/pickle.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/bytes.h>

static struct ferry_store *store;
static struct ferry_error err;

static void set_up(void)
{
	ferry_error_clear(&err);
	cr_assert_eq(ferry_store_new(&store, &err), 0);
}

static void tear_down(void)
{
	ferry_store_unref(store);
}

TestSuite(pickle, .init = set_up, .fini = tear_down);

static struct ferry_source *source_of(const void *data, size_t n)
{
	struct ferry_source *src;

	cr_assert_eq(ferry_source_from_memory(&src, data, n, "test", &err), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	return src;
}

static int read_with(const void *data, size_t n,
		     const struct pickle_reader_options *options,
		     struct ferry_value **out)
{
	uint64_t end;

	*out = NULL;
	return pickle_read(source_of(data, n), 0, store, options, out, &end,
			   &err);
}

#define READ(text, options, out) \
	read_with(text, sizeof(text) - 1, options, out)

static struct ferry_value *item(const struct ferry_value *list, uint32_t i)
{
	cr_assert_lt(i, list->u.list.n);
	return list->u.list.items[i];
}

/* Write and compare with the bytes of a literal. */
static void expect_bytes(const struct ferry_value *root, unsigned protocol,
			 const void *bytes, size_t n)
{
	struct pickle_writer_options options = { .protocol = protocol };
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	cr_assert_eq(pickle_write(root, &options, &out, &err), 0, "%s",
		     err.text);
	cr_expect_eq(out.n, n, "%zu bytes, not %zu", out.n, n);
	cr_expect(out.n == n && !memcmp(out.data, bytes, n));
	ferry_buffer_release(&out);
}

#define EXPECT_BYTES(root, protocol, text) \
	expect_bytes(root, protocol, text, sizeof(text) - 1)

static struct ferry_value *global(const char *module, const char *name)
{
	return ferry_global(store, module, strlen(module), name, strlen(name));
}

static struct ferry_value *list_of(enum ferry_kind kind,
				   struct ferry_value *const *items, uint32_t n)
{
	struct ferry_value *v = ferry_sequence(store, kind, 0);

	for (uint32_t i = 0; i < n; i++)
		cr_assert_eq(ferry_list_add(store, v, items[i]), 0);
	return v;
}

static struct ferry_value *call(struct ferry_value *callable,
				struct ferry_value *arg)
{
	return ferry_object(store, FERRY_FORM_CALL, callable,
			    list_of(FERRY_TUPLE, &arg, arg ? 1 : 0), NULL);
}

/* Calls of f become the string "replaced". */
static int reduce_f(void *ctx, struct ferry_store *s,
		    struct ferry_value *object, bool built,
		    struct ferry_value **out, struct ferry_error *e)
{
	const struct ferry_object *o = object->u.object;

	(void)e;
	++*(int *)ctx;
	if (o->callable->u.global.name[0] == (built ? 'b' : 'f'))
		*out = ferry_cstring(s, "replaced");
	return 0;
}

Test(pickle, what_a_reduce_callback_gives_is_on_the_stack_and_in_the_memo)
{
	int calls = 0;
	struct pickle_reader_options options = { .reduce = reduce_f,
						 .ctx = &calls };
	struct ferry_value *root;

	cr_assert_eq(READ("\x80\x02" "cm\nf\n)Rq\0h\0\x86.", &options, &root),
		     0);
	cr_expect_eq(calls, 1);
	cr_expect(ferry_value_is(item(root, 0), "replaced"));
	cr_expect_eq(item(root, 0), item(root, 1));
}

Test(pickle, a_built_object_is_replaced_where_others_point_to_it)
{
	int calls = 0;
	struct pickle_reader_options options = { .reduce = reduce_f,
						 .ctx = &calls };
	struct ferry_value *root;

	/* [b, b'] where b is built after it was put in the list */
	cr_assert_eq(READ("\x80\x02]cm\nb\n)Rq\0ah\0}ba.", &options, &root), 0,
		     "%s", err.text);
	cr_expect_eq(calls, 2);
	cr_expect(ferry_value_is(item(root, 0), "replaced"));
	cr_expect_eq(item(root, 0), item(root, 1));
}

static int reduce_fails(void *ctx, struct ferry_store *s,
			struct ferry_value *object, bool built,
			struct ferry_value **out, struct ferry_error *e)
{
	(void)ctx;
	(void)s;
	(void)object;
	(void)built;
	(void)out;
	return ferry_fail(e, FERRY_UNSUPPORTED, "test", 7, "not this one");
}

Test(pickle, a_callbacks_failure_is_the_readers)
{
	struct pickle_reader_options options = { .reduce = reduce_fails };
	struct ferry_value *root;

	cr_expect_eq(READ("cm\nf\n)R.", &options, &root), FERRY_UNSUPPORTED);
	cr_expect_str_eq(err.text, "not this one");
	cr_expect_eq(err.offset, 7);
	cr_expect_null(root);
}

static int persistent_number(void *ctx, struct ferry_store *s,
			     struct ferry_value *id, struct ferry_value **out,
			     struct ferry_error *e)
{
	(void)ctx;
	(void)e;
	*out = ferry_int(s, 1000 + id->u.i);
	return 0;
}

Test(pickle, a_persistent_id_is_what_the_callback_gives)
{
	struct pickle_reader_options options = {
		.persistent = persistent_number,
	};
	struct ferry_value *root;

	cr_assert_eq(READ("\x80\x02K\x05Q.", &options, &root), 0);
	cr_expect_eq(root->u.i, 1005);
}

Test(pickle, large_bytes_stay_in_the_source)
{
	struct pickle_reader_options options = { .range_bytes = 4 };
	struct ferry_value *root;

	cr_assert_eq(READ("\x80\x04(C\x03" "abcC\x04" "defgU\x05" "hijklt.",
			  &options, &root), 0);
	cr_expect_eq(item(root, 0)->flags, 0);
	cr_expect_eq(item(root, 1)->flags, FERRY_RANGE);
	cr_expect_eq(item(root, 1)->u.range.offset, 10);
	cr_expect_eq(item(root, 1)->u.range.nbytes, 4);
	cr_expect_eq(item(root, 2)->flags, FERRY_RANGE | FERRY_PY2);
	EXPECT_BYTES(root, 4, "\x80\x04" "C\x03" "abcC\x04" "defgU\x05"
		     "hijkl\x87.");
}

/* n bytes of text and the call that Python 3 writes around it at protocol 2 */
static char *encoded_pickle(size_t n, const char *tail, size_t ntail,
			    size_t *total)
{
	static const char head[] = "\x80\x02" "c_codecs\nencode\nX";
	char *data = malloc(n + ntail + 64), *p = data;

	memcpy(p, head, sizeof(head) - 1);
	p += sizeof(head) - 1;
	ferry_put_le32(p, (uint32_t)n);
	p += 4;
	for (size_t i = 0; i < n; i += 2)
		memcpy(p + i, i % 6 ? "ab" : "\xc3\xbf", 2);
	p += n;
	memcpy(p, tail, ntail);
	*total = (size_t)(p - data) + ntail;
	return data;
}

static void expect_decoded(const struct ferry_value *v, size_t n)
{
	struct ferry_error e = FERRY_ERROR_INIT;
	uint64_t length = 0;
	unsigned char *back;
	bool same = true;
	size_t at = 0;

	for (size_t i = 0; i < n; i += 2)
		length += i % 6 ? 2 : 1;
	cr_assert_eq(v->kind, FERRY_BYTES);
	cr_assert_eq(v->flags, FERRY_RANGE);
	cr_assert_eq(v->u.range.nbytes, length);
	back = malloc(length);
	/* in two pieces that fall inside of blocks */
	cr_assert_eq(ferry_source_read(v->u.range.source, back, 0, 70001, &e),
		     0);
	cr_assert_eq(ferry_source_read(v->u.range.source, back + 70001, 70001,
				       length - 70001, &e), 0);
	for (size_t i = 0; i < n; i += 2) {
		same = same && (i % 6 ? !memcmp(back + at, "ab", 2)
				      : back[at] == 0xff);
		at += i % 6 ? 2 : 1;
	}
	cr_expect(same);
	free(back);
}

Test(pickle, bytes_of_protocol_2_are_decoded_when_they_are_read)
{
	static const char tail[] = "q\x00X\6\0\0\0latin1q\x01\x86q\x02Rq\x03.";
	enum { N = 300000 };
	struct ferry_value *root;
	size_t n;
	char *data = encoded_pickle(N, tail, sizeof(tail) - 1, &n);

	cr_assert_eq(read_with(data, n, NULL, &root), 0, "%s", err.text);
	expect_decoded(root, N);
	cr_expect_lt(ferry_store_nbytes(store), N);
	free(data);
}

Test(pickle, text_that_was_not_read_is_there_when_it_is_fetched)
{
	static const char tail[] =
		"q\x00X\6\0\0\0latin1q\x01\x86q\x02Rq\x03h\x00h\x02\x87.";
	enum { N = 200000 };
	struct ferry_value *root;
	size_t n;
	char *data = encoded_pickle(N, tail, sizeof(tail) - 1, &n);

	cr_assert_eq(read_with(data, n, NULL, &root), 0, "%s", err.text);
	expect_decoded(item(root, 0), N);
	cr_assert_eq(item(root, 1)->kind, FERRY_STRING);
	cr_assert_eq(item(root, 1)->flags, 0);
	cr_assert_eq(item(root, 1)->u.s.nbytes, N);
	cr_expect_eq(memcmp(item(root, 1)->u.s.data, "\xc3\xbf" "abab", 6), 0);
	cr_expect_eq(item(item(root, 2), 0), item(root, 1));
	free(data);
}

Test(pickle, a_written_source_reads_ranges_when_it_is_read)
{
	enum { N = 200000 };
	unsigned char *data = malloc(N), *back;
	struct ferry_value *items[2], *root;
	static const unsigned protocols[] = { 2, 4, 5 };

	for (size_t i = 0; i < N; i++)
		data[i] = (unsigned char)(i * 7);
	items[0] = ferry_bytes_range(store, source_of(data, N), 1, N - 1, 0);
	items[1] = ferry_bytes_range(store, source_of(data, N), 0, N,
				     FERRY_MUTABLE);
	root = list_of(FERRY_LIST, items, 2);
	for (int i = 0; i < 3; i++) {
		struct pickle_writer_options options = {
			.protocol = protocols[i],
		};
		struct ferry_buffer whole = FERRY_BUFFER_INIT;
		struct ferry_source *src;

		cr_assert_eq(pickle_write(root, &options, &whole, &err), 0);
		cr_assert_eq(pickle_write_source(root, &options, &src, &err),
			     0);
		cr_assert_eq(src->nbytes, whole.n);
		back = malloc(whole.n);
		cr_assert_eq(ferry_source_read(src, back, 0, whole.n, &err),
			     0);
		cr_expect_eq(memcmp(back, whole.data, whole.n), 0);
		/* one byte at a time, around the start of the first hole */
		for (size_t at = 0; at < 60; at++) {
			cr_assert_eq(ferry_source_read(src, back, at, 1, &err),
				     0);
			cr_expect_eq(back[0], (unsigned char)whole.data[at]);
		}
		free(back);
		ferry_source_unref(src);
		ferry_buffer_release(&whole);
	}
	free(data);
}

/* Memory that must be read, and fails from `broken` on. */
struct plain_source {
	struct ferry_source base;
	const char *data;
	uint64_t broken;
};

static int plain_read(struct ferry_source *src, void *buf, uint64_t offset,
		      size_t n, struct ferry_error *e)
{
	struct plain_source *plain = (struct plain_source *)src;

	if (offset + n > plain->broken)
		return ferry_fail(e, FERRY_IO, "test", offset, "disk is gone");
	memcpy(buf, plain->data + offset, n);
	return 0;
}

static const struct ferry_source_ops plain_ops = { .read = plain_read };

static struct ferry_source *plain_source(const char *data, size_t n,
					 uint64_t broken)
{
	struct plain_source *plain = ferry_alloc_zero(1, sizeof(*plain));

	cr_assert_eq(ferry_source_init(&plain->base, &plain_ops, n, "test",
				       &err), 0);
	plain->data = data;
	plain->broken = broken;
	cr_assert_eq(ferry_store_take_source(store, &plain->base), 0);
	return &plain->base;
}

/* A list of text, lines and numbers of many lengths, 2 MB of it. */
static char *long_pickle(size_t *n)
{
	enum { N = 2000 };
	char *data = malloc(4 << 20), *p = data;

	*p++ = '(';
	for (uint32_t i = 0; i < N; i++) {
		*p++ = 'X';
		ferry_put_le32(p, i);
		memset(p + 4, 'x', i);
		p += 4 + i;
		memcpy(p, "G12345678V", 10);
		memset(p + 10, 'y', i % 97);
		p += 10 + i % 97;
		*p++ = '\n';
	}
	*p++ = 'V';
	memset(p, 'z', 600000);
	p += 600000;
	memcpy(p, "\nl.", 3);
	*n = (size_t)(p - data) + 3;
	return data;
}

Test(pickle, a_source_is_read_through_a_window)
{
	struct ferry_buffer one = FERRY_BUFFER_INIT, two = FERRY_BUFFER_INIT;
	struct ferry_value *whole, *windowed;
	uint64_t end;
	size_t n;
	char *data = long_pickle(&n);

	cr_assert_eq(read_with(data, n, NULL, &whole), 0, "%s", err.text);
	cr_assert_eq(pickle_read(plain_source(data, n, n), 0, store, NULL,
				 &windowed, &end, &err), 0, "%s", err.text);
	cr_expect_eq(end, n);
	cr_expect_eq(item(windowed, 6000)->u.s.nbytes, 600000);
	cr_assert_eq(pickle_write(whole, NULL, &one, &err), 0);
	cr_assert_eq(pickle_write(windowed, NULL, &two, &err), 0);
	cr_assert_eq(one.n, two.n);
	cr_expect_eq(memcmp(one.data, two.data, one.n), 0);
	ferry_buffer_release(&one);
	ferry_buffer_release(&two);
	free(data);
}

Test(pickle, what_a_source_reports_is_the_readers_error)
{
	struct ferry_value *root = NULL;
	uint64_t end;
	size_t n;
	char *data = long_pickle(&n);

	cr_expect_eq(pickle_read(plain_source(data, n, 1000000), 0, store, NULL,
				 &root, &end, &err), FERRY_IO);
	cr_expect_str_eq(err.text, "disk is gone");
	cr_expect_null(root);
	free(data);
}

Test(pickle, errors_name_the_origin_that_was_given)
{
	struct pickle_reader_options options = { .origin = "torch" };
	struct ferry_value *root;

	cr_expect_eq(READ("\x80\x02" "0.", &options, &root), FERRY_MALFORMED);
	cr_expect_str_eq(err.origin, "torch");
	cr_expect_eq(err.offset, 2);
}

Test(pickle, too_many_values_are_a_limit)
{
	struct pickle_reader_options options = { .max_values = 3 };
	struct ferry_value *root;

	cr_expect_eq(READ("\x80\x02]]\x86]\x86.", &options, &root),
		     FERRY_LIMIT);
}

Test(pickle, an_offset_past_the_end_is_malformed)
{
	struct ferry_value *root = NULL;
	uint64_t end;

	cr_expect_eq(pickle_read(source_of("N.", 2), 3, store, NULL, &root,
				 &end, &err), FERRY_MALFORMED);
}

Test(pickle, pickles_that_follow_one_another_are_read_in_turn)
{
	static const char data[] = "K\x01.\x80\x02K\x02.";
	struct ferry_source *src = source_of(data, sizeof(data) - 1);
	struct ferry_value *root;
	uint64_t end;

	cr_assert_eq(pickle_read(src, 0, store, NULL, &root, &end, &err), 0);
	cr_expect_eq(end, 3);
	cr_assert_eq(pickle_read(src, end, store, NULL, &root, &end, &err), 0);
	cr_expect_eq(root->u.i, 2);
	cr_expect_eq(end, sizeof(data) - 1);
}

/* Store bytes for each byte of a pickle that repeats a part. */
static double bytes_per_byte(const char *head, size_t nhead, const char *part,
			     size_t npart, size_t times)
{
	size_t n = nhead + npart * times + 1;
	char *data = malloc(n);
	struct ferry_value *root;
	uint64_t before = ferry_store_nbytes(store);

	memcpy(data, head, nhead);
	for (size_t i = 0; i < times; i++)
		memcpy(data + nhead + i * npart, part, npart);
	data[n - 1] = '.';
	cr_assert_eq(read_with(data, n, NULL, &root), 0, "%s", err.text);
	free(data);
	return (double)(ferry_store_nbytes(store) - before) / (double)n;
}

#define BYTES_PER_BYTE(head, part, times) \
	bytes_per_byte(head, sizeof(head) - 1, part, sizeof(part) - 1, times)

Test(pickle, memory_is_a_small_multiple_of_the_input)
{
	/* tuples of the tuple before, twice */
	cr_expect_lt(BYTES_PER_BYTE(")", "2\x86", 100000), 64);
	cr_expect_lt(BYTES_PER_BYTE("", "]", 100000), 128);
	/* a large list, made a set again and again */
	cr_expect_lt(BYTES_PER_BYTE("](NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN"
				    "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN"
				    "eq\x00" "c__builtin__\nset\nq\x01",
				    "h\x01h\x00\x85R", 100000), 64);
	/* distant memo indices */
	cr_expect_lt(BYTES_PER_BYTE("N", "r\xff\xff\xff\xff", 100000), 64);
}

Test(pickle, distant_memo_indices_cost_no_more_than_near_ones)
{
	enum { N = 20000 };
	char *data = malloc(N * 7 + 16), *p = data;
	struct ferry_value *root;

	*p++ = ']';
	for (uint32_t i = 0; i < N; i++) {
		*p++ = 'N';
		*p++ = 'r';
		ferry_put_le32(p, UINT32_MAX - i * 200000);
		p += 4;
		*p++ = 'a';
	}
	*p++ = '.';
	cr_assert_eq(read_with(data, (size_t)(p - data), NULL, &root), 0);
	cr_expect_eq(root->u.list.n, N);
	cr_expect_lt(ferry_store_nbytes(store), 4 << 20);
	free(data);
}

Test(pickle, depth_is_no_matter_to_reader_and_writer)
{
	enum { N = 200000 };
	char *data = malloc(2 * N + 2);
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *root;

	memset(data, ']', N);
	memset(data + N, 'a', N - 1);
	data[2 * N - 1] = '.';
	cr_assert_eq(read_with(data, 2 * N, NULL, &root), 0, "%s", err.text);
	cr_assert_eq(pickle_write(root, NULL, &out, &err), 0);
	cr_assert_eq(out.n, 2 * N + 2);
	cr_expect_eq(memcmp(out.data + 2, data, 2 * N), 0);
	ferry_buffer_release(&out);
	free(data);
}

Test(pickle, numbers_have_their_shortest_form)
{
	static const struct {
		int64_t i;
		const char *bytes;
		size_t n;
	} cases[] = {
		{ 0, "K\0", 2 },
		{ 255, "K\xff", 2 },
		{ 256, "M\0\1", 3 },
		{ 65535, "M\xff\xff", 3 },
		{ 65536, "J\0\0\1\0", 5 },
		{ -1, "J\xff\xff\xff\xff", 5 },
		{ INT32_MIN, "J\0\0\0\x80", 5 },
		{ INT64_C(2147483648), "\x8a\5\0\0\0\x80\0", 7 },
		{ INT64_C(-2147483649), "\x8a\5\xff\xff\xff\x7f\xff", 7 },
		{ INT64_MAX, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", 10 },
		{ INT64_MIN, "\x8a\x08\0\0\0\0\0\0\0\x80", 10 },
	};
	char bytes[32] = "\x80\x02";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(bytes + 2, cases[i].bytes, cases[i].n);
		bytes[2 + cases[i].n] = '.';
		expect_bytes(ferry_int(store, cases[i].i), 2, bytes,
			     cases[i].n + 3);
	}
	EXPECT_BYTES(ferry_float(store, 1.5), 2,
		     "\x80\x02G\x3f\xf8\0\0\0\0\0\0.");
}

Test(pickle, only_what_is_met_again_is_stored)
{
	struct ferry_value *key = ferry_cstring(store, "k");
	struct ferry_value *part = list_of(FERRY_LIST, &key, 1);
	struct ferry_value *items[] = { part, part,
					ferry_cstring(store, "once"),
					ferry_cstring(store, "k") };

	EXPECT_BYTES(list_of(FERRY_LIST, items, 4), 2,
		     "\x80\x02](]q\x00X\x01\0\0\0kq\x01" "ah\x00X\x04\0\0\0once"
		     "h\x01" "e.");
	EXPECT_BYTES(list_of(FERRY_LIST, items, 4), 4,
		     "\x80\x04](]\x94\x8c\x01k\x94" "ah\x00\x8c\x04once"
		     "h\x01" "e.");
}

Test(pickle, a_class_named_twice_is_stored_once_whatever_values_name_it)
{
	struct ferry_value *items[] = { global("m", "C"), global("m", "C"),
					global("m", "D") };

	EXPECT_BYTES(list_of(FERRY_TUPLE, items, 3), 2,
		     "\x80\x02" "cm\nC\nq\x00h\x00" "cm\nD\n\x87.");
}

Test(pickle, plain_values_are_written_as_a_weights_only_reader_takes_them)
{
	struct ferry_value *one = ferry_int(store, 1);

	EXPECT_BYTES(list_of(FERRY_SET, &one, 1), 2,
		     "\x80\x02" "c__builtin__\nset\n]K\x01" "a\x85R.");
	EXPECT_BYTES(ferry_bytes(store, "", 0, 0), 2,
		     "\x80\x02" "c_codecs\nencode\nX\0\0\0\0"
		     "X\x06\0\0\0latin1\x86R.");
	EXPECT_BYTES(ferry_bytes(store, "a\xff", 2, FERRY_MUTABLE), 2,
		     "\x80\x02" "c__builtin__\nbytearray\nc_codecs\nencode\n"
		     "X\x03\0\0\0a\xc3\xbfX\x06\0\0\0latin1\x86R\x85R.");
	EXPECT_BYTES(ferry_complex(store, 0, 2), 2,
		     "\x80\x02" "c__builtin__\ncomplex\nG\0\0\0\0\0\0\0\0"
		     "G\x40\0\0\0\0\0\0\0\x86R.");
}

Test(pickle, protocols_4_and_5_have_opcodes_for_them)
{
	struct ferry_value *one = ferry_int(store, 1);

	EXPECT_BYTES(list_of(FERRY_SET, &one, 1), 4,
		     "\x80\x04\x8f(K\x01\x90.");
	EXPECT_BYTES(list_of(FERRY_FROZENSET, &one, 1), 4,
		     "\x80\x04(K\x01\x91.");
	EXPECT_BYTES(ferry_bytes(store, "a", 1, FERRY_MUTABLE), 5,
		     "\x80\x05\x96\x01\0\0\0\0\0\0\0a.");
	EXPECT_BYTES(global("m", "A.B"), 4, "\x80\x04\x8c\x01m\x8c\x03" "A.B"
		     "\x93.");
}

Test(pickle, names_are_spelled_as_the_protocol_reads_them)
{
	struct ferry_value *old = global("__builtin__", "xrange");

	old->flags |= FERRY_PY2;
	EXPECT_BYTES(old, 2, "\x80\x02" "c__builtin__\nxrange\n.");
	EXPECT_BYTES(old, 4, "\x80\x04\x8c\x08" "builtins\x8c\x05range\x93.");
	EXPECT_BYTES(global("builtins", "range"), 2,
		     "\x80\x02" "c__builtin__\nxrange\n.");
	EXPECT_BYTES(global("__builtin__", "set"), 4,
		     "\x80\x04\x8c\x08" "builtins\x8c\x03set\x93.");
	/* Python would read a name it renames too far back as OSError */
	EXPECT_BYTES(global("builtins", "BrokenPipeError"), 2,
		     "\x80\x02" "c__builtin__\nBrokenPipeError\n.");
	EXPECT_BYTES(global("dbm", "error"), 2, "\x80\x02" "canydbm\nerror\n.");
}

Test(pickle, names_that_protocol_2_spoils_are_written_under_4)
{
	/* Python 3 would read the module as "queue" */
	EXPECT_BYTES(global("Queue", "Mine"), 2,
		     "\x80\x02\x80\x04" "cQueue\nMine\n\x80\x02.");
	EXPECT_BYTES(global("m", "A.B"), 2,
		     "\x80\x02\x80\x04" "cm\nA.B\n\x80\x02.");
	EXPECT_BYTES(global("m", "a\nb"), 2,
		     "\x80\x02X\x01\0\0\0mX\x03\0\0\0a\nb\x93.");
}

Test(pickle, names_are_told_apart_by_what_python_3_finds)
{
	struct ferry_value *old = global("__builtin__", "long");

	old->flags |= FERRY_PY2;
	cr_expect(pickle_is_global(old, "builtins", "int"));
	cr_expect(pickle_is_global(global("builtins", "int"), "builtins",
				   "int"));
	cr_expect(pickle_is_global(global("copy_reg", "_reconstructor"),
				   "copyreg", "_reconstructor"));
	cr_expect_not(pickle_is_global(global("m", "int"), "builtins", "int"));
	cr_expect_not(pickle_is_global(ferry_none(), "builtins", "int"));
}

/* Tuples come back through the list in them. */
Test(pickle, a_tuple_in_itself_is_made_once)
{
	struct ferry_value *inner = ferry_sequence(store, FERRY_LIST, 0);
	struct ferry_value *outer = list_of(FERRY_TUPLE, &inner, 1);
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *back;

	cr_assert_eq(ferry_list_add(store, inner, outer), 0);
	cr_assert_eq(pickle_write(outer, NULL, &out, &err), 0);
	cr_assert_eq(read_with(out.data, out.n, NULL, &back), 0);
	cr_assert_eq(back->kind, FERRY_TUPLE);
	cr_expect_eq(item(item(back, 0), 0), back);
	ferry_buffer_release(&out);
}

Test(pickle, arguments_that_hold_the_object_are_made_before_it)
{
	struct ferry_value *list = ferry_sequence(store, FERRY_LIST, 0);
	struct ferry_value *object = call(global("m", "C"), list), *back;
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	cr_assert_eq(ferry_list_add(store, list, object), 0);
	cr_assert_eq(pickle_write(object, NULL, &out, &err), 0);
	cr_assert_eq(read_with(out.data, out.n, NULL, &back), 0);
	cr_expect_eq(item(item(back->u.object->args, 0), 0), back);
	ferry_buffer_release(&out);
}

Test(pickle, an_object_that_is_its_own_argument_is_a_limit)
{
	struct ferry_value *object = call(global("m", "C"), NULL);
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	cr_assert_eq(ferry_list_add(store, object->u.object->args, object), 0);
	cr_expect_eq(pickle_write(object, NULL, &out, &err), FERRY_LIMIT);
	cr_expect_eq(out.n, 0);
}

Test(pickle, tensors_need_a_replacement)
{
	uint64_t shape[] = { 0 };
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *tensor;

	tensor = ferry_tensor(store, FERRY_F32, 1, shape, NULL, 0,
			      ferry_storage(store, FERRY_F32,
					    source_of("", 0), 0, 0));
	cr_expect_eq(pickle_write(tensor, NULL, &out, &err),
		     FERRY_UNSUPPORTED);
}

/* Tensors become calls; `asked` counts. */
static int replace_tensor(void *ctx, struct ferry_store *s,
			  struct ferry_value *value, struct ferry_value **out,
			  struct ferry_error *e)
{
	(void)s;
	(void)e;
	if (value->kind != FERRY_TENSOR)
		return 0;
	++*(int *)ctx;
	*out = call(global("m", "f"), NULL);
	return 0;
}

Test(pickle, a_replacement_is_asked_for_once_and_shared)
{
	uint64_t shape[] = { 0 };
	int asked = 0;
	struct pickle_writer_options options = {
		.replace = replace_tensor, .ctx = &asked, .store = store,
	};
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *tensor, *items[2];
	static const char expected[] = "\x80\x02" "cm\nf\n)Rq\x00h\x00\x86.";

	tensor = ferry_tensor(store, FERRY_F32, 1, shape, NULL, 0, NULL);
	items[0] = items[1] = tensor;
	cr_assert_eq(pickle_write(list_of(FERRY_TUPLE, items, 2), &options,
				  &out, &err), 0, "%s", err.text);
	cr_expect_eq(asked, 1);
	cr_assert_eq(out.n, sizeof(expected) - 1);
	cr_expect_eq(memcmp(out.data, expected, out.n), 0);
	ferry_buffer_release(&out);
}

Test(pickle, only_protocols_2_4_and_5_are_written)
{
	struct pickle_writer_options options = { .protocol = 3 };
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	cr_expect_eq(pickle_write(ferry_none(), &options, &out, &err),
		     FERRY_MISUSE);
}

static void expect_name(const struct ferry_value *names, uint32_t i,
			const char *module, const char *name, int64_t count,
			int64_t calls, int64_t offset)
{
	struct ferry_value *entry = item(names, i);

	cr_expect(ferry_value_is(ferry_dict_get(entry, "module"), module));
	cr_expect(ferry_value_is(ferry_dict_get(entry, "name"), name));
	cr_expect_eq(ferry_dict_get(entry, "count")->u.i, count);
	cr_expect_eq(ferry_dict_get(entry, "calls")->u.i, calls);
	cr_expect_eq(ferry_dict_get(entry, "offset")->u.i, offset);
}

Test(pickle, scan_names_what_is_named_and_called)
{
	static const char data[] =
		"\x80\x04" "cos\nsystem\nq\x00X\2\0\0\0ls\x85R"
		"\x8c\x02os\x94\x8c\x06system\x94\x93(h\x01h\x02\x93" "0"
		"(icls\nC\n)\x81" "cno\nwhere\n1.after";
	struct ferry_source *src = source_of(data, sizeof(data) - 1);
	struct ferry_value *names;
	uint64_t end;

	cr_assert_eq(pickle_scan(src, 0, store, &names, &end, &err), 0, "%s",
		     err.text);
	cr_expect_eq(end, sizeof(data) - 6);
	cr_assert_eq(names->u.list.n, 4);
	expect_name(names, 0, "os", "system", 3, 1, 2);
	expect_name(names, 1, "cls", "C", 1, 1, 47);
	/* an instance is called: what it is can't be said */
	expect_name(names, 2, "", "", 1, 1, 55);
	expect_name(names, 3, "no", "where", 1, 0, 56);
}

Test(pickle, scan_says_when_a_name_is_computed)
{
	static const char data[] = "\x80\x04" "cm\nf\n)R\x8c\x01x\x93)R.";
	struct ferry_source *src = source_of(data, sizeof(data) - 1);
	struct ferry_value *names;
	uint64_t end;

	cr_assert_eq(pickle_scan(src, 0, store, &names, &end, &err), 0);
	cr_assert_eq(names->u.list.n, 2);
	expect_name(names, 0, "m", "f", 1, 1, 2);
	expect_name(names, 1, "", "", 1, 1, 12);
}

Test(pickle, scan_of_a_broken_pickle_tells_what_came_before)
{
	static const char data[] = "cposix\nsystem\n(S'id'\ntR\xff";
	struct ferry_source *src = source_of(data, sizeof(data) - 1);
	struct ferry_value *names;
	uint64_t end;

	cr_assert_eq(pickle_scan(src, 0, store, &names, &end, &err),
		     FERRY_MALFORMED);
	cr_assert(names);
	cr_assert_eq(names->u.list.n, 1);
	expect_name(names, 0, "posix", "system", 1, 1, 0);
}

static const char everything[] =
	"\x80\x04]\x94((cm\nC\n)\x81}\x8c\x01kK\x01sb(K\x01\x91\x8f(K\x02\x90"
	"U\x01xG\0\0\0\0\0\0\0\0\x8a\x09\0\0\0\0\0\0\0\0\x01h\x00r\xff\xff\xff"
	"\xff(NtC\x02hi\x96\x01\0\0\0\0\0\0\0aI5\nL7L\nF1.5\nV\\u0041\nS'a'\nt"
	"(im\nD\nQe.";

static int every_step(void)
{
	struct pickle_writer_options options = { .protocol = 2 };
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *root, *names;
	struct ferry_source *src = NULL, *written = NULL;
	struct ferry_store *own = NULL;
	uint64_t end;
	int ret;

	ferry_error_clear(&err);
	ret = ferry_store_new(&own, &err);
	if (!ret)
		ret = ferry_source_from_memory(&src, everything,
					       sizeof(everything) - 1, "test",
					       &err);
	if (!ret)
		ret = pickle_read(src, 0, own, NULL, &root, &end, &err);
	if (!ret)
		ret = pickle_write(root, &options, &out, &err);
	if (!ret)
		ret = pickle_write_source(root, &options, &written, &err);
	if (!ret)
		ret = pickle_scan(src, 0, own, &names, &end, &err);
	ferry_source_unref(written);
	ferry_source_unref(src);
	ferry_buffer_release(&out);
	ferry_store_unref(own);
	return ret;
}

Test(pickle, every_failed_allocation_is_reported)
{
	uint64_t total;

	ferry_alloc_fail_at(0);
	cr_assert_eq(every_step(), 0, "%s", err.text);
	total = ferry_alloc_fail_at(0);
	cr_assert_gt(total, 20);
	for (uint64_t i = 1; i <= total; i++) {
		ferry_alloc_fail_at(i);
		cr_expect_eq(every_step(), FERRY_NOMEM, "allocation %u",
			     (unsigned)i);
	}
	ferry_alloc_fail_at(0);
}

/* ---- calls whose results are thrown away ------------------------------- */

static struct ferry_findings *findings_of(const char *data, size_t n)
{
	struct pickle_reader_options options = { 0 };
	struct ferry_value *root;

	cr_assert_eq(ferry_findings_new(&options.findings, &err), 0);
	cr_assert_eq(read_with(data, n, &options, &root), 0, "%s", err.text);
	return options.findings;
}

Test(pickle, a_call_nothing_keeps_is_told)
{
	static const char text[] = "\x80\x02" "cos\nsystem\nX\4\0\0\0true"
				   "\x85R0(cm\nf\n)R1}.";
	struct ferry_findings *found = findings_of(text, sizeof(text) - 1);
	const struct ferry_finding *f = ferry_findings_get(found, 0);

	cr_assert_not_null(f);
	cr_expect_eq(f->level, FERRY_WARNING);
	cr_expect_str_eq(f->code, "calls");
	cr_expect_str_eq(f->text, "2 calls whose results are thrown away are "
			 "not kept: os.system, m.f");
	cr_expect_null(ferry_findings_get(found, 1));
	ferry_findings_free(found);
}

Test(pickle, a_call_that_is_kept_is_not_told)
{
	static const char setter[] = "\x80\x02" "cm\nC\n)Rq\x00" "cm\nset\n"
				     "h\x00}\x86R0.";
	static const char again[] = "\x80\x02" "cm\nC\n]q\x00(cm\nC\nh\x00"
				    "\x85Rq\x01" "e\x85R0h\x01.";
	struct ferry_findings *found;

	found = findings_of(setter, sizeof(setter) - 1);
	cr_expect_null(ferry_findings_get(found, 0));
	ferry_findings_free(found);
	found = findings_of(again, sizeof(again) - 1);
	cr_expect_null(ferry_findings_get(found, 0));
	ferry_findings_free(found);
}
