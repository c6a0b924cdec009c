/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "values.h"

/* *v: NULL if there is none. */
static enum verdict look(const struct value_key *keys, unsigned from,
			 unsigned to, const char *text, unsigned *k,
			 const char **v)
{
	const char *eq = strchr(text, '=');
	size_t len = eq ? (size_t)(eq - text) : strlen(text);
	const struct values_place at = values_here();

	*v = eq ? eq + 1 : NULL;
	for (*k = from; *k < to; (*k)++)
		if (strlen(keys[*k].name) == len &&
		    strncmp(keys[*k].name, text, len) == 0)
			break;
	if (*k == to)
		return values_bad("%s%.*s: there is no such %s",
				  at.file || at.list ? "" : "--", (int)len,
				  text, at.list ? "key" : "option");
	if (eq && !keys[*k].value)
		return value_bad(keys[*k].name, NULL, "takes no value");
	return GOOD;
}

static enum verdict complete(const struct value_key *key, const char **v)
{
	if (!*v && key->value)
		return value_bad(key->name, NULL, "needs a value");
	if (!*v)
		*v = "";
	return GOOD;
}

enum verdict key_of(const struct value_key *keys, unsigned from, unsigned to,
		    const char *text, unsigned *k, const char **v)
{
	if (look(keys, from, to, text, k, v) == BAD)
		return BAD;
	return complete(&keys[*k], v);
}

enum verdict key_of_word(const struct value_key *keys, unsigned from,
			 unsigned to, int argc, char **argv, int *i,
			 unsigned *k, const char **v)
{
	const char *text = argv[*i];

	if (strncmp(text, "--", 2) != 0 || !text[2])
		return values_bad("%s: is not an option", text);
	if (look(keys, from, to, text + 2, k, v) == BAD)
		return BAD;
	if (!*v && keys[*k].value && *i + 1 < argc)
		*v = argv[++*i];
	return complete(&keys[*k], v);
}

char *key_part(const char **at, char **to)
{
	char *start = *to;

	for (; **at; (*at)++) {
		if (**at == ',' && *++*at != ',')
			break;
		*(*to)++ = **at;
	}
	*(*to)++ = '\0';
	return start;
}

void key_rows(const struct value_key *keys, unsigned from, unsigned to,
	      const char *dashes)
{
	for (const struct value_key *k = keys + from; k < keys + to; k++) {
		const char *h = k->help;
		char left[40];
		int n;

		(void)snprintf(left, sizeof(left), "%s%s%s%s", dashes, k->name,
			       k->value ? "=" : "", k->value ? k->value : "");
		for (; *h; h += n + (h[n] == '\n')) {
			n = (int)strcspn(h, "\n");
			printf("  %-24s  %.*s\n", left, n, h);
			left[0] = '\0';
		}
	}
}
