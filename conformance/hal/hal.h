/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a test of a HAL clause is made of: the fixture, the observer (watch.h)
 * and the driver below, which is the guest's side of a split virtqueue or two
 * and of the register file. The driver shares no code with the core.
 *
 * A test runs until it returns or until one of the calls below finds that it
 * cannot go on: then t_fail and its like end it by a jump. So nothing that a
 * test takes is to be given back.
 */
#ifndef HAL_H
#define HAL_H

#include <setjmp.h>

#include "fixture.h"
#include "watch.h"

#define T_WHY     600u
#define RING_MAX  256u          /* entries of a queue */
#define SLOTS     80u           /* requests in flight of a queue, at most */
#define DATA_MAX  4096u         /* bytes of a request */
#define SECTOR    512u
#define STAMPS    FIXTURE_SECTORS

enum verdict { PASS, FAIL, NOT_IMPLEMENTED, NOT_APPLICABLE };

struct slot {                   /* a request of the driver's */
	bool busy, done;
	uint32_t type, sector, sectors;
	uint64_t data;          /* guest address */
	uint32_t stamp;         /* of what is written */
	uint8_t status;
	uint32_t len;           /* as the used ring says */
	uint64_t order;         /* in which it came back, from 1 */
};

struct ring {
	uint64_t desc, avail, used; /* guest addresses */
	uint16_t size, avail_idx, used_seen, slots;
	struct slot slot[SLOTS];
};

struct t {
	struct fixture *f;
	uint32_t want;          /* as the back end was made */
	struct ring ring[FIXTURE_QUEUES];
	unsigned queues;        /* that run */
	uint64_t completions;
	uint64_t features;
	/* 0: unknown; what each sector holds */
	uint32_t holds[STAMPS];

	enum verdict verdict;
	char why[T_WHY];
	jmp_buf out;
};

/* --- ending a test -------------------------------------------------------- */

_Noreturn void t_fail(struct t *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Not implemented, or a reason why the clause cannot be tried here. */
_Noreturn void t_missing(struct t *t, const char *what);

/* The fixture's answer r to what: ends the test unless it is FIXTURE_OK. */
void t_did(struct t *t, int r, const char *what);

#define t_check(t, good, ...) \
	do { \
		if (!(good)) \
			t_fail(t, __VA_ARGS__); \
	} while (0)

/* Pumps until ready says true, or the port's patience is over. */
void t_await(struct t *t, bool (*ready)(struct t *t), const char *what);

/* A number of pumps: time for what must not happen. */
void t_settle(struct t *t);

/* --- guest memory --------------------------------------------------------- */

void t_read(struct t *t, uint64_t gpa, void *out, uint32_t len);
void t_write(struct t *t, uint64_t gpa, const void *in, uint32_t len);
uint64_t t_marker(const struct t *t);

/* --- the register file ---------------------------------------------------- */

#define REG_MAGIC        0x000u
#define REG_VERSION      0x004u
#define REG_DEVICE       0x008u
#define REG_FEATURES     0x010u
#define REG_FEATURES_SEL 0x014u
#define REG_DRIVER       0x020u
#define REG_DRIVER_SEL   0x024u
#define REG_QUEUE_SEL    0x030u
#define REG_QUEUE_MAX    0x034u
#define REG_QUEUE_NUM    0x038u
#define REG_QUEUE_READY  0x044u
#define REG_NOTIFY       0x050u
#define REG_INTERRUPT    0x060u
#define REG_ACK          0x064u
#define REG_STATUS       0x070u
#define REG_DESC         0x080u
#define REG_AVAIL        0x090u
#define REG_USED         0x0a0u
#define REG_CONFIG       0x100u

#define STATUS_DRIVER_OK   15u  /* with the three before it */
#define STATUS_NEEDS_RESET 64u

void t_access_start(struct t *t, unsigned cpu, bool write, uint32_t offset,
		    unsigned size, uint64_t value);
bool t_answered(struct t *t, unsigned cpu, uint64_t *value);
uint64_t t_access(struct t *t, unsigned cpu, bool write, uint32_t offset,
		  unsigned size, uint64_t value);
uint32_t t_reg(struct t *t, uint32_t offset);
void t_set(struct t *t, uint32_t offset, uint32_t value);
bool t_registers(const struct t *t);

/* --- the driver ----------------------------------------------------------- */

#define DRIVE_FLUSH 1u          /* accept FLUSH: writes are cached */

/* A new back end and a driver that runs on it, with so many queues. */
void t_start(struct t *t, uint32_t want, unsigned queues, unsigned drive);

/* The same back end: reset and bring-up anew. */
void t_reset_device(struct t *t);
void t_bring_up(struct t *t, unsigned queues, unsigned drive);

/* Forgets what the driver had in flight: the rings are empty again. */
void t_clear_rings(struct t *t);

enum type { T_IN = 0, T_OUT = 1, T_FLUSH = 4 };

/* Memory for slot's data; bytes may be anywhere in the guest's. */
uint64_t t_data(const struct t *t, unsigned queue, unsigned slot);

/*
 * Makes a request available, without a kick: its slot. OUT: the data gets a
 * fresh stamp. IN: the buffer is filled with something else first.
 */
unsigned t_queue(struct t *t, unsigned queue, uint32_t type, uint32_t sector,
		 uint32_t sectors);
/* The same with the data at an address of one's own. */
unsigned t_queue_at(struct t *t, unsigned queue, uint32_t type, uint32_t sector,
		    uint32_t sectors, uint64_t data);
void t_kick(struct t *t, unsigned queue);

/* Takes what came back: how many. Checks that each is one in flight. */
unsigned t_take(struct t *t, unsigned queue);
bool t_all_back(struct t *t);           /* takes; nothing is out */
unsigned t_out(const struct t *t);      /* requests not back */

/* Waits for all. Each must have this status. */
void t_finish(struct t *t, uint8_t status);
void t_await_all(struct t *t);

/* A read's buffer holds what the sectors do. */
bool t_data_good(struct t *t, const struct slot *s);
void t_check_data(struct t *t, unsigned queue, unsigned slot);

/* One request from beginning to end, with status 0. */
void t_io(struct t *t, uint32_t type, uint32_t sector, uint32_t sectors);

/* What came back so far is not looked at any more. */
void t_forget(struct t *t);

/* Writes and reads back. */
void t_works(struct t *t, const char *when);

void t_stamp_sector(uint32_t sector, uint32_t stamp, uint8_t *out);

/* --- faults --------------------------------------------------------------- */

void t_fault(struct t *t, enum fixture_fault what, uint64_t value);
void t_platform(struct t *t, enum fixture_event what, uint64_t gpa,
		uint64_t len);
void t_die(struct t *t);

struct fixture_signals t_signals(struct t *t);

/* --- tests ---------------------------------------------------------------- */

enum marking { TESTED, ORDERING, BY_CONSTRUCTION };

struct clause {
	const char *id;         /* "SUB-1" */
	const char *party;
	enum marking marking;
	const char *words;      /* ours, a few */
};

extern const struct clause clauses[];   /* ends with id NULL */

struct test {
	const char *name;       /* hal_SUB_1__... */
	uint32_t needs;         /* enum fixture_can */
	void (*run)(struct t *t);
};

extern const struct test tests_submit[], tests_signal[], tests_access[],
	tests_map[], tests_life[]; /* end with name NULL */

#endif
