/* Strided copies in memory, by runs where there are any and by tiles where the
 * two orders cross. */
#include "config.h"

#include "core/model/gather_copy.h"

#include <string.h>

/* A tile of 16 x 16 elements is within reach of the first-level cache. */
#define TILE 16

struct element_16 {
	uint64_t v[2];
};

static uint64_t tile_end(uint64_t first, uint64_t count)
{
	return count - first < TILE ? count : first + TILE;
}

#define TILE_COPY(name, type) \
	static void name(const unsigned char *from, unsigned char *to, \
			 struct box_axis a, struct box_axis b) \
	{ \
		uint64_t i, j, ib, jb, ie, je; \
		const unsigned char *x; \
		unsigned char *y; \
	\
		for (ib = 0; ib < b.count; ib = ie) { \
			ie = tile_end(ib, b.count); \
			for (jb = 0; jb < a.count; jb = je) { \
				je = tile_end(jb, a.count); \
				for (j = jb; j < je; j++) { \
					x = from + j * a.from * sizeof(type); \
					y = to + j * a.to * sizeof(type); \
					for (i = ib; i < ie; i++) \
						memcpy(y + i * b.to * \
						       sizeof(type), \
						       x + i * b.from * \
						       sizeof(type), \
						       sizeof(type)); \
				} \
			} \
		} \
	}

TILE_COPY(tile_1, uint8_t)
TILE_COPY(tile_2, uint16_t)
TILE_COPY(tile_4, uint32_t)
TILE_COPY(tile_8, uint64_t)
TILE_COPY(tile_16, struct element_16)

/* Two dimensions, of which b has the nearer neighbours in `to`. */
static void copy_plane(unsigned esize, const unsigned char *from,
		       unsigned char *to, struct box_axis a, struct box_axis b)
{
	uint64_t j;

	if (b.from == 1 && b.to == 1) {
		for (j = 0; j < a.count; j++)
			memcpy(to + j * a.to * esize, from + j * a.from * esize,
			       b.count * esize);
		return;
	}
	switch (esize) {
	case 1:
		tile_1(from, to, a, b);
		break;
	case 2:
		tile_2(from, to, a, b);
		break;
	case 4:
		tile_4(from, to, a, b);
		break;
	case 8:
		tile_8(from, to, a, b);
		break;
	default:
		tile_16(from, to, a, b);
		break;
	}
}

/* The dimension of the least stride, of `from` or of `to`; none: ndim. */
static unsigned nearest(const struct box *b, bool in_to, unsigned except)
{
	unsigned best = b->ndim;
	uint64_t stride, least = UINT64_MAX;
	unsigned i;

	for (i = 0; i < b->ndim; i++) {
		stride = in_to ? b->axis[i].to : b->axis[i].from;
		if (i == except || (stride >= least && best < b->ndim))
			continue;
		best = i;
		least = stride;
	}
	return best;
}

void box_copy(const struct box *b, const void *from, void *to)
{
	static const struct box_axis one = { 1, 0, 0 };
	uint64_t index[FERRY_MAX_RANK] = { 0 };
	const unsigned char *src = from;
	unsigned char *dst = to;
	unsigned inner, outer, i;

	inner = nearest(b, true, b->ndim);
	outer = nearest(b, false, inner);
	for (;;) {
		copy_plane(b->esize, src, dst,
			   outer < b->ndim ? b->axis[outer] : one,
			   inner < b->ndim ? b->axis[inner] : one);
		for (i = 0; i < b->ndim; i++) {
			const struct box_axis *x = &b->axis[i];

			if (i == inner || i == outer)
				continue;
			src += x->from * b->esize;
			dst += x->to * b->esize;
			if (++index[i] < x->count)
				break;
			src -= x->from * b->esize * x->count;
			dst -= x->to * b->esize * x->count;
			index[i] = 0;
		}
		if (i == b->ndim)
			return;
	}
}
