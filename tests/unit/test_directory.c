/* Formats that are directories: listing, reading, proving, writing. */
#include "config.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <ferry/plan.h>
#include <ferry/sys/plugin.h>

static char scratch[] = "/tmp/ferry-directory-XXXXXX";

static void enter(void)
{
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	cr_assert_not_null(mkdtemp(scratch));
	cr_assert_eq(chdir(scratch), 0);
}

static void leave(void)
{
	char command[64];

	cr_assert_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	cr_assert_eq(system(command), 0);
}

/* As many succeed; then each fails.  Negative: none does. */
static int syncs_left = -1;

/* The library calls this one. */
FERRY_API int fsync(int fd)
{
	if (!syncs_left) {
		errno = EIO;
		return -1;
	}
	if (syncs_left > 0)
		syncs_left--;
	return (int)syscall(SYS_fsync, fd);
}

TestSuite(directory, .init = enter, .fini = leave);

static struct ferry_session *session(void)
{
	const char *top = getenv("abs_top_builddir");
	const char *dir = getenv("FERRY_MOCKS");
	char file[1024];
	const char *files[] = { file };
	struct ferry_session_options options = {
		.plugin_path = "", .schema_path = "",
		.plugin_files = files, .n_plugin_files = 1,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = NULL;

	snprintf(file, sizeof(file), dir ? "%s/mock_bundle.so" :
		 "%s/tests/plugins/.libs/mock_bundle.so",
		 dir ? dir : top ? top : ".");
	cr_assert_eq(ferry_session_new(&s, &options, &err), 0, "%s", err.text);
	return s;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	cr_assert_not_null(f, "%s", path);
	cr_assert_eq(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

static void make_dir(const char *path)
{
	cr_assert_eq(mkdir(path, 0777), 0, "%s", path);
}

/* run/: two parts that are read, one that is not, and what is no part. */
static void make_run(void)
{
	make_dir("run");
	make_dir("run/sub");
	put("run/bundle.txt", "one.part\nsub/two.part\n");
	put("run/one.part", "PARTfirst.");
	put("run/sub/two.part", "PARTsecond.");
	put("run/other.part", "PARTother.");
	put("run/log", "some words");
}

static struct ferry_document *open_run(struct ferry_session *s,
				       const char *path)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc = NULL;

	cr_assert_eq(ferry_open(s, path, NULL, &doc, &err), 0, "%s", err.text);
	return doc;
}

static int fails(struct ferry_session *s, const char *path,
		 struct ferry_error *err)
{
	struct ferry_document *doc;

	ferry_error_clear(err);
	return ferry_open(s, path, NULL, &doc, err);
}

static bool has(const struct ferry_findings *found, const char *code,
		const char *path)
{
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(found, i)); i++)
		if (!strcmp(f->code, code) && !strcmp(f->path, path))
			return true;
	return false;
}

Test(directory, is_read_by_its_format)
{
	static const char *const ways[] = { "run", "run/", "./run//" };
	const struct ferry_known *format = NULL;
	struct ferry_session *s = session();
	struct ferry_document *doc;

	make_run();
	for (size_t i = 0; i < 3; i++) {
		doc = open_run(s, ways[i]);
		cr_expect_str_eq(doc->format, "bundle");
		cr_expect_eq(doc->root->u.dict.n, 2);
		cr_expect(ferry_value_is(ferry_dict_get(doc->root,
							"sub/two.part"),
					 "second."));
		ferry_document_free(doc);
		cr_assert_eq(ferry_identify(s, ways[i], &format, NULL), 0);
		cr_expect_str_eq(format->name, "bundle");
	}
	cr_assert_eq(symlink("run", "link"), 0);
	ferry_document_free(open_run(s, "link"));
	ferry_session_free(s);
}

Test(directory, that_no_format_takes_is_diagnosed)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();
	struct ferry_open_options how = { .format = "part" };
	struct ferry_document *doc;

	make_dir("plain");
	put("plain/one.part", "PARTfirst.");
	cr_assert_eq(fails(s, "plain", &err), FERRY_UNSUPPORTED);
	cr_assert_not_null(strstr(err.text, "is a directory: name a file"),
			   "%s", err.text);
	cr_assert_eq(ferry_open(s, "plain", &how, &doc, NULL),
		     FERRY_UNSUPPORTED);
	how.format = "bundle";
	ferry_error_clear(&err);
	cr_assert_eq(ferry_open(s, "plain/one.part", &how, &doc, &err),
		     FERRY_UNSUPPORTED);
	cr_assert_not_null(strstr(err.text, "name the directory"), "%s",
			   err.text);
	cr_assert_eq(ferry_open(s, "plain", &how, &doc, &err), FERRY_NOTFOUND);
	ferry_session_free(s);
}

