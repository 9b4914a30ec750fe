/* Outputs: what has its final name when, and what is left behind. */
#include "config.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ferry/plan.h>
#include <ferry/sys/alloc.h>
#include <ferry/sys/sink.h>

static char dir[64];
static struct ferry_output *o;
static struct ferry_sink *s;

/* The library's calls of it come here. */
static bool without_renameat2;

FERRY_API int renameat2(int from_dir, const char *from, int to_dir,
			const char *to, unsigned flags)
{
	if (!without_renameat2)
		return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to,
				    flags);
	errno = EINVAL;
	return -1;
}

/* And of this: of directories alone, for files are synced by their data. */
static bool without_fsync;

FERRY_API int fsync(int fd)
{
	if (!without_fsync)
		return (int)syscall(SYS_fsync, fd);
	errno = EIO;
	return -1;
}

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ferry-sink-XXXXXX");
	cr_assert(mkdtemp(dir));
	umask(022);
}

static void tear_down(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(sink, .init = set_up, .fini = tear_down);

static const char *in_dir(const char *name)
{
	static char paths[4][160];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "wb");

	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

static void check_file(const char *name, const char *text, size_t n)
{
	char buf[256] = "";
	FILE *f = fopen(in_dir(name), "rb");

	cr_assert(f, "%s is absent", name);
	cr_assert_eq(fread(buf, 1, sizeof(buf), f), n);
	cr_assert(!memcmp(buf, text, n));
	fclose(f);
}

static bool exists(const char *name)
{
	struct stat st;

	return !lstat(in_dir(name), &st);
}

static unsigned n_files(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static void begin(const char *name, bool overwrite)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_assert_eq(ferry_output_new(&o, in_dir(name), overwrite, NULL, 0,
				      NULL, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_output_open(o, NULL, &s, &err), 0, "%s", err.text);
}

Test(sink, file_has_its_name_only_after_commit)
{
	struct stat st;

	begin("out", false);
	cr_assert_str_eq(ferry_output_name(o), "out");
	cr_assert(!exists("out"));
	cr_assert_eq(n_files(), 1);
	cr_assert_eq(ferry_sink_append(s, "hello ", 6, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, "world", 5, NULL), 0);
	cr_assert_eq(ferry_sink_tell(s), 11);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	cr_assert_eq(n_files(), 1);
	ferry_output_free(o);
	check_file("out", "hello world", 11);
	cr_assert_eq(stat(in_dir("out"), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0644);
}

Test(sink, appends_seeks_and_places_agree)
{
	static char big[100000];

	begin("out", false);
	cr_assert_eq(ferry_sink_append(s, "abc", 3, NULL), 0);
	cr_assert_eq(ferry_sink_write_at(s, "B", 1, 1, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, "def", 3, NULL), 0);
	cr_assert_eq(ferry_sink_seek(s, 8, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, "ij", 2, NULL), 0);
	cr_assert_eq(ferry_sink_seek(s, 3, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, "D", 1, NULL), 0);
	cr_assert_eq(ferry_sink_tell(s), 4);
	cr_assert_eq(ferry_sink_nbytes(s), 10);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	check_file("out", "aBcDef\0\0ij", 10);

	memset(big, 'x', sizeof(big));
	begin("big", false);
	cr_assert_eq(ferry_sink_append(s, "1", 1, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, big, sizeof(big), NULL), 0);
	cr_assert_eq(ferry_sink_append(s, big, 60000, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, big, 60000, NULL), 0);
	cr_assert_eq(ferry_sink_tell(s), 220001);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	cr_assert_eq(ferry_sink_nbytes(s), 220001);
	ferry_output_free(o);
}

Test(sink, nothing_is_left_without_commit)
{
	struct ferry_sink *side;

	put("old", "old");
	begin("out", false);
	cr_assert_eq(ferry_output_open(o, "side", &side, NULL), 0);
	cr_assert_eq(ferry_output_count(o), 2);
	cr_assert(ferry_output_get(o, 1) == side);
	cr_assert_null(ferry_output_get(o, 2));
	cr_assert_eq(ferry_sink_append(s, "x", 1, NULL), 0);
	cr_assert_eq(n_files(), 3);
	ferry_output_free(o);
	cr_assert_eq(n_files(), 1);
	check_file("old", "old", 3);
	ferry_output_free(NULL);
}

Test(sink, what_exists_is_kept_unless_overwrite)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct stat st;

	put("out", "old");
	cr_assert_eq(chmod(in_dir("out"), 0600), 0);
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), false, NULL, 0, NULL,
				      &err), FERRY_EXISTS);
	cr_assert(strstr(err.text, "--overwrite"));
	begin("out", true);
	cr_assert_eq(ferry_sink_append(s, "new", 3, NULL), 0);
	check_file("out", "old", 3);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	check_file("out", "new", 3);
	cr_assert_eq(stat(in_dir("out"), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(sink, what_appears_in_between_is_kept)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_sink *side;

	begin("out", false);
	cr_assert_eq(ferry_output_open(o, "side", &side, NULL), 0);
	put("out", "theirs");
	cr_assert_eq(ferry_output_commit(o, &err), FERRY_EXISTS);
	cr_assert(strstr(err.text, "appeared"));
	cr_assert(!exists("side"));
	cr_assert_eq(n_files(), 1);
	ferry_output_free(o);
	check_file("out", "theirs", 6);
}

static void fail_at_the_main_file(void)
{
	struct ferry_sink *new, *old;

	put("old", "before");
	begin("out", true);
	cr_assert_eq(ferry_output_open(o, "new", &new, NULL), 0);
	cr_assert_eq(ferry_output_open(o, "old", &old, NULL), 0);
	cr_assert_eq(ferry_sink_append(old, "after", 5, NULL), 0);
	/* A directory in the main file's place makes the last rename fail. */
	cr_assert_eq(mkdir(in_dir("out"), 0755), 0);
	cr_assert_eq(ferry_output_commit(o, NULL), FERRY_IO);
	ferry_output_free(o);
	cr_assert(!exists("new"));
	check_file("old", "before", 6);
	cr_assert_eq(n_files(), 2);
	cr_assert_eq(rmdir(in_dir("out")), 0);
}

Test(sink, siblings_come_before_the_main_file_and_go_with_it)
{
	fail_at_the_main_file();
	without_renameat2 = true;
	fail_at_the_main_file();
}

static void replace_two(void)
{
	struct ferry_sink *side;

	put("out", "old main");
	put("side", "old side");
	begin("out", true);
	cr_assert_eq(ferry_output_open(o, "side", &side, NULL), 0);
	cr_assert_eq(ferry_sink_append(s, "main", 4, NULL), 0);
	cr_assert_eq(ferry_sink_append(side, "side", 4, NULL), 0);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	check_file("out", "main", 4);
	check_file("side", "side", 4);
	cr_assert_eq(n_files(), 2);
}

Test(sink, all_files_are_replaced_together)
{
	replace_two();
	without_renameat2 = true;
	replace_two();
}

static void fail_to_sync(const char *old)
{
	if (old)
		put("out", old);
	begin("out", old != NULL);
	cr_assert_eq(ferry_sink_append(s, "new", 3, NULL), 0);
	without_fsync = true;
	cr_assert_eq(ferry_output_commit(o, NULL), FERRY_IO);
	without_fsync = false;
	ferry_output_free(o);
	cr_assert_eq(n_files(), old ? 1 : 0);
	if (old)
		check_file("out", old, strlen(old));
}

Test(sink, what_was_not_synced_is_undone)
{
	fail_to_sync(NULL);
	fail_to_sync("old");
	without_renameat2 = true;
	fail_to_sync("old");
}

/* Shards by the thousand: few are open at a time, and any can be gone on
 * with. */
Test(sink, more_files_than_descriptors)
{
	enum { N = 3000 };
	struct rlimit limit = { 64, 64 };
	static struct ferry_sink *side[N];
	char name[32], text[32];

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	begin("out", false);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "side%d", i);
		cr_assert_eq(ferry_output_open(o, name, &side[i], NULL), 0);
		cr_assert_eq(ferry_sink_append(side[i], name, strlen(name),
					       NULL), 0);
	}
	cr_assert_eq(ferry_output_open(o, "side7", &s, NULL), FERRY_MISUSE);
	for (int i = N; i--; )
		cr_assert_eq(ferry_sink_append(side[i], "!", 1, NULL), 0);
	cr_assert_eq(ferry_sink_write_at(side[5], "S", 1, 0, NULL), 0);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	cr_assert_eq(n_files(), N + 1);
	check_file("side5", "Side5!", 6);
	for (int i = 6; i < N; i += 613) {
		snprintf(name, sizeof(name), "side%d", i);
		snprintf(text, sizeof(text), "side%d!", i);
		check_file(name, text, strlen(text));
	}
}

