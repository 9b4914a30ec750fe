/*
 * Temporary files to their final names, all or none: what was there before is
 * set aside until all are in place, and put back when one can't be.
 */
#include "config.h"

#include "core/io/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE_NAME_MAX (NAME_MAX + 8)

static bool is_unknown(int e)
{
	return e == EINVAL || e == ENOSYS || e == EOPNOTSUPP;
}

/* Where RENAME_NOREPLACE is unknown, a hard link refuses to replace as well;
 * where links are unknown too, looking first is all there is. */
int ferry_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat st;

	if (!renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE))
		return 0;
	if (!is_unknown(errno))
		return -1;
	if (!linkat(from_dir, from, to_dir, to, 0)) {
		unlinkat(from_dir, from, 0);
		return 0;
	}
	if (errno == EEXIST)
		return -1;
	if (!fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW)) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_dir, from, to_dir, to);
}

static int move_new(struct ferry_sink *s)
{
	if (ferry_rename_new(s->dirfd, s->temp, s->dirfd, s->name))
		return -1;
	s->moved = FERRY_MOVED;
	return 0;
}

static const char *aside_name(const struct ferry_sink *s,
			      char out[ASIDE_NAME_MAX])
{
	snprintf(out, ASIDE_NAME_MAX, "%s.old", s->temp);
	return out;
}

/* Without an exchange: the old file gets a second name, or moves. */
static int move_aside(struct ferry_sink *s)
{
	char old[ASIDE_NAME_MAX];
	int e;

	aside_name(s, old);
	if (linkat(s->dirfd, s->name, s->dirfd, old, 0) &&
	    renameat(s->dirfd, s->name, s->dirfd, old))
		return -1;
	if (!renameat(s->dirfd, s->temp, s->dirfd, s->name)) {
		s->moved = FERRY_SET_ASIDE;
		return 0;
	}
	e = errno;
	renameat(s->dirfd, old, s->dirfd, s->name);
	unlinkat(s->dirfd, old, 0);
	errno = e;
	return -1;
}

static int move_over(struct ferry_sink *s)
{
	struct stat st;

	if (!move_new(s))
		return 0;
	if (errno != EEXIST ||
	    fstatat(s->dirfd, s->name, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	/* One file needs nothing set aside where nothing comes after: a rename
	 * is whole by itself. */
	if (s->output->n == 1 && s->output->work->no_sync) {
		if (renameat(s->dirfd, s->temp, s->dirfd, s->name))
			return -1;
		s->moved = FERRY_REPLACED;
		return 0;
	}
	if (renameat2(s->dirfd, s->temp, s->dirfd, s->name, RENAME_EXCHANGE))
		return is_unknown(errno) ? move_aside(s) : -1;
	s->moved = FERRY_SWAPPED;
	return 0;
}

/* From here on the temporary name may be that of the old file, which a signal
 * handler shall not remove. */
static int move_sink(struct ferry_sink *s, struct ferry_error *err)
{
	ferry_pending_done(s->pending);
	s->pending = NULL;
	if (!(s->output->overwrite ? move_over(s) : move_new(s)))
		return 0;
	if (errno == EEXIST)
		return ferry_fail(err, FERRY_EXISTS, "", FERRY_NO_OFFSET,
				  "%s: appeared while it was being written; "
				  "use --overwrite to replace it", s->text);
	return ferry_fail_errno(err, errno, "%s: can't rename %s to it",
				s->text, s->temp);
}

static int sync_dirs(struct ferry_output *o, struct ferry_error *err)
{
	/* The temporary directory is synced as a whole. */
	if (o->shown_dir || o->work->no_sync)
		return 0;
	for (size_t i = 0; i < o->n_dirs; i++)
		/* EINVAL: a file system without synced directories. */
		while (fsync(o->dirs[i].fd) && errno != EINVAL)
			if (errno != EINTR)
				return ferry_fail_errno(err, errno,
							"%s: can't sync its "
							"directory", o->path);
	return 0;
}

static void undo(struct ferry_sink *s)
{
	char old[ASIDE_NAME_MAX];

	switch (s->moved) {
	case FERRY_UNMOVED:
		unlinkat(s->dirfd, s->temp, 0);
		break;
	case FERRY_MOVED:
		unlinkat(s->dirfd, s->name, 0);
		break;
	case FERRY_REPLACED:
		break;
	case FERRY_SWAPPED:
		renameat(s->dirfd, s->temp, s->dirfd, s->name);
		break;
	case FERRY_SET_ASIDE:
		renameat(s->dirfd, aside_name(s, old), s->dirfd, s->name);
		break;
	}
	ferry_pending_done(s->pending);
	s->pending = NULL;
}

static void remove_old(const struct ferry_sink *s)
{
	char old[ASIDE_NAME_MAX];

	if (s->moved == FERRY_SWAPPED)
		unlinkat(s->dirfd, s->temp, 0);
	else if (s->moved == FERRY_SET_ASIDE)
		unlinkat(s->dirfd, aside_name(s, old), 0);
}

static int move_all(struct ferry_output *o, struct ferry_error *err)
{
	int code = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; !code && i < o->n; i++)
			if (o->sinks[i]->is_main == (pass == 1))
				code = move_sink(o->sinks[i], err);
	if (!code)
		code = sync_dirs(o, err);
	for (size_t i = o->n; i--; )
		if (code)
			undo(o->sinks[i]);
		else
			remove_old(o->sinks[i]);
	return code;
}

void ferry_hold_signals(sigset_t *before)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, before);
}

int ferry_output_settle(struct ferry_output *o, struct ferry_error *err)
{
	int code = ferry_work_check(o->work, err);
	sigset_t before;

	for (size_t i = 0; !code && i < o->n; i++)
		code = ferry_sink_sync(o->sinks[i], err);
	if (!code)
		code = ferry_work_check(o->work, err);
	if (code) {
		for (size_t i = o->n; i--; )
			undo(o->sinks[i]);
		return code;
	}
	ferry_hold_signals(&before);
	code = move_all(o, err);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	o->settled = !code;
	return code;
}

int ferry_output_commit(struct ferry_output *o, struct ferry_error *err)
{
	int code = o->settled ? ferry_work_check(o->work, err) :
		   ferry_output_settle(o, err);

	return code || !o->tree ? code : ferry_tree_commit(o, err);
}
