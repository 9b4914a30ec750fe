/*
 * Threads over sources, casts and sinks, without a test framework, so that a
 * thread sanitizer can watch.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <ferry/sys/ops.h>
#include <ferry/sys/sink.h>

#define N ((size_t)3 << 20)
#define N_THREADS 4

static unsigned char *plain;
static struct ferry_source *memory, *inflated;
static char dir[] = "/tmp/ferry-threads-XXXXXX";

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "transfer_threads: %s\n", what);
	exit(1);
}

static void *read_stream(void *arg)
{
	unsigned char *buf = malloc(N);
	size_t first = (size_t)(uintptr_t)arg, n = N / 7;

	must(buf != NULL, "memory");
	for (; first + n < N; first += n / 2 + 1) {
		must(!ferry_source_read(inflated, buf, first, n, NULL),
		     "inflated read");
		must(!memcmp(buf, plain + first, n), "inflated bytes");
	}
	free(buf);
	return NULL;
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)total;
	*(uint64_t *)ctx = done;
}

static void write_one(const char *name)
{
	uint64_t shape[] = { N / 8, 2 }, seen = 0;
	int64_t strides[] = { 1, (int64_t)(N / 8) };
	struct ferry_work work = { .threads = 3, .no_sync = true,
				   .progress = on_progress,
				   .progress_ctx = &seen };
	struct ferry_transfer t[3] = { 0 };
	struct ferry_value *v, *cast, *dense;
	struct ferry_output *o;
	struct ferry_store *store;
	struct ferry_sink *s;
	char path[160];

	must(!ferry_store_new(&store, NULL), "store");
	must(!ferry_store_take_source(store, ferry_source_ref(memory)), "ref");
	v = ferry_tensor(store, FERRY_F32, 2, shape, strides, 0,
			 ferry_storage(store, FERRY_F32, memory, 0, N));
	must(v != NULL, "tensor");
	must(!ferry_op_cast(store, v, FERRY_BF16, &cast, NULL), "cast");
	must(!ferry_op_contiguous(store, v, &dense, NULL), "contiguous");
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	must(!ferry_output_new(&o, path, true, NULL, 0, &work, NULL), "new");
	must(!ferry_output_open(o, NULL, &s, NULL), "open");
	t[0] = (struct ferry_transfer){ .source = inflated, .nbytes = N,
					.want_crc32 = true };
	t[1] = (struct ferry_transfer){
		.source = cast->u.tensor->storage->source, .nbytes = N / 2,
		.sink_offset = N, .want_crc32 = true };
	t[2] = (struct ferry_transfer){
		.source = dense->u.tensor->storage->source, .nbytes = N,
		.sink_offset = 2 * N, .want_crc32 = true };
	must(!ferry_sink_transfer(s, t, 3, NULL), "transfer");
	must(t[0].crc32 == crc32(0, plain, N), "crc");
	must(seen == 5 * N / 2, "progress");
	must(!ferry_output_commit(o, NULL), "commit");
	ferry_output_free(o);
	ferry_store_unref(store);
	remove(path);
}

static void *write_some(void *arg)
{
	char name[16];
	int i;

	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%u-%d",
			 (unsigned)(uintptr_t)arg, i);
		write_one(name);
	}
	return NULL;
}

static void *run(void *arg)
{
	return (uintptr_t)arg % 2 ? read_stream(arg) : write_some(arg);
}

int main(void)
{
	pthread_t threads[N_THREADS];
	unsigned char *packed = malloc(2 * N);
	struct ferry_source *parent;
	z_stream z = { 0 };
	uintptr_t i;

	plain = malloc(N);
	must(plain && packed && mkdtemp(dir), "set up");
	for (i = 0; i < N; i++)
		plain[i] = (unsigned char)(i * i >> (i >> 16) % 9);
	must(deflateInit2(&z, 1, Z_DEFLATED, -15, 8, 0) == Z_OK, "deflate");
	z.next_in = plain;
	z.avail_in = N;
	z.next_out = packed;
	z.avail_out = 2 * N;
	must(deflate(&z, Z_FINISH) == Z_STREAM_END, "deflate");
	deflateEnd(&z);
	must(!ferry_source_from_memory(&parent, packed, z.total_out, "p",
				       NULL), "source");
	must(!ferry_source_inflate(&inflated, parent, N, "i", NULL), "source");
	must(!ferry_source_from_memory(&memory, plain, N, "m", NULL),
	     "source");
	for (i = 0; i < N_THREADS; i++)
		must(!pthread_create(&threads[i], NULL, run, (void *)i),
		     "thread");
	for (i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	ferry_source_unref(inflated);
	ferry_source_unref(parent);
	ferry_source_unref(memory);
	remove(dir);
	free(plain);
	free(packed);
	return 0;
}