Test(sink, links_into_another_directory_take_few_descriptors)
{
	struct rlimit limit = { 64, 64 };
	char name[64], to[64];
	struct ferry_sink *side;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(mkdir(in_dir("blobs"), 0755), 0);
	begin("out", true);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "side%d", i);
		snprintf(to, sizeof(to), "blobs/%d", i);
		put(to, "old");
		cr_assert_eq(symlink(to, in_dir(name)), 0);
		cr_assert_eq(ferry_output_open(o, name, &side, NULL), 0);
		cr_assert_eq(ferry_sink_append(side, "new", 3, NULL), 0);
	}
	cr_assert_eq(ferry_output_open(o, "side3", &side, NULL), FERRY_MISUSE);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	check_file("blobs/42", "new", 3);
	cr_assert_eq(n_files(), 102);
}

Test(sink, sibling_names_are_plain)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/x" };
	struct ferry_sink *side = NULL;
	size_t i;

	begin("out", false);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(ferry_output_open(o, bad[i], &side, NULL),
			     FERRY_MISUSE);
	cr_assert_eq(ferry_output_open(o, "out", &side, NULL), FERRY_MISUSE);
	cr_assert_eq(ferry_output_open(o, NULL, &side, NULL), FERRY_MISUSE);
	cr_assert_null(side);
	ferry_output_free(o);
}

