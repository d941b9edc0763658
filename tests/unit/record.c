/* A lease's record as earlier and later versions write it. */
#include "unit.h"

#include <stdio.h>

#include "base/hex.h"
#include "helper/record.h"
#include "helper/table.h"

#define ID "00112233445566aa"

/* As the version before there were versions wrote it. */
static const char FIRST[] = "3030313132323333343435353636616161616161616161616161616161616161"
			    "6161616161616161616161616161616161616161616161616161616161616161"
			    "6161616161616161616161616161616103000000803bb16a0000000000000004"
			    "00000000001000000000000006000000706f6f6c2d310100000007000000e803"
			    "000000000000d0070000000000000100000050000000704e0000000000000005"
			    "000000736d616c6c0600000064656269616e0500000000000000000000000000"
			    "000000010000000000020000000100000003000000";

struct place {
	struct helper_config c;
	char *path;
};

static struct place make_place(void **state, const char *name)
{
	struct place p = {.c = {.run_dir = mem_printf("%s/%s", (char *)*state, name),
				.state_dir = mem_printf("%s/%s-state", (char *)*state, name)}};
	auto_free char *dir = record_dir(&p.c, ID);
	struct err e;

	assert_int_equal(fs_mkdirs(dir, 0700, &e), 0);
	p.path = record_path(&p.c, ID, "lease");
	return p;
}

static void drop_place(struct place *p)
{
	free((char *)p->c.run_dir);
	free((char *)p->c.state_dir);
	free(p->path);
}
#define auto_place __attribute__((cleanup(drop_place)))

static struct record sample(void)
{
	struct record r = {.generation = 3,
			   .deadline = 1790000000,
			   .volume_bytes = 64 << 20,
			   .inodes = 4096,
			   .activation = 1,
			   .slot = 7,
			   .bandwidth = {1000, 2000},
			   .nports = 1,
			   .ports = {{80, 20080, SPEC_TCP}},
			   .powers = {.asked = 5, .new_privileges = true},
			   .vendor = SPEC_NVIDIA,
			   .ncards = 2,
			   .cards = {1, 3}};

	memcpy(r.id, ID, sizeof(ID));
	memset(r.owner, 'a', PRIV_OWNER_LEN);
	memcpy(r.volume, "pool-1", sizeof("pool-1"));
	memcpy(r.offer, "small", sizeof("small"));
	memcpy(r.template, "debian", sizeof("debian"));
	return r;
}

static void assert_sample(const struct record *r)
{
	const struct record want = sample();

	assert_string_equal(r->id, want.id);
	assert_string_equal(r->owner, want.owner);
	assert_string_equal(r->volume, want.volume);
	assert_string_equal(r->offer, want.offer);
	assert_string_equal(r->template, want.template);
	assert_int_equal(r->generation, want.generation);
	assert_int_equal(r->deadline, want.deadline);
	assert_int_equal(r->volume_bytes, want.volume_bytes);
	assert_int_equal(r->inodes, want.inodes);
	assert_int_equal(r->slot, want.slot);
	assert_int_equal(r->bandwidth.out, want.bandwidth.out);
	assert_int_equal(r->nports, 1);
	assert_int_equal(r->ports[0].outside, 20080);
	assert_int_equal(r->powers.asked, 5);
	assert_true(r->powers.new_privileges);
	assert_int_equal(r->ncards, 2);
	assert_int_equal(r->cards[1], 3);
}

static void put(const struct place *p, const char *head, struct str rest, const char *tail)
{
	auto_buf struct buf text = BUF(200000);
	struct err e;

	buf_puts(&text, head);
	buf_str(&text, rest);
	buf_puts(&text, tail);
	assert_int_equal(fs_write(p->path, text.p, text.n, 0600, &e), 0);
}

static struct str first(struct buf *b)
{
	uint8_t *at = buf_extend(b, strlen(FIRST) / 2);

	assert_int_equal(hex_decode(at, strlen(FIRST) / 2, str_of(FIRST), NULL), 0);
	return buf_view(b);
}

/* With the name of its backend behind the rest. */
static void put_second(const struct place *p, struct str fields)
{
	auto_buf struct buf text = BUF(4096);
	struct err e;

	buf_str(&text, fields);
	buf_add(&text, "\6\0\0\0docker", 10);
	assert_int_equal(fs_write(p->path, text.p, text.n, 0600, &e), 0);
}

