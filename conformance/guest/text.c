/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and strings: what the compiler calls, and what a console needs. */
#include "guest.h"

void *memcpy(void *to, const void *from, size_t n)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (!(((uintptr_t)t | (uintptr_t)f) & 7)) {
		for (; n >= 8; n -= 8, t += 8, f += 8)
			*(uint64_t *)(void *)t = *(
				const uint64_t *)(const void *)f;
	}
	while (n--)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if ((uintptr_t)t - (uintptr_t)f >= n)
		return memcpy(to, from, n);
	while (n--)
		t[n] = f[n];
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	uint8_t *t = to;
	uint64_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);

	for (; n && ((uintptr_t)t & 7); n--)
		*t++ = (uint8_t)byte;
	for (; n >= 8; n -= 8, t += 8)
		*(uint64_t *)(void *)t = word;
	while (n--)
		*t++ = (uint8_t)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a < (uint8_t)*b ? -1 : 1;
		if (!*a)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

bool matches(const char *name, const char *pattern)
{
	const char *star = NULL, *retry = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

struct out {
	char *at;
	size_t left;            /* without the end */
};

static void put(struct out *o, char c)
{
	if (o->left) {
		*o->at++ = c;
		o->left--;
	}
}

static void field(struct out *o, const char *s, size_t n, size_t width,
		  bool left, char fill)
{
	size_t pad = width > n ? width - n : 0;

	for (; pad && !left; pad--)
		put(o, fill);
	while (n--)
		put(o, *s++);
	for (; pad; pad--)
		put(o, ' ');
}

static void number(struct out *o, uint64_t v, uint32_t base, bool minus,
		   size_t width, bool left, char fill)
{
	char digits[24];
	size_t n = sizeof(digits);

	do {
		digits[--n] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (minus)
		digits[--n] = '-';
	field(o, digits + n, sizeof(digits) - n, width, left, fill);
}

static const char *convert(struct out *o, const char *words, va_list *ap)
{
	bool left = false, wide = false;
	char fill = ' ';
	size_t width = 0;
	const char *s;
	uint64_t u;
	int64_t d;
	char c;

	for (; *words == '-' || *words == '0'; words++) {
		left |= *words == '-';
		fill = *words == '0' ? '0' : fill;
	}
	for (; *words >= '0' && *words <= '9'; words++)
		width = width * 10 + (size_t)(*words - '0');
	for (; *words == 'l' || *words == 'z'; words++)
		wide = true;
	switch (*words) {
	case 's':
		s = va_arg(*ap, const char *);
		field(o, s, strlen(s), width, left, ' ');
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		field(o, &c, 1, width, left, ' ');
		break;
	case 'd':
		d = wide ? va_arg(*ap, int64_t) : va_arg(*ap, int);
		number(o, d < 0 ? 0 - (uint64_t)d : (uint64_t)d, 10, d < 0,
		       width, left, fill);
		break;
	case 'u':
	case 'x':
		u = wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned);
		number(o, u, *words == 'x' ? 16 : 10, false, width, left, fill);
		break;
	default:
		put(o, *words ? *words : '%');
		return *words ? words + 1 : words;
	}
	return words + 1;
}

void format_va(char *to, size_t bytes, const char *words, va_list ap)
{
	struct out o = { to, bytes - 1 };
	va_list args;

	va_copy(args, ap);
	while (*words) {
		if (*words == '%')
			words = convert(&o, words + 1, &args);
		else
			put(&o, *words++);
	}
	va_end(args);
	*o.at = '\0';
}

void format(char *to, size_t bytes, const char *words, ...)
{
	va_list ap;

	va_start(ap, words);
	format_va(to, bytes, words, ap);
	va_end(ap);
}