Test(sink, inputs_are_never_outputs)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *inputs[2];
	struct ferry_sink *side;

	put("in", "data");
	put("in2", "data");
	cr_assert_eq(link(in_dir("in"), in_dir("hard")), 0);
	inputs[0] = in_dir("in");
	inputs[1] = in_dir("in2");
	cr_assert_eq(ferry_output_new(&o, in_dir("hard"), true, inputs, 2,
				      NULL, &err), FERRY_MISUSE);
	cr_assert(strstr(err.text, "is one of the inputs"));
	cr_assert_eq(ferry_output_new(&o, in_dir("out"), true, inputs, 2, NULL,
				      NULL), 0);
	cr_assert_eq(ferry_output_open(o, "in2", &side, NULL), FERRY_MISUSE);
	ferry_output_free(o);
	check_file("in", "data", 4);
}

Test(sink, links_are_followed_and_stay)
{
	struct stat st;

	cr_assert_eq(mkdir(in_dir("sub"), 0755), 0);
	put("sub/real", "old");
	cr_assert_eq(symlink("sub/real", in_dir("link")), 0);
	cr_assert_eq(symlink("sub/none", in_dir("dangling")), 0);
	begin("link", true);
	cr_assert_eq(ferry_sink_append(s, "new", 3, NULL), 0);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	cr_assert_eq(lstat(in_dir("link"), &st), 0);
	cr_assert(S_ISLNK(st.st_mode));
	check_file("sub/real", "new", 3);
	begin("dangling", false);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	check_file("sub/none", "", 0);
	cr_assert_eq(symlink("loop", in_dir("loop")), 0);
	cr_assert_eq(ferry_output_new(&o, in_dir("loop"), true, NULL, 0, NULL,
				      NULL), FERRY_IO);
}

Test(sink, directories_and_devices_are_refused)
{
	cr_assert_eq(ferry_output_new(&o, dir, true, NULL, 0, NULL, NULL),
		     FERRY_UNSUPPORTED);
	cr_assert_eq(ferry_output_new(&o, "/dev/null", true, NULL, 0, NULL,
				      NULL), FERRY_UNSUPPORTED);
	cr_assert_eq(ferry_output_new(&o, in_dir("x/"), true, NULL, 0, NULL,
				      NULL), FERRY_IO);
	cr_assert_eq(ferry_output_new(&o, in_dir("none/x"), false, NULL, 0,
				      NULL, NULL), 0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), FERRY_IO);
	ferry_output_free(o);
}

Test(sink, long_names_have_room_for_the_temporary_one)
{
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	{
		char path[400];

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		cr_assert_eq(ferry_output_new(&o, path, false, NULL, 0, NULL,
					      NULL), 0);
		cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
		cr_assert_eq(ferry_output_commit(o, NULL), 0);
		ferry_output_free(o);
		cr_assert_eq(access(path, F_OK), 0);
	}
}

