/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdicts and notes: a printf of a few conversions, without libc.
 */
#include <stdarg.h>

#include "lib.h"

struct out {
	char *to;
	size_t left;            /* without the end */
};

static void put(struct out *o, char c)
{
	if (o->left == 0)
		return;
	*o->to++ = c;
	o->left--;
}

static void put_string(struct out *o, const char *t)
{
	while (*t)
		put(o, *t++);
}

static void put_number(struct out *o, uint64_t v, unsigned base)
{
	char digit[20];
	unsigned n = 0;

	do {
		digit[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(o, digit[--n]);
}

static void put_signed(struct out *o, int v)
{
	if (v < 0)
		put(o, '-');
	put_number(o, v < 0 ? (uint64_t)(-(int64_t)v) : (uint64_t)v, 10);
}

static void format_list(char *to, size_t size, const char *f, va_list *a)
{
	struct out o = { to, size - 1u };

	for (; *f; f++) {
		bool wide = false;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f++;
		if (f[0] == 'l' && f[1] == 'l') {
			wide = true;
			f += 2;
		}
		if (*f == 's')
			put_string(&o, va_arg(*a, const char *));
		else if (*f == 'c')
			put(&o, (char)va_arg(*a, int));
		else if (*f == 'd')
			put_signed(&o, va_arg(*a, int));
		else if (*f == 'u' || *f == 'x')
			put_number(&o,
				   wide ? va_arg(*a, unsigned long long)
					: va_arg(*a, unsigned),
				   *f == 'x' ? 16u : 10u);
		else
			put(&o, *f);
	}
	*o.to = '\0';
}

void lib_format(char *to, size_t size, const char *format, ...)
{
	va_list a;

	va_start(a, format);
	format_list(to, size, format, &a);
	va_end(a);
}

void note(struct suite *s, const char *format, ...)
{
	char line[LIB_LINE];
	va_list a;

	if (!s->d->ops->log)
		return;
	va_start(a, format);
	format_list(line, sizeof(line), format, &a);
	va_end(a);
	s->d->ops->log(s->d, line);
}

/* The reason, with the ring before it where that is not clear. */
static void decide(struct suite *s, enum suite_verdict v, const char *format,
		   va_list *a)
{
	char *why = s->result->why;
	size_t at = 0;

	s->over = true;
	s->failed = v == SUITE_FAIL;
	s->result->verdict = v;
	if (v == SUITE_FAIL && s->packed && (s->test->flags & SUITE_SPLIT)) {
		lib_format(why, SUITE_WHY, "packed ring: ");
		at = sizeof("packed ring: ") - 1u;
	}
	format_list(why + at, SUITE_WHY - at, format, a);
	note(s, "%s: %s", v == SUITE_FAIL ? "failed" : "skipped", why);
}

void fail(struct suite *s, const char *format, ...)
{
	va_list a;

	if (s->over)
		return;
	va_start(a, format);
	decide(s, SUITE_FAIL, format, &a);
	va_end(a);
}

void skip(struct suite *s, const char *format, ...)
{
	va_list a;

	if (s->over)
		return;
	va_start(a, format);
	decide(s, SUITE_SKIP, format, &a);
	va_end(a);
}