Test(directory, members_are_named_in_errors)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();

	make_run();
	put("run/sub/two.part", "PART");
	truncate("run/sub/two.part", 2 << 20);
	cr_assert_eq(fails(s, "run", &err), FERRY_MALFORMED);
	cr_expect_not_null(strstr(err.text, "run/sub/two.part"), "%s",
			   err.text);
	unlink("run/sub/two.part");
	cr_assert_eq(fails(s, "run", &err), FERRY_NOTFOUND);
	cr_expect_not_null(strstr(err.text, "run/sub/two.part"), "%s",
			   err.text);
	put("run/bundle.txt", "../outside\n");
	put("outside", "PARTsecret.");
	cr_assert_eq(fails(s, "run", &err), FERRY_MALFORMED);
	cr_expect_not_null(strstr(err.text, "leaves the directory"), "%s",
			   err.text);
	ferry_session_free(s);
}

Test(directory, warnings_of_members_are_kept)
{
	struct ferry_session *s = session();
	struct ferry_document *doc;

	make_run();
	put("run/sub/two.part", "PARTsecond");
	doc = open_run(s, "run");
	cr_assert(has(doc->findings, "no-stop", "sub/two.part"));
	ferry_document_free(doc);
	ferry_session_free(s);
}

Test(directory, links_loops_and_odd_names)
{
	struct ferry_session *s = session();
	struct ferry_document *doc;

	make_run();
	cr_assert_eq(symlink("..", "run/sub/loop"), 0);
	cr_assert_eq(symlink("self", "run/self"), 0);
	cr_assert_eq(symlink("nowhere", "run/dangling"), 0);
	cr_assert_eq(mkfifo("run/pipe", 0666), 0);
	put("run/new\nline.part", "PARTodd.");
	put("run/\x1b[31m\xff", "PARTodd.");
	put("elsewhere.part", "PARTlinked.");
	unlink("run/one.part");
	cr_assert_eq(symlink("../elsewhere.part", "run/one.part"), 0);
	doc = open_run(s, "run");
	cr_expect(ferry_value_is(ferry_dict_get(doc->root, "one.part"),
				 "linked."));
	cr_expect(has(doc->findings, "linked-directory", "sub/loop"));
	ferry_document_free(doc);
	ferry_session_free(s);
}

Test(directory, too_deep_is_told)
{
	struct ferry_session *s = session();
	struct ferry_document *doc;
	char path[256] = "run";

	make_run();
	for (int i = 0; i < 10; i++) {
		strcat(path, "/d");
		make_dir(path);
	}
	strcat(path, "/x.part");
	put(path, "PARTdeep.");
	doc = open_run(s, "run");
	cr_expect(has(doc->findings, "deep-directory",
		      "d/d/d/d/d/d/d/d/d"));
	ferry_document_free(doc);
	ferry_session_free(s);
}

Test(directory, unreadable_part_is_told)
{
	struct ferry_session *s = session();
	struct ferry_document *doc;

	make_run();
	make_dir("run/closed");
	cr_assert_eq(chmod("run/closed", 0), 0);
	if (!access("run/closed", R_OK))
		cr_skip_test("nothing is unreadable to this user");
	doc = open_run(s, "run");
	cr_expect(has(doc->findings, "unreadable-directory", "closed"));
	ferry_document_free(doc);
	chmod("run/closed", 0777);
	ferry_session_free(s);
}

static struct ferry_findings *verify(struct ferry_session *s, const char *path)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_findings *found;

	cr_assert_eq(ferry_findings_new(&found, NULL), 0);
	cr_assert_eq(ferry_verify(s, path, NULL, NULL, NULL, found, &err), 0,
		     "%s", err.text);
	return found;
}

Test(directory, every_file_is_proved)
{
	struct ferry_session *s = session();
	struct ferry_findings *found;

	make_run();
	found = verify(s, "run");
	cr_expect_eq(ferry_findings_count_level(found, FERRY_VIOLATION), 0);
	cr_expect_eq(ferry_findings_count_level(found, FERRY_WARNING), 0);
	cr_expect(has(found, "unknown-files", ""));
	ferry_findings_free(found);
	put("run/sub/two.part", "PARTsecond!");
	put("run/other.part", "PARTother!");
	put("run/empty", "");
	put("run/third.part", "PARTno end");
	found = verify(s, "run");
	cr_expect(has(found, "loud", "sub/two.part"));
	cr_expect(has(found, "loud", "other.part"));
	cr_expect(has(found, "file", "empty"));
	cr_expect(has(found, "no-stop", "third.part"));
	/* The reader's warnings come once. */
	cr_expect_eq(ferry_findings_count_level(found, FERRY_WARNING), 4);
	ferry_findings_free(found);
	ferry_session_free(s);
}

