/* Outputs that are directories, under a temporary name. */
#include "config.h"

#include "core/io/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/plugin.h>

#include "core/io/directory.h"
#include "core/io/output.h"
#include "core/io/target.h"

#define TEMP_TRIES 100
#define ASIDE_SUFFIX ".old"

struct ferry_tree {
	char *path, *temp_path;		/* with a slash at their end */
	char *text;			/* path as messages name it */
	char *temp;			/* name in dirfd */
	const char *name;		/* likewise, in plain; NULL: it is
					 * moved into what is there */
	char *plain;			/* path without the slash */
	int dirfd;
	struct ferry_pending *pending;
};

const char *ferry_tree_path(const struct ferry_tree *t)
{
	return t->path;
}

const char *ferry_tree_temp_path(const struct ferry_tree *t)
{
	return t->temp_path;
}

const char *ferry_tree_name(const struct ferry_tree *t)
{
	return t->plain + ferry_target_dir(t->plain);
}

/* ---- making -------------------------------------------------------------- */

/* The first n bytes of a, then b. */
static char *join(const char *a, size_t n, const char *b)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;

	ferry_buffer_printf(&text, "%.*s%s", (int)n, a, b);
	return text.failed ? NULL : text.data;
}

static int name_path(struct ferry_tree *t, const char *path,
		     struct ferry_error *err)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	t->plain = join(path, n, "");
	t->path = join(path, n, n && path[n - 1] == '/' ? "" : "/");
	t->text = ferry_alloc(n * 8 + 1);
	if (!t->plain || !t->path || !t->text)
		return ferry_fail_nomem(err, "an output");
	ferry_escape(t->text, n * 8 + 1, path, n);
	return 0;
}

/* Is there a directory of the name; *name is set where not. */
static int look(struct ferry_tree *t, struct ferry_error *err)
{
	struct stat st;

	if (stat(t->plain, &st)) {
		if (errno != ENOENT)
			return ferry_fail_errno(err, errno, "%s: can't write "
						"there", t->text);
		t->name = t->plain + ferry_target_dir(t->plain);
		if (lstat(t->plain, &st))
			return 0;
	} else if (S_ISDIR(st.st_mode)) {
		return 0;
	}
	return ferry_fail(err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
			  "%s: is there and is no directory; name another "
			  "output", t->text);
}

static int open_parent(struct ferry_tree *t, struct ferry_error *err)
{
	size_t dir = t->name ? ferry_target_dir(t->plain) : strlen(t->path);
	char *parent = join(t->path, dir, dir ? "" : ".");

	if (!parent)
		return ferry_fail_nomem(err, "a path");
	t->dirfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ferry_alloc_free(parent);
	return t->dirfd < 0 ? ferry_fail_errno(err, errno, "%s: can't open its "
					       "directory", t->text) : 0;
}

static int name_temp(struct ferry_tree *t, struct ferry_error *err)
{
	size_t dir = t->name ? ferry_target_dir(t->plain) : strlen(t->path);
	char name[NAME_MAX + 1];
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return ferry_fail_errno(err, errno, "%s: no random name",
					t->text);
	snprintf(name, sizeof(name), ".%.*s.%ld.%08x" FERRY_TEMP_SUFFIX "/",
		 NAME_MAX - 40, ferry_tree_name(t), (long)getpid(), (unsigned)r);
	ferry_alloc_free(t->temp_path);
	ferry_alloc_free(t->temp);
	t->temp_path = join(t->path, dir, name);
	t->temp = join(name, strlen(name) - 1, "");
	return t->temp_path && t->temp ? 0 : ferry_fail_nomem(err, "an output");
}

static int make_temp(struct ferry_tree *t, struct ferry_error *err)
{
	int rc;

	for (unsigned tries = 0; tries < TEMP_TRIES; tries++) {
		rc = name_temp(t, err);
		if (!rc)
			rc = ferry_pending_add_tree(&t->pending, t->dirfd,
						    t->temp, err);
		if (rc)
			return rc;
		if (!mkdirat(t->dirfd, t->temp, 0777))
			return 0;
		ferry_pending_done(t->pending);
		t->pending = NULL;
		if (errno != EEXIST)
			break;
	}
	return ferry_fail_errno(err, errno, "%s: can't make a temporary "
				"directory there", t->text);
}