static void the_first_form_is_read_and_rewritten(void **state)
{
	auto_place struct place p = make_place(state, "first");
	auto_buf struct buf old = BUF(4096), second = BUF(4096), now = BUF(4096);
	struct record r, again;
	struct err e;

	put(&p, "", first(&old), "");
	if (record_read(&r, &p.c, ID, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(r.known, RECORD_WHOLE);
	assert_sample(&r);
	assert_string_equal(record_backend(&r)->name, "oci");
	put_second(&p, first(&second));
	if (record_read(&r, &p.c, ID, &e))
		fail_msg("%s", e.msg);
	assert_sample(&r);
	assert_string_equal(record_backend(&r)->name, "docker");
	if (record_write(&r, &p.c, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(fs_read(&now, p.path, &e), 0);
	assert_true(str_starts(buf_view(&now), "leased record "));
	assert_int_equal(record_read(&again, &p.c, ID, &e), 0);
	assert_sample(&again);
}

static void of_a_newer_one_what_is_known_is_read(void **state)
{
	auto_place struct place p = make_place(state, "newer");
	auto_buf struct buf old = BUF(4096);
	struct str fields;
	struct record r;
	struct err e;

	first(&old);
	buf_add(&old, "\6\0\0\0docker\0\0", 12);
	fields = buf_view(&old);
	put(&p, "leased record 4000000000 2\n", fields, "more");
	assert_int_equal(record_read(&r, &p.c, ID, &e), 0);
	assert_int_equal(r.known, RECORD_WHOLE);
	assert_sample(&r);
	put(&p, "leased record 4000000000 4000000000\n", fields, "more");
	assert_int_equal(record_read(&r, &p.c, ID, &e), RECORD_STRANGE);
	assert_int_equal(r.known, RECORD_NEWER);
	assert_sample(&r);
	assert_non_null(strstr(e.msg, "newer"));
	assert_int_equal(record_write(&r, &p.c, &e), -1); /* what is not known would be lost */
}

/* An older version would look for that key on disk. */
static void one_with_a_key_of_its_buyer_is_for_this_version(void **state)
{
	auto_place struct place p = make_place(state, "key");
	auto_buf struct buf old = BUF(4096), now = BUF(4096);
	struct record r, again;
	struct err e;

	put(&p, "", first(&old), "");
	assert_int_equal(record_read(&r, &p.c, ID, &e), 0);
	assert_false(r.own_key);
	r.own_key = true;
	assert_int_equal(record_write(&r, &p.c, &e), 0);
	assert_int_equal(fs_read(&now, p.path, &e), 0);
	assert_true(str_starts(buf_view(&now), "leased record 5 4\n"));
	assert_int_equal(record_read(&again, &p.c, ID, &e), 0);
	assert_true(again.own_key);
	assert_sample(&again);
}

static void one_of_a_kept_volume_says_so(void **state)
{
	auto_place struct place p = make_place(state, "volume");
	struct record r = sample(), again;
	struct err e;

	r.kept = true;
	assert_int_equal(record_write(&r, &p.c, &e), 0);
	assert_int_equal(record_read(&again, &p.c, ID, &e), 0);
	assert_true(again.kept);
	assert_sample(&again);
}

static void assert_slot(const struct table *t, uint32_t addresses, uint32_t ids, bool kept,
			int want)
{
	const struct tenant_net net = {.slots = addresses};
	const struct helper_config c = {.net = addresses ? &net : NULL, .id_slots = ids};
	struct record r = {.kept = kept};

	assert_int_equal(table_take_slot(&r, t, &c, NULL), want < 0 ? -1 : 0);
	if (want >= 0)
		assert_int_equal(r.slot, want);
}

/* Volumes take theirs above those with addresses, which stay free for leases. */
static void slots_are_the_lowest_of_their_part(void **state)
{
	static const uint32_t taken[] = {0, 2, 10, 11};
	struct record r = sample();
	struct table t = {0};
	uint32_t slot;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(taken); i++) {
		r.id[0] = (char)('0' + i);
		r.slot = taken[i];
		table_add(&t, &r);
	}
	assert_int_equal(table_slot(&t, 0, 3, &slot, NULL), 0);
	assert_int_equal(slot, 1);
	assert_int_equal(table_slot(&t, 0, 1, &slot, NULL), -1);
	assert_int_equal(table_slot(&t, 10, 13, &slot, NULL), 0);
	assert_int_equal(slot, 12);
	assert_int_equal(table_slot(&t, 10, 12, &slot, NULL), -1);
	assert_int_equal(table_slot(&t, 10, 0, &slot, NULL), 0);
	assert_int_equal(slot, 12);
	assert_slot(&t, 10, 100, false, 1);
	assert_slot(&t, 10, 100, true, 12);
	assert_slot(&t, 10, 0, true, 12);
	assert_slot(&t, 100, 4, true, 1);
	assert_slot(&t, 0, 4, true, 1);
	assert_slot(&t, 1, 100, false, -1);
	assert_slot(&t, 1, 100, true, 1);
	table_free(&t);
}

static void what_cannot_be_read_is_blank(void **state)
{
	auto_place struct place p = make_place(state, "blank");
	auto_buf struct buf old = BUF(4096), big = BUF(200000);
	struct str fields = first(&old);
	struct {
		const char *head;
		struct str rest;
		const char *tail;
	} bad[] = {
		{"", STR(""), ""},
		{"", fields, "x"},
		{"", {fields.p, fields.n - 1}, ""},
		{"leased record 3 3\n", fields, "x"},
		{"leased record 2 2\n", fields, ""},
		{"leased record 0 0\n", fields, ""},
		{"leased record 3\n", fields, ""},
		{"leased record -1 2\n", fields, ""},
		{"leased record 99999999999 2\n", fields, ""},
		{"leased record 3 3", STR(""), ""},
		{"leased record 3 3\n", {fields.p + 1, fields.n - 1}, ""},
		{"leased record 9 2\n", {fields.p, 40}, ""},
		{"", STR(""), NULL},
	};
	struct record r;
	struct err e;

	memset(buf_extend(&big, 150000), 'x', 150000);
	bad[ARRAY_SIZE(bad) - 1].rest = buf_view(&big);
	bad[ARRAY_SIZE(bad) - 1].tail = "";
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(&p, bad[i].head, bad[i].rest, bad[i].tail);
		if (record_read(&r, &p.c, ID, &e) != RECORD_STRANGE || r.known != RECORD_BLANK)
			fail_msg("case %zu: %d", i, r.known);
		assert_string_equal(r.id, ID);
		assert_string_equal(r.volume, "");
		assert_true(r.slot == RECORD_NO_SLOT);
		assert_non_null(strstr(e.msg, p.path));
	}
	record_find(&r, &p.c);
	assert_true(r.deadline > 1790000000); /* not over by a number that is not known */
	assert_string_equal(r.volume, "");
}

static void a_keepers_record_of_a_newer_version_is_read(void **state)
{
	auto_place struct place p = make_place(state, "keeper");
	auto_free char *path = record_path(&p.c, ID, KEEPER_STATE);
	const struct keeper_record was = {.state = PRIV_BOX_STOPPED,
					  .generation = 2,
					  .exit_status = 7,
					  .deadline = 1790000000,
					  .keeper_started = 99};
	auto_buf struct buf text = BUF(4096);
	struct keeper_record r;
	struct err e;

	assert_int_equal(wire_encode(&text, &keeper_record_table, &was, &e), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fs_write(path, text.p, text.n, 0600, &e), 0);
		if (record_keeper(&r, &p.c, ID, &e))
			fail_msg("%s", e.msg);
		assert_memory_equal(&r, &was, sizeof(r));
		buf_puts(&text, "more");
	}
	assert_int_equal(fs_write(path, text.p, text.n - 9, 0600, &e), 0);
	assert_int_equal(record_keeper(&r, &p.c, ID, &e), -1);
}

/* After a reboot the one on disk stands for it, as it is. */
static void a_kept_one_that_is_strange_is_kept_as_it_is(void **state)
{
	auto_place struct place p = make_place(state, "kept");
	auto_free char *dir = mem_printf("%s/leases", p.c.state_dir);
	auto_free char *kept = mem_printf("%s/" ID, dir);
	auto_buf struct buf there = BUF(4096);
	struct err e;

	assert_int_equal(fs_mkdirs(dir, 0700, &e), 0);
	assert_int_equal(fs_write(kept, "what is this?", 13, 0600, &e), 0);
	if (record_recover(&p.c, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(fs_read(&there, p.path, &e), 0);
	assert_view(there, "what is this?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_form_is_read_and_rewritten),
		cmocka_unit_test(of_a_newer_one_what_is_known_is_read),
		cmocka_unit_test(one_with_a_key_of_its_buyer_is_for_this_version),
		cmocka_unit_test(one_of_a_kept_volume_says_so),
		cmocka_unit_test(slots_are_the_lowest_of_their_part),
		cmocka_unit_test(what_cannot_be_read_is_blank),
		cmocka_unit_test(a_keepers_record_of_a_newer_version_is_read),
		cmocka_unit_test(a_kept_one_that_is_strange_is_kept_as_it_is),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