Test(directory, every_file_is_scanned)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();
	struct ferry_document *doc;
	struct ferry_value *members;

	make_run();
	cr_assert_eq(ferry_scan(s, "run", NULL, &doc, &err), 0, "%s",
		     err.text);
	members = ferry_dict_get(doc->root, "members");
	cr_assert_not_null(members);
	cr_assert_eq(members->u.dict.n, 3);
	cr_assert_not_null(ferry_dict_get(members, "sub/two.part"));
	ferry_document_free(doc);
	ferry_session_free(s);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* n files of which the reader reads one. */
static double time_open(struct ferry_session *s, const char *dir, int n)
{
	char path[64];
	double begun;

	make_dir(dir);
	snprintf(path, sizeof(path), "%s/bundle.txt", dir);
	put(path, "7.part\n");
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%d.part", dir, i);
		put(path, "PARTx.");
	}
	begun = seconds();
	ferry_document_free(open_run(s, dir));
	return seconds() - begun;
}

Test(directory, many_files_few_descriptors)
{
	struct rlimit few = { 64, 64 };
	struct ferry_session *s = session();
	struct ferry_findings *found;
	double small, large;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	small = time_open(s, "small", 1000);
	large = time_open(s, "large", 10000);
	cr_expect_lt(large, 0.5 + 40 * small, "%f s, %f s", small, large);
	found = verify(s, "small");
	cr_expect_eq(ferry_findings_count_level(found, FERRY_WARNING), 0);
	ferry_findings_free(found);
	ferry_session_free(s);
}

/* ---- writing ------------------------------------------------------------- */

/* Convert `in` to `out`; settings end in NULL. */
static int convert(struct ferry_session *s, const char *in, const char *out,
		   bool overwrite, const char *setting,
		   struct ferry_error *err)
{
	const char *inputs[] = { in }, *settings[] = { setting };
	struct ferry_job job = {
		.inputs = inputs, .n_inputs = 1, .output = out,
		.overwrite = overwrite, .verify = true,
		.settings = settings, .n_settings = setting != NULL,
	};
	struct ferry_plan *p;
	int rc;

	ferry_error_clear(err);
	rc = ferry_plan_new(&p, s, &job, err);
	if (rc)
		return rc;
	rc = ferry_plan_run(p, NULL, err);
	ferry_plan_free(p);
	return rc;
}

static void holds(const char *path, const char *text)
{
	char data[256] = "";
	FILE *f = fopen(path, "rb");
	size_t n;

	cr_assert_not_null(f, "%s", path);
	n = fread(data, 1, sizeof(data) - 1, f);
	fclose(f);
	cr_expect_eq(n, strlen(text));
	cr_expect_str_eq(data, text, "%s: %s", path, data);
}

/* Entries of a directory. */
static int count(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int n = 0;

	cr_assert_not_null(dir, "%s", path);
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return n;
}

static bool absent(const char *path)
{
	struct stat st;

	return lstat(path, &st) != 0;
}

Test(directory, round_trip)
{
	static const char *const ways[] = { "out/", "out2", "./sub/out//" };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();

	make_run();
	make_dir("out2");
	make_dir("sub");
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(convert(s, "run", ways[i], false, NULL, &err), 0,
			     "%s", err.text);
	holds("out/bundle.txt", "one.part\nsub/two.part\n");
	holds("out/one.part", "PARTfirst.");
	holds("out2/sub/two.part", "PARTsecond.");
	holds("sub/out/one.part", "PARTfirst.");
	cr_expect_eq(count("out"), 3);
	cr_expect_eq(count("out2"), 3);
	cr_expect_eq(count("."), 4);
	ferry_session_free(s);
}

Test(directory, failed_write_leaves_nothing)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();

	make_run();
	cr_assert_eq(convert(s, "run", "out/", false, "fail-after=1", &err),
		     FERRY_IO);
	cr_expect_eq(count("."), 1);
	make_dir("there");
	put("there/mine", "mine");
	cr_assert_eq(convert(s, "run", "there", false, "fail-after=1", &err),
		     FERRY_IO);
	cr_expect_eq(count("there"), 1);
	/* Re-reading finds what is not sound. */
	put("run/one.part", "PARTfirst!");
	cr_assert_eq(convert(s, "run", "out/", false, NULL, &err),
		     FERRY_MALFORMED);
	cr_expect_not_null(strstr(err.text, "loud"), "%s", err.text);
	cr_expect_eq(count("."), 2);
	ferry_session_free(s);
}

