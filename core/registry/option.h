/* Options as plugins see them: what the user gave over what a list declares. */
#ifndef CORE_REGISTRY_OPTION_H
#define CORE_REGISTRY_OPTION_H

#include <ferry/sys/plugin.h>

struct ferry_options {
	const struct ferry_option_spec *specs;	/* may be NULL */
	const char *const *settings;	/* "NAME=VALUE"; the last wins */
	size_t n;
};

/* True when `setting` is "NAME=..." for this name. */
bool ferry__setting_is(const char *setting, const char *name);
bool ferry__option_known(const struct ferry_option_spec *specs,
			 const char *setting);

#endif
