/* numpy arrays in pickles, to tensors and back. */
#include "config.h"

#include "formats/pickle/pickle.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>

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

TestSuite(pickle_numpy, .init = set_up, .fini = tear_down);

static struct ferry_value *read_numpy(const char *data, size_t n)
{
	struct pickle_reader_options options = {
		.reduce = pickle_numpy_reduce,
	};
	struct ferry_source *src;
	struct ferry_value *root = NULL;
	uint64_t end;

	cr_assert_eq(ferry_source_from_memory(&src, data, n, "test", &err), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	cr_assert_eq(pickle_read(src, 0, store, &options, &root, &end, &err),
		     0, "%s", err.text);
	return root;
}

static int replace(void *ctx, struct ferry_store *s, struct ferry_value *value,
		   struct ferry_value **out, struct ferry_error *e)
{
	(void)ctx;
	return pickle_numpy_replace(s, value, out, e);
}

static int write_numpy(const struct ferry_value *root, unsigned protocol,
		       struct ferry_buffer *out)
{
	struct pickle_writer_options options = {
		.protocol = protocol, .store = store, .replace = replace,
	};

	return pickle_write(root, &options, out, &err);
}

static void expect_written(const struct ferry_value *root, unsigned protocol,
			   const char *bytes, size_t n)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;

	cr_assert_eq(write_numpy(root, protocol, &out), 0, "%s", err.text);
	cr_expect(out.n == n && !memcmp(out.data, bytes, n),
		  "other bytes, %zu of them", out.n);
	ferry_buffer_release(&out);
}

/* An array as numpy 1 saves it at protocol 2, with the parts that differ. */
#define ARRAY(shape, dtype, order, fortran, data)                        \
	"\x80\x02" "cnumpy.core.multiarray\n_reconstruct\n"              \
	"cnumpy\nndarray\nK\x00\x85" "C\x01" "b\x87R"                    \
	"(K\x01" shape "cnumpy\ndtype\nX\x02\0\0\0" dtype "\x89\x88\x87R" \
	"(K\x03X\x01\0\0\0" order "NNN"                                  \
	"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"                      \
	fortran data "tb."

#define READ(text) read_numpy(text, sizeof(text) - 1)

static const struct ferry_tensor *tensor_of(const struct ferry_value *v)
{
	cr_assert_eq(v->kind, FERRY_TENSOR, "a value of kind %s",
		     ferry_kind_name(v->kind));
	return v->u.tensor;
}

static void expect_data(const struct ferry_tensor *t, const void *bytes,
			size_t n)
{
	char data[64];

	cr_assert_eq(ferry_tensor_nbytes(t), n);
	cr_assert_eq(ferry_tensor_read(t, 0, ferry_tensor_nelem(t), data,
				       &err), 0, "%s", err.text);
	cr_expect_eq(memcmp(data, bytes, n), 0);
}

Test(pickle_numpy, an_array_is_a_tensor)
{
	const struct ferry_tensor *t;

	t = tensor_of(READ(ARRAY("K\x02K\x02\x86", "i2", "<", "\x89",
				 "C\x08\1\0\2\0\3\0\4\0")));
	cr_expect_eq(t->dtype, FERRY_I16);
	cr_assert_eq(t->ndim, 2);
	cr_expect_eq(t->shape[0], 2);
	cr_expect_eq(t->strides[0], 2);
	cr_expect_eq(t->strides[1], 1);
	expect_data(t, "\1\0\2\0\3\0\4\0", 8);
	cr_assert_eq(ferry_tensor_check(t, "array", &err), 0);
	cr_expect(ferry_dict_get(t->extra, "numpy"));
}

Test(pickle_numpy, fortran_order_is_strides)
{
	const struct ferry_tensor *t;

	t = tensor_of(READ(ARRAY("K\x02K\x03\x86", "u1", "|", "\x88",
				 "C\x06\1\2\3\4\5\6")));
	cr_expect_eq(t->strides[0], 1);
	cr_expect_eq(t->strides[1], 2);
	expect_data(t, "\1\3\5\2\4\6", 6);
}

Test(pickle_numpy, big_endian_elements_are_swapped)
{
	const struct ferry_tensor *t;

	t = tensor_of(READ(ARRAY("K\x02\x85", "i4", ">", "\x89",
				 "C\x08\0\0\0\1\0\0\1\0")));
	expect_data(t, "\1\0\0\0\0\1\0\0", 8);
}

