/*
 * Configurations in pickles: any graph is read, copied and changed, or refused;
 * what was changed is read again, and the original is as it was.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "formats/omegaconf/omegaconf.h"
#include "formats/pickle/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(truth) ((truth) ? (void)0 : give_up(__LINE__, #truth))

static void give_up(int line, const char *truth)
{
	fprintf(stderr, "fuzz_omegaconf.c:%d: not so: %s\n", line, truth);
	abort();
}

static struct ferry_value *read_bytes(const void *data, size_t n,
				      struct ferry_store *store)
{
	struct pickle_reader_options options = { .max_values = 100000 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *v = NULL;
	struct ferry_source *src;
	uint64_t end = 0;

	if (ferry_source_from_memory(&src, data, n, "fuzz", &err) ||
	    ferry_store_take_source(store, src) ||
	    pickle_read(src, 0, store, &options, &v, &end, &err))
		return NULL;
	return v;
}

static int read_plain(struct ferry_store *store, struct ferry_value *config,
		      struct ferry_value **out)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct omegaconf_survey survey;
	int rc = omegaconf_plain(store, config, &survey, NULL, out, &err);

	require(rc == err.code);
	require(!rc || err.text[0]);
	return rc;
}

static void change(struct ferry_store *store, struct ferry_value *config)
{
	static const char *const keys[] = {
		"a", "d.x", "l[0]", "l", "d", "new.key", "optim.lr", "i",
	};
	struct ferry_value *dict = ferry_dict(store, 1), *values[3];
	struct ferry_error err = FERRY_ERROR_INIT;

	ferry_dict_set_str(store, dict, "x", ferry_int(store, 1));
	values[0] = ferry_int(store, 5);
	values[1] = dict;
	values[2] = ferry_sequence(store, FERRY_LIST, 0);
	for (size_t i = 0; i < 3 * sizeof(keys) / sizeof(*keys); i++) {
		omegaconf_update(store, config, keys[i / 3], values[i % 3],
				 i & 1, NULL, &err);
		ferry_error_clear(&err);
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		omegaconf_delete(store, config, keys[i], &err);
		ferry_error_clear(&err);
	}
}

static void try_value(struct ferry_store *store, struct ferry_value *v)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *plain, *copy, *made;
	int rc = read_plain(store, v, &plain);

	omegaconf_at(v, "d.x.l.0");
	if (ferry_value_copy(store, v, NULL, NULL, &copy, &err))
		return;
	if (omegaconf_is(copy)) {
		change(store, copy);
		read_plain(store, copy, &made);
	}
	require(read_plain(store, v, &made) == rc);
	if (!rc)
		omegaconf_find_no_text(plain);
	if (!rc && !omegaconf_create(store, plain, NULL, &made, &err))
		require(!read_plain(store, made, &copy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ferry_store *store;
	struct ferry_value *v;

	if (ferry_store_new(&store, NULL))
		return 0;
	v = read_bytes(data, size, store);
	if (v)
		try_value(store, v);
	ferry_store_unref(store);
	return 0;
}