int ferry_tree_new(struct ferry_tree **out, const char *path,
		   struct ferry_error *err)
{
	struct ferry_tree *t = ferry_alloc_zero(1, sizeof(*t));
	int rc;

	if (!t)
		return ferry_fail_nomem(err, "an output");
	t->dirfd = -1;
	rc = name_path(t, path, err);
	if (!rc)
		rc = look(t, err);
	if (!rc)
		rc = open_parent(t, err);
	if (!rc)
		rc = make_temp(t, err);
	if (rc)
		ferry_tree_free(t);
	else
		*out = t;
	return rc;
}

void ferry_tree_free(struct ferry_tree *t)
{
	if (!t)
		return;
	if (t->pending)
		ferry_tree_remove(t->dirfd, t->temp);
	ferry_pending_done(t->pending);
	if (t->dirfd >= 0)
		close(t->dirfd);
	ferry_alloc_free(t->path);
	ferry_alloc_free(t->temp_path);
	ferry_alloc_free(t->text);
	ferry_alloc_free(t->temp);
	ferry_alloc_free(t->plain);
	ferry_alloc_free(t);
}

/* ---- filling ------------------------------------------------------------- */

static int check_name(const struct ferry_tree *t, const char *name,
		      struct ferry_error *err)
{
	unsigned depth = 0;
	bool inside = name && ferry_stays_inside(name);
	char shown[256];

	for (const char *at = name; inside && *at; at++)
		depth += *at == '/';
	if (inside && depth <= FERRY_DIRECTORY_DEPTH)
		return 0;
	name = name ? name : "";
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
			  inside ? "%s: file '%s' would lie too deep in it" :
			  "%s: '%s' is no name of a file in it", t->text,
			  shown);
}

/* Make the directories of prefix + name; those made are noted in `made`, with
 * a NUL each. */
static int make_dirs(const char *prefix, const char *name,
		     struct ferry_buffer *made, struct ferry_error *err)
{
	const char *slash = name;
	char shown[512];
	char *path;
	int rc = 0;

	while (!rc && (slash = strchr(slash, '/'))) {
		path = join(prefix, strlen(prefix), name);
		if (!path)
			return ferry_fail_nomem(err, "a path");
		path[strlen(prefix) + (size_t)(slash++ - name)] = '\0';
		if (!mkdir(path, 0777)) {
			if (made)
				ferry_buffer_add(made, path, strlen(path) + 1);
		} else if (errno != EEXIST) {
			ferry_escape(shown, sizeof(shown), path, strlen(path));
			rc = ferry_fail_errno(err, errno, "%s: can't make the "
					      "directory", shown);
		}
		ferry_alloc_free(path);
	}
	return rc ? rc : made && made->failed ?
	       ferry_fail_nomem(err, "a path") : 0;
}

/* Follow the name to where it goes in the directory that is there. */
static int aim(const struct ferry_output *o, const char *name,
	       struct ferry_target *target, struct ferry_error *err)
{
	const char *dir = o->tree->path;
	char *path = join(dir, strlen(dir), name);
	int rc;

	if (!path)
		return ferry_fail_nomem(err, "a path");
	rc = ferry_target_init(target, path, true, err);
	/* Being an input is the graver complaint than being there. */
	if (!rc)
		rc = ferry_output_check_input(o, target, path, err);
	if (!rc && !o->overwrite) {
		ferry_target_release(target);
		rc = ferry_target_init(target, path, false, err);
	}
	ferry_alloc_free(path);
	return rc;
}

int ferry_tree_admit(struct ferry_output *o, const char *name,
		     struct ferry_error *err)
{
	struct ferry_target target = { 0 };
	int rc = check_name(o->tree, name, err);

	if (!rc && !o->tree->name)
		rc = aim(o, name, &target, err);
	ferry_target_release(&target);
	return rc ? rc : make_dirs(o->tree->temp_path, name, NULL, err);
}

/* ---- giving the name ----------------------------------------------------- */

