/* Sessions: identifying, opening, recognising, options. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/session.h>
#include <ferry/sys/plugin.h>

#include "core/registry/option.h"

static char scratch[] = "/tmp/ferry-session-XXXXXX";

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

static struct ferry_session *open_session(const char *const *mocks, size_t n)
{
	const char *top = getenv("abs_top_builddir");
	const char *dir = getenv("FERRY_MOCKS");
	char kept[8][1024];
	const char *files[8];
	struct ferry_session_options options = {
		.plugin_path = "", .plugin_files = files, .n_plugin_files = n,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = NULL;

	for (size_t i = 0; i < n; i++) {
		snprintf(kept[i], sizeof(kept[i]), dir ? "%s/mock_%s.so" :
			 "%s/tests/plugins/.libs/mock_%s.so",
			 dir ? dir : top ? top : ".", mocks[i]);
		files[i] = kept[i];
	}
	cr_assert_eq(ferry_session_new(&s, &options, &err), 0, "%s", err.text);
	return s;
}

#define SESSION(...) \
	open_session((const char *const[]){ __VA_ARGS__ }, \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / \
		     sizeof(char *))

static void put(const char *name, const void *data, size_t n)
{
	FILE *f = fopen(name, "wb");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(data, 1, n, f), n);
	fclose(f);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

/* Identifying the bytes fails with the code and says all the words. */
static void says(const char *name, const void *data, size_t n, int code,
		 const char *const *words)
{
	struct ferry_session *s = SESSION("good");
	struct ferry_error err = FERRY_ERROR_INIT;
	const struct ferry_known *row = NULL;

	put(name, data, n);
	cr_assert_eq(ferry_identify(s, name, &row, &err), code, "%s: %s", name,
		     err.text);
	for (; *words; words++)
		cr_assert(strstr(err.text, *words), "'%s' is not in: %s",
			  *words, err.text);
	ferry_session_free(s);
}

#define SAYS(name, text, code, ...) \
	says(name, text, sizeof(text) - 1, code, \
	     (const char *const[]){ name, __VA_ARGS__, NULL })

Test(session, identifies_by_the_best_probe, .init = enter, .fini = leave)
{
	struct ferry_session *s = SESSION("good", "fails");
	struct ferry_error err = FERRY_ERROR_INIT;
	const struct ferry_known *row;

	put("x", "WORDS", 5);
	cr_assert_eq(ferry_identify(s, "x", &row, &err), 0, "%s", err.text);
	cr_assert_str_eq(row->name, "word");
	ferry_session_free(s);
}

Test(session, a_tie_names_both_and_the_way_out, .init = enter, .fini = leave)
{
	struct ferry_session *s = SESSION("good", "tie");
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_open_options options = { .format = "tied" };
	const struct ferry_known *row;
	struct ferry_document *doc;

	put("x", "WORDS", 5);
	cr_assert_eq(ferry_identify(s, "x", &row, &err), FERRY_AMBIGUOUS);
	cr_assert(strstr(err.text, "'word'"), "%s", err.text);
	cr_assert(strstr(err.text, "'tied'"), "%s", err.text);
	cr_assert(strstr(err.text, "--from-format=tied"), "%s", err.text);
	ferry_error_clear(&err);
	cr_assert_eq(ferry_open(s, "x", &options, &doc, &err), 0, "%s",
		     err.text);
	cr_assert_str_eq(doc->format, "tied");
	ferry_document_free(doc);
	ferry_session_free(s);
}

