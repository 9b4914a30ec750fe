/*
 * The weights under the names they have in every release: no second names of a
 * CUDA LSTM, no copies, no wrapper's prefix.
 */
#ifndef PLUGINS_CAIMAN_WEIGHTS_H
#define PLUGINS_CAIMAN_WEIGHTS_H

#include <ferry/sys/plugin.h>

/*
 * A new mapping, or the same one where nothing has to change.  "layers.0.X" is
 * dropped where "X_l0" has the same data, else renamed to it; joint_fc.* is
 * dropped where it equals joint_net.2.*; "module." is stripped.  NOTEs say how
 * many.  MALFORMED: two that should be equal are not, or one name twice.
 * `path` is where the mapping stands.
 */
int canonical_weights(struct ferry_store *store, struct ferry_value *weights,
		      const char *path, struct ferry_findings *findings,
		      struct ferry_value **out, struct ferry_error *err);

/* 1 when dtype, shape and data are the same, 0 when not, or an error. */
int same_data(const struct ferry_tensor *a, const struct ferry_tensor *b,
	      struct ferry_error *err);

#endif