static int sync_fd(const struct ferry_tree *t, int fd, struct ferry_error *err)
{
	/* EINVAL: a file system without synced directories. */
	while (fsync(fd))
		if (errno == EINVAL)
			break;
		else if (errno != EINTR)
			return ferry_fail_errno(err, errno, "%s: can't sync a "
						"directory", t->text);
	return 0;
}

static int sync_path(const struct ferry_tree *t, const char *path, size_t n,
		     struct ferry_error *err)
{
	char *dir = join(path, n, "");
	int fd, rc;

	if (!dir)
		return ferry_fail_nomem(err, "a path");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ferry_alloc_free(dir);
	if (fd < 0)
		return ferry_fail_errno(err, errno, "%s: can't sync a "
					"directory", t->text);
	rc = sync_fd(t, fd, err);
	close(fd);
	return rc;
}

/* The directories of the files, each as long as it stays the same, and those
 * above them. */
static int sync_dirs(const struct ferry_tree *t, const char *prefix,
		     const struct ferry_directory *files,
		     struct ferry_error *err)
{
	const char *last = "";
	size_t n = strlen(prefix), dir;
	int rc = sync_path(t, prefix, n, err);
	char *path;

	for (size_t i = 0; i < files->n && !rc; i++) {
		dir = ferry_target_dir(files->names[i]);
		if (ferry_target_dir(last) == dir &&
		    !strncmp(last, files->names[i], dir))
			continue;
		last = files->names[i];
		path = join(prefix, n, last);
		if (!path)
			return ferry_fail_nomem(err, "a path");
		for (size_t at = 0; at < dir && !rc; at++)
			if (last[at] == '/')
				rc = sync_path(t, path, n + at, err);
		ferry_alloc_free(path);
	}
	return rc;
}

static int fail_appeared(const struct ferry_tree *t, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
			  "%s: appeared while it was being written; name "
			  "another output", t->text);
}

static int rename_whole(struct ferry_tree *t, bool sync,
			struct ferry_error *err)
{
	struct stat st;
	int rc = renameat2(t->dirfd, t->temp, t->dirfd, t->name,
			   RENAME_NOREPLACE);

