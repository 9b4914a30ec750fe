/*
 * The artifacts of CAIMAN-ASR, and the parts that several of its callbacks
 * look at.
 */
#ifndef PLUGINS_CAIMAN_SHAPE_H
#define PLUGINS_CAIMAN_SHAPE_H

#include <ferry/sys/plugin.h>

/* ---- values ------------------------------------------------------------------ */

/* The value under a key of a mapping; NULL also where `in` is none. */
struct ferry_value *at(struct ferry_value *in, const char *key);
/* A DICT or an OBJECT with dict items. */
bool is_mapping(struct ferry_value *v);
/* A number of either kind, no bool. */
bool number(const struct ferry_value *v, double *out);
/* An INT in [1, 2^32). */
bool dimension(const struct ferry_value *v, uint64_t *out);
/* The STRING NUL-terminated in the store; NULL: out of memory, or no STRING. */
const char *text_of(struct ferry_store *store, const struct ferry_value *v);
/* FAIL or WARN: the member of the enumeration that tokenizer_kw.unk_handling
 * is, pickled as its class called or as a getattr; or plain text.  NULL: none. */
const struct ferry_value *unk_handling(const struct ferry_value *v);

/* A DICT being filled; failed is sticky. */
struct making {
	struct ferry_store *store;
	struct ferry_value *dict;
	bool failed;
};

/* Start one, empty or as the pairs of `from`. */
struct making make(struct ferry_store *store, struct ferry_value *from);
void put(struct making *m, const char *key, struct ferry_value *value);

/* A mapping of the same class and with the same state (module versions) as
 * `like`, with these items. */
struct ferry_value *mapping_like(struct ferry_store *store,
				 struct ferry_value *like,
				 struct ferry_value *items);

/* ---- the model ----------------------------------------------------------------- */

/* The sizes that name a model's tensors, as the tensor schemas call them. */
struct model {
	uint64_t F, E, L1, L2, S, P, LP, J;
};

/* From the section rnnt of a config; false: one is missing or not in range. */
bool model_of(struct ferry_value *rnnt, struct model *out);

/* As the first tensors of each part have it; false: one is missing or has none. */
bool model_of_weights(struct ferry_value *weights, struct model *out);

/* A class count from joint_net.2.weight; 0: there is none. */
uint64_t classes_of(struct ferry_value *weights);

/* ---- recognition (recognise.c) -------------------------------------------------- */

int recognise_config(struct ferry_document *doc, const char *file_name,
		     struct ferry_match *out);
int recognise_inference(struct ferry_document *doc, const char *file_name,
			struct ferry_match *out);
int recognise_training(struct ferry_document *doc, const char *file_name,
		       struct ferry_match *out);
int recognise_hardware(struct ferry_document *doc, const char *file_name,
		       struct ferry_match *out);
int recognise_stats(struct ferry_document *doc, const char *file_name,
		    struct ferry_match *out);

#endif