Test(pickle_numpy, complex_numbers_are_swapped_by_component)
{
	const struct ferry_tensor *t;

	t = tensor_of(READ(ARRAY("K\x01\x85", "c8", ">", "\x89",
				 "C\x08\x3f\x80\0\0\x40\0\0\0")));
	expect_data(t, "\0\0\x80\x3f\0\0\0\x40", 8);
}

Test(pickle_numpy, scalars_of_no_dimension_and_empty_arrays_are_tensors)
{
	const struct ferry_tensor *t;

	t = tensor_of(READ(ARRAY(")", "u1", "|", "\x89", "C\x01\7")));
	cr_expect_eq(t->ndim, 0);
	expect_data(t, "\7", 1);
	t = tensor_of(READ(ARRAY("K\x00K\x03\x86", "f8", "<", "\x89",
				 "C\x00")));
	cr_expect_eq(ferry_tensor_nelem(t), 0);
	cr_assert_eq(ferry_tensor_check(t, "array", &err), 0);
}

Test(pickle_numpy, an_array_from_a_buffer_is_a_tensor)
{
	static const char data[] =
		"\x80\x05" "cnumpy._core.numeric\n_frombuffer\n("
		"\x96\x04\0\0\0\0\0\0\0\1\2\3\4"
		"cnumpy\ndtype\n\x8c\x02u2\x89\x88\x87R(K\x03\x8c\x01<NNN"
		"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
		"K\x02\x85\x8c\x01" "CtR.";
	const struct ferry_tensor *t = tensor_of(READ(data));

	cr_expect_eq(t->dtype, FERRY_U16);
	expect_data(t, "\1\2\3\4", 4);
}

Test(pickle_numpy, what_is_no_plain_array_stays_an_object)
{
	/* text, a length that does not fit, another class */
	cr_expect_eq(READ(ARRAY("K\x01\x85", "U1", "<", "\x89",
				"C\x04\x61\0\0\0"))->kind, FERRY_OBJECT);
	cr_expect_eq(READ(ARRAY("K\x02\x85", "i2", "<", "\x89",
				"C\x03\0\0\0"))->kind, FERRY_OBJECT);
	cr_expect_eq(READ(ARRAY("J\xff\xff\xff\xff\x85", "i2", "<", "\x89",
				"C\x00"))->kind, FERRY_OBJECT);
	cr_expect_eq(READ(ARRAY("K\x01\x85", "i2", "<", "\x89", "]"))->kind,
		     FERRY_OBJECT);
	cr_expect_eq(READ("\x80\x02" "cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88"
			  "\x87R.")->kind, FERRY_OBJECT);
}

Test(pickle_numpy, five_states_are_not_one_of_five)
{
	const struct ferry_value *v;

	v = READ("\x80\x02" "cnumpy.core.multiarray\n_reconstruct\n"
		 "cnumpy\nndarray\nK\x00\x85" "C\x01" "b\x87R"
		 "K\x01" "b" "K\x01\x85" "b"
		 "cnumpy\ndtype\nX\x02\0\0\0u1\x89\x88\x87Rb"
		 "\x89" "b" "C\x01\x07" "b.");
	cr_assert_eq(v->kind, FERRY_OBJECT);
	cr_expect(v->u.object->flags & FERRY_STATES);
	cr_expect_eq(v->u.object->state->u.list.n, 5);
}

Test(pickle_numpy, shapes_whose_product_overflows_stay_objects)
{
	cr_expect_eq(READ(ARRAY("\x8a\x08\0\0\0\0\0\0\0\x40"
				"\x8a\x08\0\0\0\0\0\0\0\x40\x86",
				"i2", "<", "\x89", "C\x00"))->kind,
		     FERRY_OBJECT);
	cr_expect_eq(READ(ARRAY("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85",
				"f8", "<", "\x89", "C\x00"))->kind,
		     FERRY_OBJECT);
}

/* The same array once more, at protocol 4. */
#define WRITTEN(shape, dtype, order, fortran, data)                         \
	"\x80\x04\x8c\x15numpy.core.multiarray\x8c\x0c_reconstruct\x93"     \
	"\x8c\x05numpy\x8c\x07ndarray\x93K\x00\x85" "C\x01" "b\x87R"        \
	"(K\x01" shape "\x8c\x05numpy\x8c\x05" "dtype\x93\x8c\x02" dtype    \
	"\x89\x88\x87R(K\x03\x8c\x01" order "NNN"                           \
	"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"                         \
	fortran data "tb."

#define EXPECT_WRITTEN(root, text) \
	expect_written(root, 4, text, sizeof(text) - 1)