	if (rc && (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
		if (!fstatat(t->dirfd, t->name, &st, AT_SYMLINK_NOFOLLOW))
			return fail_appeared(t, err);
		rc = renameat(t->dirfd, t->temp, t->dirfd, t->name);
	}
	if (rc && (errno == EEXIST || errno == ENOTEMPTY))
		return fail_appeared(t, err);
	if (rc)
		return ferry_fail_errno(err, errno, "%s: can't rename %s to it",
					t->text, t->temp);
	rc = sync ? sync_fd(t, t->dirfd, err) : 0;
	if (rc)
		renameat(t->dirfd, t->name, t->dirfd, t->temp);
	if (rc)
		return rc;
	ferry_pending_done(t->pending);
	t->pending = NULL;
	return 0;
}

/* A file on its way into a directory that is there. */
struct place {
	char *from;
	struct ferry_target to;
	enum ferry_moved moved;
};

struct move {
	struct ferry_output *o;
	const struct ferry_directory *files;
	struct place *places;		/* by file */
	struct ferry_buffer made;	/* directories, NUL-terminated each */
	struct ferry_error *err;
};

static int fail_move(const struct move *m, const char *path)
{
	char shown[512];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (errno == EEXIST)
		return ferry_fail(m->err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
				  "%s: appeared while it was being written; "
				  "use --overwrite to replace it", shown);
	return ferry_fail_errno(m->err, errno, "%s: can't move it there",
				shown);
}

/* The file that is there changes places with the new one, or is set aside. */
static int move_over(struct place *p)
{
	char *old;
	int rc;

	p->moved = FERRY_SWAPPED;
	if (!renameat2(AT_FDCWD, p->from, AT_FDCWD, p->to.path,
		       RENAME_EXCHANGE))
		return 0;
	p->moved = FERRY_UNMOVED;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -1;
	old = join(p->from, strlen(p->from), ASIDE_SUFFIX);
	if (!old) {
		errno = ENOMEM;
		return -1;
	}
	rc = rename(p->to.path, old);
	if (!rc)
		p->moved = FERRY_SET_ASIDE;
	if (!rc)
		rc = rename(p->from, p->to.path);
	ferry_alloc_free(old);
	return rc;
}

static int move_file(struct move *m, size_t i)
{
	struct place *p = &m->places[i];
	int rc = make_dirs(m->o->tree->path, m->files->names[i], &m->made,
			   m->err);

	if (rc)
		return rc;
	if (p->to.exists) {
		rc = chmod(p->from, p->to.st.st_mode & 07777);
		return rc || move_over(p) ? fail_move(m, p->to.path) : 0;
	}
	if (ferry_rename_new(AT_FDCWD, p->from, AT_FDCWD, p->to.path))
		return fail_move(m, p->to.path);
	p->moved = FERRY_MOVED;
	return 0;
}

static int move_back(const struct place *p)
{
	char *old;
	int rc;

	switch (p->moved) {
	case FERRY_MOVED:
		return unlink(p->to.path);
	case FERRY_SWAPPED:
		return rename(p->from, p->to.path);
	case FERRY_SET_ASIDE:
		old = join(p->from, strlen(p->from), ASIDE_SUFFIX);
		rc = old ? rename(old, p->to.path) : -1;
		ferry_alloc_free(old);
		return rc;
	default:
		return 0;
	}
}

/* The last made directory first. */
static void remove_made(struct ferry_buffer *made)
{
	size_t n = made->n;

	while (n) {
		for (n--; n && made->data[n - 1]; n--)
			;
		rmdir(made->data + n);
	}
}

/* What can't be put back stays in the temporary directory. */
static int undo(struct move *m)
{
	int rc = 0;

	for (size_t i = m->files->n; i--; )
		rc |= move_back(&m->places[i]);
	remove_made(&m->made);
	return rc;
}

static int aim_all(struct move *m)
{
	const char *temp = m->o->tree->temp_path;
	int rc = 0;

	m->places = ferry_alloc_zero(m->files->n + 1, sizeof(*m->places));
	if (!m->places)
		return ferry_fail_nomem(m->err, "an output");
	for (size_t i = 0; i < m->files->n && !rc; i++) {
		m->places[i].from = join(temp, strlen(temp),
					 m->files->names[i]);
		rc = !m->places[i].from ? ferry_fail_nomem(m->err, "a path") :
		     aim(m->o, m->files->names[i], &m->places[i].to, m->err);
	}
	return rc;
}

static int move_all(struct ferry_output *o, const struct ferry_directory *files,
		    struct ferry_error *err)
{
	struct move m = { .o = o, .files = files, .err = err };
	struct ferry_tree *t = o->tree;
	bool kept = false;
	sigset_t before;
	int rc = aim_all(&m);

	/* From here on old files may lie in the temporary directory, which a
	 * signal handler shall not remove. */
	ferry_hold_signals(&before);
	ferry_pending_done(t->pending);
	t->pending = NULL;
	for (size_t i = 0; i < files->n && !rc; i++)
		rc = move_file(&m, i);
	if (!rc && !o->work->no_sync)
		rc = sync_dirs(t, t->path, files, err);
	if (rc && m.places)
		kept = undo(&m);
	if (!kept)
		ferry_tree_remove(t->dirfd, t->temp);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	for (size_t i = 0; m.places && i < files->n; i++) {
		ferry_target_release(&m.places[i].to);
		ferry_alloc_free(m.places[i].from);
	}
	ferry_alloc_free(m.places);
	ferry_buffer_release(&m.made);
	return rc;
}

int ferry_tree_commit(struct ferry_output *o, struct ferry_error *err)
{
	struct ferry_tree *t = o->tree;
	struct ferry_directory files;
	bool sync = !o->work->no_sync;
	int rc = ferry_directory_list(&files, t->temp_path, NULL, err);

	if (rc)
		return rc;
	if (!files.n)
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"%s: its writer wrote no file", t->text);
	if (!rc && t->name && sync)
		rc = sync_dirs(t, t->temp_path, &files, err);
	if (!rc)
		rc = t->name ? rename_whole(t, sync, err) :
		     move_all(o, &files, err);
	ferry_directory_release(&files);
	return rc;
}
