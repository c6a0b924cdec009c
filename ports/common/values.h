/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of a daemon: a table of their names, and the values that a person
 * gives them, on the command line, in a file, or in a list KEY[=VALUE],...
 *
 *     values.c   values, and the line that says what is wrong with one
 *     keys.c     names: which option it is, the rows of --help
 *
 * What is wrong is printed here, to stderr, in one line: where it stands,
 * which option, what it must be, and where to read more. BAD means that it was
 * printed. One thread; strings are the caller's and only borrowed.
 */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verdict { GOOD, BAD };

/* --- where a value stands, for messages ----------------------------------- */

struct values_place {
	const char *file;       /* NULL: the command line */
	unsigned line;          /* of it, from 1 */
	const char *list;       /* the option whose list it is, or NULL */
};

/* What the lines begin with, before all else. */
void values_program(const char *name);

/* From here on; what it was before. */
struct values_place values_place(struct values_place now);

struct values_place values_here(void);

/* "PROGRAM: [FILE:LINE: ][--LIST: ]...; see PROGRAM --help". BAD. */
enum verdict values_bad(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The same of an option and its value; v: NULL if it is not about that. BAD. */
enum verdict value_bad(const char *name, const char *v, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- values: v of option name; *out is changed only if GOOD --------------- */

/* Decimal, or hexadecimal after 0x. */
enum verdict value_number(const char *name, const char *v, uint64_t least,
			  uint64_t most, uint64_t *out);

enum verdict value_small(const char *name, const char *v, unsigned least,
			 unsigned most, unsigned *out);

enum verdict value_power(const char *name, const char *v, unsigned least,
			 unsigned most, unsigned *out);

/* Bytes, 1 to INT64_MAX; K, M, G, T are powers of 1024. */
enum verdict value_size(const char *name, const char *v, uint64_t *out);

/* Which of n words it is. */
enum verdict value_word(const char *name, const char *v,
			const char *const *words, unsigned n, unsigned *out);

enum verdict value_on_off(const char *name, const char *v, bool *out);

/* At least a byte, and with its NUL no more than size; copied. */
enum verdict value_text(const char *name, const char *v, char *out,
			size_t size);

/* --- keys ----------------------------------------------------------------- */

struct value_key {
	const char *name;
	const char *value;      /* what --help calls it; NULL: takes none */
	const char *help;       /* lines, without the last newline */
};

/* NAME or NAME=VALUE, of keys[from..to): *k, and *v, "" if it takes none. */
enum verdict key_of(const struct value_key *keys, unsigned from, unsigned to,
		    const char *text, unsigned *k, const char **v);

/*
 * The same of argv[*i], which begins with dashes; the value may be the next
 * word, and *i is the last word that was taken.
 */
enum verdict key_of_word(const struct value_key *keys, unsigned from,
			 unsigned to, int argc, char **argv, int *i,
			 unsigned *k, const char **v);

/*
 * The part of a list from *at to its comma, doubled commas halved, as a string
 * at *to. Both are moved behind it. What is written is at most a byte longer
 * than what was read, and no longer if a comma was passed.
 */
char *key_part(const char **at, char **to);

/* Rows of --help for keys[from..to). */
void key_rows(const struct value_key *keys, unsigned from, unsigned to,
	      const char *dashes);

#endif