Test(pickle_numpy, arrays_are_written_as_they_were)
{
	EXPECT_WRITTEN(READ(ARRAY("K\x02K\x02\x86", "i2", "<", "\x89",
				  "C\x08\1\0\2\0\3\0\4\0")),
		       WRITTEN("K\x02K\x02\x86", "i2", "<", "\x89",
			       "C\x08\1\0\2\0\3\0\4\0"));
	EXPECT_WRITTEN(READ(ARRAY("K\x02K\x03\x86", "u1", "|", "\x88",
				  "C\x06\1\2\3\4\5\6")),
		       WRITTEN("K\x02K\x03\x86", "u1", "|", "\x88",
			       "C\x06\1\2\3\4\5\6"));
	EXPECT_WRITTEN(READ(ARRAY("K\x02\x85", "i4", ">", "\x89",
				  "C\x08\0\0\0\1\0\0\1\0")),
		       WRITTEN("K\x02\x85", "i4", ">", "\x89",
			       "C\x08\0\0\0\1\0\0\1\0"));
}

Test(pickle_numpy, a_transposed_array_is_written_in_c_order)
{
	struct ferry_value *array, *turned;

	array = READ(ARRAY("K\x02K\x03\x86", "u1", "|", "\x89",
			   "C\x06\1\2\3\4\5\6"));
	cr_assert_eq(ferry_op_transpose(store, array, 0, 1, &turned, &err), 0);
	turned->u.tensor->extra = array->u.tensor->extra;
	EXPECT_WRITTEN(turned, WRITTEN("K\x03K\x02\x86", "u1", "|", "\x89",
				       "C\x06\1\4\2\5\3\6"));
}

Test(pickle_numpy, another_dtype_is_named_anew)
{
	struct ferry_value *array, *cast;

	array = READ(ARRAY("K\x02\x85", "u1", "|", "\x89", "C\x02\1\2"));
	cr_assert_eq(ferry_op_cast(store, array, FERRY_I16, &cast, &err), 0);
	cast->u.tensor->extra = array->u.tensor->extra;
	EXPECT_WRITTEN(cast, WRITTEN("K\x02\x85", "i2", "<", "\x89",
				     "C\x04\1\0\2\0"));
}

Test(pickle_numpy, a_dtype_numpy_lacks_is_refused)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_value *array, *cast;

	array = READ(ARRAY("K\x01\x85", "f4", "<", "\x89",
			   "C\x04\0\0\x80\x3f"));
	cr_assert_eq(ferry_op_cast(store, array, FERRY_BF16, &cast, &err), 0);
	cast->u.tensor->extra = array->u.tensor->extra;
	cr_expect_eq(write_numpy(cast, 4, &out), FERRY_UNSUPPORTED);
	cr_expect(strstr(err.text, "bfloat16"));
}

Test(pickle_numpy, tensors_of_others_are_left_alone)
{
	struct ferry_value *tensor, *out = NULL;
	uint64_t shape[] = { 0 };

	tensor = ferry_tensor(store, FERRY_F32, 1, shape, NULL, 0, NULL);
	cr_expect_eq(pickle_numpy_replace(store, tensor, &out, &err), 0);
	cr_expect_null(out);
}

static int read_and_write(void)
{
	static const char data[] = ARRAY("K\x02K\x03\x86", "i2", ">", "\x88",
					 "C\x0c\1\2\3\4\5\6\1\2\3\4\5\6");
	struct pickle_reader_options reader = { .reduce = pickle_numpy_reduce };
	struct pickle_writer_options writer = { .replace = replace };
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	struct ferry_source *src = NULL;
	struct ferry_store *own = NULL;
	struct ferry_value *root;
	uint64_t end;
	int ret;

	ferry_error_clear(&err);
	ret = ferry_store_new(&own, &err);
	writer.store = own;
	if (!ret)
		ret = ferry_source_from_memory(&src, data, sizeof(data) - 1,
					       "test", &err);
	if (!ret)
		ret = pickle_read(src, 0, own, &reader, &root, &end, &err);
	if (!ret)
		ret = pickle_write(root, &writer, &out, &err);
	ferry_source_unref(src);
	ferry_buffer_release(&out);
	ferry_store_unref(own);
	return ret;
}

Test(pickle_numpy, every_failed_allocation_is_reported)
{
	uint64_t total;

	ferry_alloc_fail_at(0);
	cr_assert_eq(read_and_write(), 0, "%s", err.text);
	total = ferry_alloc_fail_at(0);
	cr_assert_gt(total, 10);
	for (uint64_t i = 1; i <= total; i++) {
		ferry_alloc_fail_at(i);
		cr_expect_eq(read_and_write(), FERRY_NOMEM, "allocation %u",
			     (unsigned)i);
	}
	ferry_alloc_fail_at(0);
}
