/* SPDX-License-Identifier: BSD-2-Clause */
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program = "";
static struct values_place here;

void values_program(const char *name)
{
	program = name;
}

struct values_place values_place(struct values_place now)
{
	struct values_place before = here;

	here = now;
	return before;
}

struct values_place values_here(void)
{
	return here;
}

/* --- what is wrong -------------------------------------------------------- */

static void begin(void)
{
	fprintf(stderr, "%s: ", program);
	if (here.file)
		fprintf(stderr, "%s:%u: ", here.file, here.line);
	if (here.list)
		fprintf(stderr, "%s%s: ", here.file ? "" : "--", here.list);
}

static enum verdict end(const char *format, va_list ap)
{
	vfprintf(stderr, format, ap);
	fprintf(stderr, "; see %s --help\n", program);
	return BAD;
}

enum verdict values_bad(const char *format, ...)
{
	va_list ap;

	begin();
	va_start(ap, format);
	(void)end(format, ap);
	va_end(ap);
	return BAD;
}

enum verdict value_bad(const char *name, const char *v, const char *format, ...)
{
	va_list ap;

	begin();
	fprintf(stderr, "%s%s%s%s: ", here.file || here.list ? "" : "--", name,
		v ? "=" : "", v ? v : "");
	va_start(ap, format);
	(void)end(format, ap);
	va_end(ap);
	return BAD;
}

/* --- values --------------------------------------------------------------- */

/* Digits from the first byte on; *rest is what follows them. */
static bool digits(const char *v, int base, uint64_t *out, const char **rest)
{
	char *stop;

	/* strtoull would take blanks and signs */
	if (*v < '0' || *v > '9')
		return false;
	errno = 0;
	*out = strtoull(v, &stop, base);
	*rest = stop;
	return errno == 0;
}

enum verdict value_number(const char *name, const char *v, uint64_t least,
			  uint64_t most, uint64_t *out)
{
	bool hex = v[0] == '0' && (v[1] == 'x' || v[1] == 'X');
	uint64_t n = 0;
	const char *rest;

	if (!digits(v, hex ? 16 : 10, &n, &rest) || *rest || n < least ||
	    n > most)
		return value_bad(name, v,
				 "must be a number from %" PRIu64
				 " to %" PRIu64,
				 least, most);
	*out = n;
	return GOOD;
}

enum verdict value_small(const char *name, const char *v, unsigned least,
			 unsigned most, unsigned *out)
{
	uint64_t n = 0;

	if (value_number(name, v, least, most, &n) == BAD)
		return BAD;
	*out = (unsigned)n;
	return GOOD;
}

enum verdict value_power(const char *name, const char *v, unsigned least,
			 unsigned most, unsigned *out)
{
	unsigned n = 0;

	if (value_small(name, v, least, most, &n) == BAD)
		return BAD;
	if (n & (n - 1u))
		return value_bad(name, v, "must be a power of two");
	*out = n;
	return GOOD;
}

enum verdict value_size(const char *name, const char *v, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *rest = "";
	unsigned shift = 0;
	uint64_t n = 0;
	bool good = digits(v, 10, &n, &rest);
	const char *unit = *rest ? strchr(units, *rest) : NULL;

	if (unit) {
		shift = 10u * (unsigned)(unit - units + 1);
		rest++;
	}
	if (!good || *rest || n == 0 || n > (UINT64_MAX >> 1 >> shift))
		return value_bad(name, v, "must be a size, such as 512M or 2G");
	*out = n << shift;
	return GOOD;
}

enum verdict value_word(const char *name, const char *v,
			const char *const *words, unsigned n, unsigned *out)
{
	char list[128] = "";

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(v, words[i]) == 0) {
			*out = i;
			return GOOD;
		}
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list),
			       "%s%s", i ? ", " : "", words[i]);
	}
	return value_bad(name, v, "must be one of %s", list);
}

enum verdict value_on_off(const char *name, const char *v, bool *out)
{
	static const char *const words[] = { "off", "on" };
	unsigned n = 0;

	if (value_word(name, v, words, 2, &n) == BAD)
		return BAD;
	*out = n;
	return GOOD;
}

enum verdict value_text(const char *name, const char *v, char *out, size_t size)
{
	if (!*v || strlen(v) >= size)
		return value_bad(name, v, "must have 1 to %zu bytes",
				 size - 1u);
	memcpy(out, v, strlen(v) + 1u);
	return GOOD;
}