Test(session, what_is_no_checkpoint_is_named, .init = enter, .fini = leave)
{
	static const char zeros[10000], zip[200] = "PK\3\4archive/data.pkl";
	char tar[512] = "", hdf[64] = "\x89HDF\r\n\x1a\n";

	SAYS("a.pt", "", FERRY_MALFORMED, "empty", "0 bytes");
	SAYS("b.pt", "\n <!DOCTYPE HTML><p>log in", FERRY_MALFORMED,
	     "web page", "download it again");
	SAYS("c.pt", "\xef\xbb\xbf<html lang=en>", FERRY_MALFORMED,
	     "web page");
	SAYS("d.pt", "<?xml version=\"1.0\"?><Error><Code>AccessDenied",
	     FERRY_MALFORMED, "storage service");
	SAYS("e.pt", "version https://git-lfs.github.com/spec/v1\noid sha",
	     FERRY_MALFORMED, "git lfs pull", "50 bytes");
	SAYS("f.pt", "{\"error\": \"gated\"}", FERRY_MALFORMED,
	     "error message");
	SAYS("g.pt", "\x1f\x8b\x08 and more", FERRY_UNSUPPORTED, "gunzip");
	SAYS("h.pt", "\x28\xb5\x2f\xfd and more", FERRY_UNSUPPORTED, "zstd");
	SAYS("i.pt", "\xfd\x37zXZ\0 and more", FERRY_UNSUPPORTED, "xz -d");
	SAYS("j.pt", "BZh91AY", FERRY_UNSUPPORTED, "bunzip2");
	SAYS("k.pt", "\x04\x22\x4d\x18 more", FERRY_UNSUPPORTED, "lz4");
	SAYS("l.pt", "7z\xbc\xaf\x27\x1c..", FERRY_UNSUPPORTED, "7z");
	SAYS("m.pt", "GGUF\3\0\0\0", FERRY_UNSUPPORTED, "GGUF");
	SAYS("n.pt", "\x7f" "ELF\2\1\1", FERRY_UNSUPPORTED, "ELF");
	SAYS("o.pt", "\x80\2}q\0X\3", FERRY_MALFORMED, "pickle", "cut off",
	     "7 bytes");
	SAYS("p.pt", "dear diary,\nall is well", FERRY_UNSUPPORTED, "text",
	     "dear diary");
	SAYS("q.pt", "\1\2\3\4\5\6", FERRY_UNSUPPORTED, "01 02 03",
	     "--from-format");
	SAYS("r.pt", zeros, FERRY_MALFORMED, "zero bytes", "9999 bytes");
	SAYS("s.pt", zip, FERRY_MALFORMED, "cut off", "199 bytes");
	memcpy(tar + 257, "ustar", 5);
	SAYS("t.pt", tar, FERRY_UNSUPPORTED, "tar");
	SAYS("u.pt", hdf, FERRY_UNSUPPORTED, "HDF5");
}

Test(session, a_directory_is_told_what_it_looks_like, .init = enter,
     .fini = leave)
{
	struct ferry_session *s = SESSION("good");
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	cr_assert_eq(mkdir("dcp", 0777), 0);
	put("dcp/.metadata", "x", 1);
	cr_assert_eq(ferry_open(s, "dcp", NULL, &doc, &err),
		     FERRY_UNSUPPORTED);
	cr_assert(strstr(err.text, "dcp is a directory"), "%s", err.text);
	cr_assert(strstr(err.text, "DCP"), "%s", err.text);
	ferry_error_clear(&err);
	cr_assert_eq(ferry_open(s, ".", NULL, &doc, &err), FERRY_UNSUPPORTED);
	cr_assert(strstr(err.text, "name a file in it"), "%s", err.text);
	ferry_error_clear(&err);
	cr_assert_eq(ferry_open(s, "gone.pt", NULL, &doc, &err),
		     FERRY_NOTFOUND);
	cr_assert(strstr(err.text, "gone.pt"), "%s", err.text);
	ferry_session_free(s);
}

static void open_fails(const char *mock, const char *word, int code,
		       const char *says_this)
{
	struct ferry_session *s = open_session(&mock, 1);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc = NULL;

	put("file.x", word, strlen(word));
	cr_assert_eq(ferry_open(s, "file.x", NULL, &doc, &err), code, "%s: %s",
		     mock, err.text);
	cr_assert(strstr(err.text, says_this), "%s: %s", mock, err.text);
	cr_assert(!strncmp(err.text, "file.x: ", 8), "%s", err.text);
	cr_assert_null(doc);
	ferry_session_free(s);
}