Test(directory, failed_sync_leaves_nothing)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();
	int rc = FERRY_IO, n;

	make_run();
	for (n = 0; rc; n++) {
		syncs_left = n;
		rc = convert(s, "run", "copy/", false, NULL, &err);
		syncs_left = -1;
		cr_assert(!rc || rc == FERRY_IO, "%d: %s", rc, err.text);
		cr_assert_eq(absent("copy"), rc != 0, "sync %d", n);
		cr_assert_eq(count("."), rc ? 1 : 2, "sync %d", n);
	}
	cr_expect_gt(n, 2);
	ferry_session_free(s);
}

Test(directory, files_that_are_there)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();
	struct stat st;

	make_run();
	make_dir("there");
	make_dir("there/sub");
	put("there/mine", "mine");
	put("there/sub/two.part", "PARTold.");
	put("linked", "PARTold.");
	cr_assert_eq(chmod("there/sub/two.part", 0640), 0);
	cr_assert_eq(symlink("../linked", "there/one.part"), 0);
	cr_assert_eq(convert(s, "run", "there", false, NULL, &err),
		     FERRY_EXISTS);
	cr_expect_not_null(strstr(err.text, "there/one.part"), "%s", err.text);
	cr_expect_null(strstr(err.text, "ferry-tmp"), "%s", err.text);
	holds("there/sub/two.part", "PARTold.");
	cr_expect_eq(count("there"), 3);
	cr_assert_eq(convert(s, "run", "there", true, NULL, &err), 0, "%s",
		     err.text);
	holds("there/sub/two.part", "PARTsecond.");
	holds("there/mine", "mine");
	holds("linked", "PARTfirst.");
	cr_assert_eq(lstat("there/one.part", &st), 0);
	cr_expect(S_ISLNK(st.st_mode));
	cr_assert_eq(lstat("there/sub/two.part", &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	cr_expect_eq(count("there"), 4);
	cr_expect_eq(count("there/sub"), 1);
	ferry_session_free(s);
}

/* The second file can't be moved: the first one is put back. */
Test(directory, is_put_back_when_a_file_cant_be_moved)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();

	make_run();
	make_dir("there");
	put("there/bundle.txt", "one.part\n");
	put("there/one.part", "PARTold.");
	put("there/sub", "a file where a directory is to be");
	cr_assert_eq(convert(s, "run", "there", true, NULL, &err), FERRY_IO,
		     "%s", err.text);
	holds("there/bundle.txt", "one.part\n");
	holds("there/one.part", "PARTold.");
	cr_expect_eq(count("there"), 3);
	ferry_session_free(s);
}

Test(directory, inputs_are_never_written_to)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();

	make_run();
	cr_assert_eq(convert(s, "run", "run", true, NULL, &err), FERRY_MISUSE);
	cr_expect_not_null(strstr(err.text, "one of the inputs"), "%s",
			   err.text);
	cr_assert_eq(convert(s, "run", "run/", false, NULL, &err),
		     FERRY_MISUSE);
	cr_expect_eq(count("run"), 5);
	ferry_session_free(s);
}

Test(directory, in_the_place_of_something_else)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = session();

	make_run();
	put("file", "");
	cr_assert_eq(symlink("nowhere", "dangling"), 0);
	cr_assert_neq(convert(s, "run", "file/", true, NULL, &err), 0);
	cr_assert_eq(convert(s, "run", "dangling/", true, NULL, &err),
		     FERRY_EXISTS, "%s", err.text);
	cr_assert_neq(convert(s, "run", "no/such/", true, NULL, &err), 0);
	/* A part is no directory. */
	cr_assert_eq(convert(s, "run/one.part", "x/", true, NULL, &err),
		     FERRY_LOSSY, "%s", err.text);
	cr_expect(absent("x"));
	cr_expect_eq(count("."), 3);
	ferry_session_free(s);
}

/* n parts, all read and written again. */
static double time_convert(struct ferry_session *s, const char *dir, int n)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	char path[64];
	double begun;
	FILE *f;

	make_dir(dir);
	snprintf(path, sizeof(path), "%s/bundle.txt", dir);
	f = fopen(path, "w");
	for (int i = 0; i < n; i++)
		fprintf(f, "%d.part\n", i);
	fclose(f);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%d.part", dir, i);
		put(path, "PARTx.");
	}
	snprintf(path, sizeof(path), "%s.out/", dir);
	begun = seconds();
	cr_assert_eq(convert(s, dir, path, false, NULL, &err), 0, "%s",
		     err.text);
	return seconds() - begun;
}

Test(directory, many_files_are_written_in_linear_time)
{
	struct rlimit few = { 64, 64 };
	struct ferry_session *s = session();
	double small, large;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	small = time_convert(s, "small", 1000);
	large = time_convert(s, "large", 10000);
	cr_log_info("%f s, %f s\n", small, large);
	cr_expect_lt(large, 2 + 30 * small, "%f s, %f s", small, large);
	cr_expect_eq(count("large.out"), 10001);
	ferry_session_free(s);
}