Test(sink, temporary_path_shows_what_was_written)
{
	const char *path;
	char buf[8] = "";
	FILE *f;

	begin("out", false);
	cr_assert_eq(ferry_sink_append(s, "peek", 4, NULL), 0);
	cr_assert_eq(ferry_sink_temp_path(s, &path, NULL), 0);
	cr_assert(strstr(path, "/.out."));
	cr_assert(strstr(path, ".ferry-tmp"));
	f = fopen(path, "rb");
	cr_assert(f);
	cr_assert_eq(fread(buf, 1, 8, f), 4);
	cr_assert_str_eq(buf, "peek");
	fclose(f);
	cr_assert_str_eq(ferry_sink_path(s), in_dir("out"));
	ferry_output_free(o);
}

static void on_signal(int sig)
{
	ferry_abort_outputs();
	_exit(sig);
}

Test(sink, signal_handler_removes_every_temporary_file)
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		struct ferry_output *other;
		struct ferry_sink *side;

		signal(SIGTERM, on_signal);
		ferry_output_new(&o, in_dir("a"), false, NULL, 0, NULL, NULL);
		ferry_output_open(o, NULL, &s, NULL);
		ferry_output_open(o, "b", &side, NULL);
		ferry_output_new(&other, in_dir("c"), false, NULL, 0, NULL,
				 NULL);
		ferry_output_open(other, NULL, &side, NULL);
		ferry_sink_append(side, "x", 1, NULL);
		ferry_output_commit(other, NULL);
		if (n_files() == 3)
			raise(SIGTERM);
		_exit(99);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == SIGTERM);
	cr_assert_eq(n_files(), 1);
	check_file("c", "x", 1);
}

Test(sink, file_size_limit_is_an_io_error)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct rlimit limit = { 1000, 1000 };

	signal(SIGXFSZ, SIG_IGN);
	begin("out", false);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(ferry_sink_write_at(s, "xyz", 3, 5000, &err), FERRY_IO);
	cr_assert(strstr(err.text, "ulimit -f"));
	cr_assert(strstr(err.text, in_dir("out")));
	ferry_output_free(o);
	cr_assert_eq(n_files(), 0);
}

Test(sink, cancel_stops_the_commit)
{
	atomic_bool cancel = true;
	struct ferry_work work = { .cancel = &cancel };

	cr_assert_eq(ferry_output_new(&o, in_dir("out"), false, NULL, 0, &work,
				      NULL), 0);
	cr_assert(ferry_output_work(o) == &work);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(ferry_output_commit(o, NULL), FERRY_CANCELLED);
	ferry_output_free(o);
	cr_assert_eq(n_files(), 0);
}

Test(sink, crc_is_that_of_zip_and_combines)
{
	static const char text[] = "123456789";
	uint32_t a, b;
	size_t k;

	cr_assert_eq(ferry_crc32(0, text, 9), 0xcbf43926);
	for (k = 0; k <= 9; k++) {
		a = ferry_crc32(0, text, k);
		b = ferry_crc32(0, text + k, 9 - k);
		cr_assert_eq(ferry_crc32(a, text + k, 9 - k), 0xcbf43926);
		cr_assert_eq(ferry_crc32_combine(a, b, 9 - k), 0xcbf43926);
	}
	/* 5 GiB of zeros after "1": by squaring, not by reading. */
	a = ferry_crc32(0, "1", 1);
	b = ferry_crc32_combine(a, 0, UINT64_C(5) << 30);
	a = ferry_crc32_combine(a, 0, UINT64_C(3) << 30);
	cr_assert_eq(ferry_crc32_combine(a, 0, UINT64_C(2) << 30), b);
}

Test(sink, failing_allocations_leave_nothing_behind)
{
	uint64_t nth;
	int code = FERRY_NOMEM;

	for (nth = 1; code && nth < 100; nth++) {
		ferry_alloc_fail_at(nth);
		code = ferry_output_new(&o, in_dir("out"), false, NULL, 0, NULL,
					NULL);
		if (!code) {
			code = ferry_output_open(o, NULL, &s, NULL);
			if (!code)
				code = ferry_sink_append(s, "x", 1, NULL);
			ferry_output_free(o);
		}
		ferry_alloc_fail_at(0);
		cr_assert(!code || code == FERRY_NOMEM);
		cr_assert_eq(n_files(), 0);
	}
	cr_assert_lt(nth, 100);
	cr_assert_gt(nth, 5);
}
