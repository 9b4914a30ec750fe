/* Which of torch's formats a file is, by its first and last bytes. */
#include "config.h"

#include "formats/torch/torch.h"

#include <string.h>
#include <strings.h>

#include <ferry/sys/bytes.h>

#include "formats/torch/tar.h"

/* ---- zip --------------------------------------------------------------- */

enum {
	LOCAL_BYTES = 30,
	ENTRY_BYTES = 46,
	END_BYTES = 22,
};

struct traits {
	bool zip;		/* begins as one */
	bool ends;		/* an end record is in the tail */
	bool save;		/* a record as torch.save() writes them */
	bool script;		/* one only TorchScript has */
	bool program;		/* one only torch.export has */
	bool folder;		/* names have a folder */
	bool other;		/* names that checkpoints don't have */
};

static bool ends_with(const char *name, size_t n, const char *end)
{
	size_t k = strlen(end);

	return n >= k && !memcmp(name + n - k, end, k);
}

/* The text, which begins with a slash. */
static bool holds(const char *name, size_t n, const char *text)
{
	const char *end = name + n, *at = name;
	size_t k = strlen(text);

	for (; (at = memchr(at, '/', (size_t)(end - at))); at++)
		if ((size_t)(end - at) >= k && !memcmp(at, text, k))
			return true;
	return false;
}

/* "FOLDER/data/NUMBER", as most are. */
static bool is_storage(const char *slash, size_t n)
{
	static const char data[] = "/data/";
	size_t at = sizeof(data) - 1;

	if (n <= at || memcmp(slash, data, at))
		return false;
	while (at < n && slash[at] >= '0' && slash[at] <= '9')
		at++;
	return at == n;
}

static void judge_name(struct traits *t, const char *name, size_t n)
{
	const char *slash = memchr(name, '/', n);

	if (slash)
		t->folder = true;
	if (slash && is_storage(slash, n - (size_t)(slash - name)))
		t->save = true;
	else if (ends_with(name, n, ".npy") || ends_with(name, n, ".xml") ||
	    (n >= 9 && !memcmp(name, "META-INF/", 9)))
		t->other = true;
	else if (ends_with(name, n, "/archive_format") ||
		 ends_with(name, n, "_weights_config.json") ||
		 ends_with(name, n, "serialized_exported_program.json"))
		t->program = true;
	else if (ends_with(name, n, "/constants.pkl") ||
	    ends_with(name, n, ".py.debug_pkl") ||
	    holds(name, n, "/code/__torch__"))
		t->script = true;
	else if (ends_with(name, n, "data.pkl") ||
		 ends_with(name, n, "/version") ||
		 ends_with(name, n, "/byteorder") ||
		 ends_with(name, n, "/.data/serialization_id") ||
		 holds(name, n, "/data/"))
		t->save = true;
}

/* Names in the local headers at the start: as many as lie in sight. */
static void judge_head(struct traits *t, const uint8_t *b, size_t n)
{
	size_t at = 0, len, next;

	t->zip = n >= LOCAL_BYTES && ferry_le32(b) == UINT32_C(0x04034b50);
	while (n - at >= LOCAL_BYTES &&
	       ferry_le32(b + at) == UINT32_C(0x04034b50)) {
		len = ferry_le16(b + at + 26);
		if (len > n - at - LOCAL_BYTES)
			break;
		judge_name(t, (const char *)b + at + LOCAL_BYTES, len);
		next = LOCAL_BYTES + len + ferry_le16(b + at + 28) +
		       (size_t)ferry_le32(b + at + 18);
		if (next > n - at)
			break;
		at += next;
	}
}

/* Names in the central directory, or the end of it that is in sight. */
static void judge_tail(struct traits *t, const uint8_t *b, size_t n)
{
	const uint8_t *p;
	size_t len;

	for (size_t at = 0; n - at >= END_BYTES; at++) {
		p = memchr(b + at, 'P', n - at);
		if (!p || n - (size_t)(p - b) < END_BYTES)
			break;
		at = (size_t)(p - b);
		if (ferry_le32(b + at) == UINT32_C(0x06054b50))
			t->ends = true;
		if (ferry_le32(b + at) != UINT32_C(0x02014b50) ||
		    n - at < ENTRY_BYTES)
			continue;
		len = ferry_le16(b + at + 28);
		if (len <= n - at - ENTRY_BYTES)
			judge_name(t, (const char *)b + at + ENTRY_BYTES, len);
	}
}

static void judge(const struct ferry_probe *p, struct traits *t)
{
	memset(t, 0, sizeof(*t));
	judge_head(t, p->head, p->nhead);
	judge_tail(t, p->tail, p->ntail);
}

static bool has_suffix(const struct ferry_probe *p,
		       const char *const *suffixes)
{
	size_t n = strlen(p->name), k;

	for (; *suffixes; suffixes++) {
		k = strlen(*suffixes);
		if (n >= k && !strcasecmp(p->name + n - k, *suffixes))
			return true;
	}
	return false;
}

int torch_probe(const struct ferry_probe *probe)
{
	static const char *const suffixes[] = {
		".pt", ".pth", ".bin", ".ckpt", ".th", ".tar", NULL,
	};
	struct traits t;

	judge(probe, &t);
	if ((!t.zip && !(t.ends && t.save)) || t.program)
		return 0;
	if (t.script || t.other)
		return t.save ? 50 : 0;
	if (t.save && t.folder)
		return t.zip && t.ends ? 100 : t.zip ? 90 : 80;
	if (t.save)
		return 80;
	return has_suffix(probe, suffixes) ? 70 : 0;
}

int torch_script_probe(const struct ferry_probe *probe)
{
	struct traits t;

	judge(probe, &t);
	return (t.zip || t.ends) && t.script && !t.other && !t.program ?
	       100 : 0;
}

int torch_export_probe(const struct ferry_probe *probe)
{
	static const char *const suffixes[] = { ".pt2", NULL };
	struct traits t;

	judge(probe, &t);
	if (!t.zip && !t.ends)
		return 0;
	return t.program ? 100 : has_suffix(probe, suffixes) ? 60 : 0;
}

/* ---- the stream -------------------------------------------------------- */

/* LONG1 of the magic number, and STOP. */
static const uint8_t stream_magic[] = {
	0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19,
	'.',
};

int torch_legacy_probe(const struct ferry_probe *probe)
{
	static const char text[] = "L119547037146038801333356L\n.";
	const uint8_t *b = probe->head;
	size_t n = probe->nhead, at;

	if (n >= sizeof(text) - 1 && !memcmp(b, text, sizeof(text) - 1))
		return 100;
	if (n < 2 || b[0] != 0x80 || b[1] < 2 || b[1] > 5)
		return 0;
	at = n > 11 && b[2] == 0x95 ? 11 : 2;
	return n >= at + sizeof(stream_magic) &&
	       !memcmp(b + at, stream_magic, sizeof(stream_magic)) ? 100 : 0;
}

/* ---- the tar ----------------------------------------------------------- */

int torch_tar_probe(const struct ferry_probe *probe)
{
	enum { BLOCK = 512, MAGIC_AT = 257 };
	const char *b = (const char *)probe->head;

	if (probe->nhead < BLOCK || memcmp(b + MAGIC_AT, "ustar", 5))
		return 0;
	for (size_t at = 0; at + BLOCK <= probe->nhead; at += BLOCK) {
		if (!memcmp(b + at + MAGIC_AT, "ustar", 5) &&
		    torch_tar_member_named(b + at, 100) >= 0)
			return 100;
	}
	return 0;
}