Test(session, a_reader_that_breaks_its_contract_is_an_error, .init = enter,
     .fini = leave)
{
	open_fails("fails", "FAIL", FERRY_MALFORMED, "the fifth byte");
	open_fails("silent", "MUTE", FERRY_MALFORMED, "did not say why");
	open_fails("code", "CODE", FERRY_PLUGIN, "returned 7");
	open_fails("null", "NULL", FERRY_PLUGIN, "gave no document");
	open_fails("hollow", "HOLE", FERRY_MALFORMED, "");
}

Test(session, the_offset_of_a_reader_error_is_kept, .init = enter,
     .fini = leave)
{
	struct ferry_session *s = SESSION("fails");
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	put("x", "FAIL", 4);
	ferry_open(s, "x", NULL, &doc, &err);
	cr_assert_eq(err.offset, 4);
	cr_assert_str_eq(err.origin, "failing");
	ferry_session_free(s);
}

Test(session, settings_the_reader_does_not_have_are_misuse, .init = enter,
     .fini = leave)
{
	const char *good[] = { "colour=red" }, *bad[] = { "taste=sour" };
	struct ferry_open_options options = {
		.settings = good, .n_settings = 1,
	};
	struct ferry_session *s = SESSION("chain");
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	put("x", "NOTE a", 6);
	cr_assert_eq(ferry_open(s, "x", &options, &doc, &err), 0, "%s",
		     err.text);
	ferry_document_free(doc);
	options.settings = bad;
	cr_assert_eq(ferry_open(s, "x", &options, &doc, &err), FERRY_MISUSE);
	cr_assert(strstr(err.text, "taste") && strstr(err.text, "colour"),
		  "%s", err.text);
	ferry_session_free(s);
}

Test(session, unknown_names_get_near_ones, .init = enter, .fini = leave)
{
	struct ferry_open_options options = { .format = "wrod" };
	struct ferry_session *s = SESSION("good");
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	put("x", "WORD", 4);
	cr_assert_eq(ferry_open(s, "x", &options, &doc, &err), FERRY_NOTFOUND);
	cr_assert(strstr(err.text, "did you mean 'word'"), "%s", err.text);
	ferry_session_free(s);
}

