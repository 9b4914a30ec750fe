/*
 * What a person wants to know first.
 */
#ifndef PLUGINS_CAIMAN_DESCRIBE_H
#define PLUGINS_CAIMAN_DESCRIBE_H

#include <ferry/sys/plugin.h>

int describe_config(struct ferry_document *doc, struct ferry_value *out,
		    struct ferry_error *err);
int describe_training(struct ferry_document *doc, struct ferry_value *out,
		      struct ferry_error *err);
int describe_hardware(struct ferry_document *doc, struct ferry_value *out,
		      struct ferry_error *err);

#endif
