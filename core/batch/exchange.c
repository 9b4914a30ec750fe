/* A set of files takes the place of another, as replacement.h has it. */
#include "config.h"

#include "core/batch/settling.h"

#include <stdio.h>
#include <string.h>

#include "core/batch/record.h"
#include "core/batch/replacement.h"
#include "core/io/target.h"
#include "core/registry/registry.h"

bool ferry__is_set(const struct ferry__made *made)
{
	const struct ferry__entry *e = made->entry;

	return ferry__in_place(e) && e->action == FERRY__CONVERT &&
	       (e->directory || e->n_members ||
		ferry__count_files(made) > 1);
}

/* A file of the set as it was read, by its name or that of its backup. */
static int tell_file(struct settling *s, const char *path, size_t i,
		     json_t *list)
{
	const json_t *told = json_array_get(json_object_get(s->made->sidecar,
							    "source"), i);
	size_t dir = strlen(s->dir);
	char shown[256];
	json_t *row;

	if (strncmp(path, s->dir, dir) || !ferry_stays_inside(path + dir))
		return ferry_fail(s->err, FERRY_UNSUPPORTED, "migrate",
				  FERRY_NO_OFFSET, "%s: lies in another "
				  "directory than the set that it is a part "
				  "of: that can't be replaced in place",
				  ferry_escape(shown, sizeof(shown), path,
					       strlen(path)));
	row = json_pack("{so sO sO sO}", "name",
			ferry__record_name(path + dir),
			"nbytes", json_object_get(told, "nbytes"),
			"mtime_ns", json_object_get(told, "mtime_ns"),
			"ends", json_object_get(told, "ends"));
	return json_array_append_new(list, row) ?
	       ferry_fail_nomem(s->err, "a record") : 0;
}

static int tell_backups(struct settling *s, json_t *names, json_t *list)
{
	int rc = ferry__keep_backups(s, names);
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(s->made->sidecar, "source"), i, row)
		if (!rc && i < json_array_size(names)) {
			row = json_copy(row);
			json_object_del(row, "path");
			json_object_set(row, "name", json_array_get(names, i));
			json_array_append_new(list, row);
		}
	return rc;
}

/* The file that stands for all, beside which the record lies; of a directory,
 * that. */
static const char *main_name(struct settling *s)
{
	const struct ferry__entry *e = s->made->entry;
	const char *found = NULL, *name;
	const json_t *row;
	size_t i;

	json_array_foreach(ferry__output_files(s->made), i, row) {
		name = ferry__record_text(s->w->m->store,
					  json_object_get(row, "name"));
		if (!e->directory && name && ferry__is_main(s, i) &&
		    (!found || strlen(name) < strlen(found)))
			found = name;
	}
	return found ? found : ferry__base_name(e->item.output);
}

/* It may have another name than the source, and is the item of the next run. */
static int rename_output(struct settling *s, const char *name)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char key[FERRY__DIGEST_TEXT];
	json_t *sidecar = s->made->sidecar;
	int rc;

	if (!strcmp(name, ferry__base_name(s->made->entry->item.output)))
		return 0;
	ferry_buffer_printf(&path, "%s%s", s->dir, name);
	rc = path.failed ? ferry_fail_nomem(s->err, "a file name") :
	     ferry__key_of(PACKAGE_VERSION, json_object_get(sidecar, "source"),
			   json_object_get(sidecar, "rule"), path.data, key,
			   s->err);
	if (!rc)
		json_object_set_new(sidecar, "key", json_string(key));
	ferry_buffer_release(&path);
	return rc;
}

static int tell_replacement(struct settling *s, json_t *plan)
{
	json_t *source = json_array(), *backup = json_array();
	json_t *names = json_array();
	bool keep = !s->w->m->o.remove_source;
	const char *name = main_name(s), *path;
	int rc = rename_output(s, name);

	for (size_t i = 0; !rc && (path = ferry__source_at(s->made->entry, i));
	     i++)
		rc = tell_file(s, path, i, source);
	if (!rc)
		rc = tell_backups(s, names, backup);
	if (!rc && keep)
		json_object_set(s->made->sidecar, "backup", names);
	json_object_set_new(plan, "ferry_moving", json_integer(1));
	json_object_set(plan, "sidecar", s->made->sidecar);
	json_object_set_new(plan, "name", ferry__record_name(name));
	json_object_set_new(plan, "source", source);
	json_object_set_new(plan, "backup", backup);
	json_object_set_new(plan, "keep", json_boolean(keep));
	if (s->made->before)
		json_object_set(plan, "before", json_object_get(s->made->before,
								"output"));
	json_decref(names);
	return rc;
}

bool ferry__is_unchanged(struct settling *s)
{
	json_t *now = NULL;
	uint64_t nbytes;
	bool same = !ferry__identify_source(s->made->entry, &now, &nbytes,
					    NULL) &&
		    json_equal(now, json_object_get(s->made->sidecar,
						    "source"));

	json_decref(now);
	return same;
}

int ferry__give_way(struct settling *s)
{
	struct ferry__entry *e = s->made->entry;
	const struct ferry__wanted wanted = {
		.verified = s->w->m->o.verify, .cancel = s->w->cancel,
		.key = "",
	};

	s->made->replaced = true;
	ferry_error_clear(s->err);
	ferry__replacement_resume_of(e->item.source, NULL);
	json_decref(s->made->before);
	if (ferry__is_done(e, &wanted, &s->made->before)) {
		e->item.state = FERRY_ITEM_KEPT;
		return 0;
	}
	return ferry_fail(s->err, FERRY_IO, "migrate", FERRY_NO_OFFSET,
			  "changed while it was read: run again when nothing "
			  "writes to it");
}

static int move_set(struct settling *s, struct ferry__replacement *r)
{
	int rc = ferry__move_all(s);

	if (rc) {
		ferry__replacement_undo(r, NULL);
		return rc;
	}
	if (r->sync && ferry__sync_names(s)) {
		ferry__tell_unsynced(s);
		r->sync = false;
	}
	return s->err->code ? s->err->code : ferry__replacement_end(r, s->err);
}

static int exchange(struct settling *s, const char *path)
{
	struct ferry__replacement r = {
		.path = path, .aside = s->made->aside, .lock = -1,
		.sync = !s->w->how->no_sync, .plan = json_object(),
	};
	int rc = tell_replacement(s, r.plan);

	if (!rc)
		rc = ferry__replacement_begin(&r, s->err);
	if (rc == FERRY_EXISTS)
		rc = ferry__give_way(s);
	else if (!rc)
		rc = move_set(s, &r);
	ferry__replacement_close(&r);
	json_decref(r.plan);
	return rc;
}

int ferry__replace_set(struct settling *s)
{
	struct ferry_item *item = &s->made->entry->item;
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const char *name = main_name(s);
	int rc;

	s->made->replaced = true;
	ferry_buffer_printf(&path, "%s" FERRY__MOVING, item->source);
	rc = path.failed ? ferry_fail_nomem(s->err, "a file name") :
	     ferry__is_unchanged(s) ? exchange(s, path.data) :
	     ferry__give_way(s);
	path.n = 0;
	ferry_buffer_printf(&path, "%s%s", s->dir, name);
	if (!rc && strcmp(name, ferry__base_name(item->output)))
		item->output = ferry__keep(s->w->m, path.data);
	ferry_buffer_release(&path);
	return rc;
}