Test(session, recognises_and_forces_types, .init = enter, .fini = leave)
{
	struct ferry_session *s = SESSION("chain");
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_recognised what;
	struct ferry_document *doc;
	struct ferry_value *facts;

	put("x", "NOTE b", 6);
	cr_assert_eq(ferry_open(s, "x", NULL, &doc, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_recognise(s, doc, "x", NULL, &what, &err), 0);
	cr_assert_str_eq(what.type->name, "mock/b");
	cr_assert_eq(what.score, 90);
	cr_assert_str_eq(what.reason, "it says so");
	cr_assert_eq(ferry_describe(s, doc, what.type, &facts, &err), 0);
	cr_assert_eq(facts->u.dict.n, 0);
	cr_assert_eq(ferry_recognise(s, doc, "x", "mock/a", &what, &err), 0);
	cr_assert_str_eq(what.type->name, "mock/a");
	cr_assert_eq(what.score, 0);
	cr_assert_eq(ferry_recognise(s, doc, "x", "mock/q", &what, &err),
		     FERRY_NOTFOUND);
	ferry_document_free(doc);
	ferry_session_free(s);
}

Test(session, equal_types_are_ambiguous_and_none_is_no_error, .init = enter,
     .fini = leave)
{
	struct ferry_session *s = SESSION("chain");
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_recognised what;
	struct ferry_document *doc;

	put("x", "NOTE twin", 9);
	cr_assert_eq(ferry_open(s, "x", NULL, &doc, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_recognise(s, doc, "x", NULL, &what, &err),
		     FERRY_AMBIGUOUS);
	cr_assert(strstr(err.text, "mock/twin") &&
		  strstr(err.text, "mock/other"), "%s", err.text);
	ferry_document_free(doc);
	ferry_error_clear(&err);
	put("y", "NOTE ?", 6);
	cr_assert_eq(ferry_open(s, "y", NULL, &doc, &err), 0, "%s", err.text);
	cr_assert_eq(ferry_recognise(s, doc, "y", NULL, &what, &err), 0);
	cr_assert_null(what.type);
	ferry_document_free(doc);
	ferry_session_free(s);
}

Test(session, siblings_stay_in_the_directory, .init = enter, .fini = leave)
{
	static const char *const bad[] = {
		"/etc/passwd", "../x", "a/../../x", "", ".", "a//b", "a/",
		"./x", "..",
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_input in = { .path = "d/main" };
	struct ferry_source *src;

	cr_assert_eq(mkdir("d", 0777), 0);
	put("d/other", "12345", 5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ferry_error_clear(&err);
		cr_assert_eq(ferry_input_sibling(&in, bad[i], &src, &err),
			     FERRY_MALFORMED, "%s", bad[i]);
	}
}

Test(session, options_are_parsed)
{
	static const struct ferry_option_spec specs[] = {
		{ "size", "5GiB", "" }, { "flag", "no", "" },
		{ "free", NULL, "" }, { NULL, NULL, NULL }
	};
	const char *settings[] = {
		"size=1", "other=x", "size=2MB", "flag=true", "flags=q"
	};
	struct ferry_options o = { specs, settings, 5 };
	struct ferry_error err = FERRY_ERROR_INIT;
	uint64_t n = 0;
	bool flag = false;

	cr_assert_eq(ferry_option_bytes(&o, "size", &n, &err), 0);
	cr_assert_eq(n, 2000000);
	cr_assert_eq(ferry_option_bool(&o, "flag", &flag, &err), 0);
	cr_assert(flag);
	cr_assert_null(ferry_option(&o, "free"));
	cr_assert_null(ferry_option(NULL, "size"));
	o.n = 0;
	cr_assert_eq(ferry_option_bytes(&o, "size", &n, &err), 0);
	cr_assert_eq(n, UINT64_C(5) << 30);
	cr_assert_eq(ferry_option_bytes(&o, "free", &n, &err), FERRY_MISUSE);
}

Test(session, bad_sizes_are_misuse)
{
	static const char *const bad[] = {
		"size=", "size=x", "size=-1", "size=5X", "size=5GBB",
		"size=99999999999999999999", "size=20000000T", "size=1.5G",
	};
	static const struct ferry_option_spec specs[] = {
		{ "size", NULL, "" }, { NULL, NULL, NULL }
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	uint64_t n = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct ferry_options o = { specs, &bad[i], 1 };

		ferry_error_clear(&err);
		cr_assert_eq(ferry_option_bytes(&o, "size", &n, &err),
			     FERRY_MISUSE, "%s", bad[i]);
		cr_assert_eq(n, 7);
	}
}

Test(session, models_come_from_the_schema_path, .init = enter, .fini = leave)
{
	struct ferry_session_options options = {
		.plugin_path = "", .schema_path = "/nonexistent:one:two",
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	const struct ferry_findings *found;
	const struct ferry_known *row;
	struct ferry_session *s;

	cr_assert_geq(system("mkdir -p one/handling/deep two/handling"), 0);
	put_text("one/handling/deep/m.yaml",
		 "name: maker/model\ndescription: a test\nrules: []\n");
	put_text("two/handling/m.yaml",
		 "name: maker/model\ndescription: hidden\nrules: []\n");
	put_text("two/handling/bad.yaml", "name: [\n");
	put_text("two/handling/note.txt", "x");
	cr_assert_eq(ferry_session_new(&s, &options, &err), 0, "%s", err.text);
	row = ferry_session_find(s, FERRY_KNOWN_MODELS, "maker/model");
	cr_assert_not_null(row);
	cr_assert_str_eq(row->description, "a test");
	cr_assert(strstr(row->file, "one/handling/deep/m.yaml"));
	found = ferry_session_findings(s);
	cr_assert_eq(ferry_findings_count(found), 1);
	cr_assert(strstr(ferry_findings_get(found, 0)->text,
			 "bad.yaml line 2"), "%s",
		  ferry_findings_get(found, 0)->text);
	ferry_session_free(s);
}
