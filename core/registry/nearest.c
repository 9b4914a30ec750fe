/* Names a person may have meant. */
#include "config.h"

#include "core/registry/registry.h"

#include <stdio.h>
#include <string.h>

#define LONGEST 95	/* longer names are not compared */
#define MOST (sizeof(((struct ferry__nearest *)0)->distance) / \
	      sizeof(((struct ferry__nearest *)0)->distance[0]))

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* Insertions, deletions and replacements that lead from a to b. */
static unsigned edits(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned row[LONGEST + 1], corner, above;

	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		corner = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1,
				       corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[nb];
}

void ferry__nearest_init(struct ferry__nearest *near, const char *name)
{
	near->name = name;
	near->n = 0;
}

static bool worth(const struct ferry__nearest *near, const char *candidate,
		  size_t *nc, unsigned *distance)
{
	size_t n = strlen(near->name);
	size_t gap;

	*nc = strlen(candidate);
	if (!n || n > LONGEST || !*nc || *nc > LONGEST)
		return false;
	if (strstr(candidate, near->name) || strstr(near->name, candidate)) {
		*distance = 1;
		return true;
	}
	gap = n > *nc ? n - *nc : *nc - n;
	if (gap > n / 3 + 1)
		return false;
	*distance = edits(near->name, n, candidate, *nc);
	return *distance <= n / 3 + 1;
}

void ferry__nearest_offer(struct ferry__nearest *near, const char *candidate)
{
	unsigned distance;
	size_t nc, at;

	if (!worth(near, candidate, &nc, &distance))
		return;
	for (at = near->n; at > 0 && distance < near->distance[at - 1]; at--)
		if (at < MOST) {
			near->distance[at] = near->distance[at - 1];
			memcpy(near->text[at], near->text[at - 1],
			       sizeof(near->text[at]));
		}
	if (at == MOST)
		return;
	near->distance[at] = distance;
	memcpy(near->text[at], candidate, nc + 1);
	if (near->n < MOST)
		near->n++;
}

void ferry__nearest_text(const struct ferry__nearest *near, char *out,
			 size_t cap)
{
	char shown[96];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < near->n && used < cap; i++) {
		ferry_escape(shown, sizeof(shown), near->text[i],
			     strlen(near->text[i]));
		used += (size_t)snprintf(out + used, cap - used, "%s'%s'",
					 i ? i + 1 == near->n ? " or " : ", " :
					 " (did you mean ", shown);
	}
	if (near->n && used < cap)
		snprintf(out + used, cap - used, "?)");
}
