/* The loop: timers under a replaced clock, removal during a turn, children, signals; back-off;
 * names and which addresses are private. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/backoff.h"
#include "net/loop.h"
#include "net/resolve.h"

static int64_t fake_now(void *ctx)
{
	return *(int64_t *)ctx;
}

static struct loop *fresh(void)
{
	struct loop *l;
	struct err e;

	assert_int_equal(loop_new(&l, &e), 0);
	return l;
}

struct note {
	char text[32];
	size_t n;
};

struct tick {
	struct note *note;
	char name;
};

static void ticked(void *ctx)
{
	struct tick *t = ctx;

	t->note->text[t->note->n++] = t->name;
}

static void timers_fire_in_order_of_due_time(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct note n = {0};
	struct tick a = {&n, 'a'}, b = {&n, 'b'}, c = {&n, 'c'}, d = {&n, 'd'};
	int64_t now = 1000;
	struct clock_source src = {fake_now, fake_now, &now};
	struct loop_timer *gone;

	clock_replace(&src);
	loop_timer_add(l, 30, ticked, &c);
	loop_timer_add(l, 10, ticked, &a);
	gone = loop_timer_add(l, 20, ticked, &d);
	loop_timer_add(l, 10, ticked, &b);
	loop_timer_del(gone);
	assert_int_equal(loop_next_due(l), 10);
	loop_turn(l, 0);
	assert_string_equal(n.text, "");
	now += 10;
	loop_turn(l, 0);
	assert_string_equal(n.text, "ab");
	assert_int_equal(loop_next_due(l), 20);
	now += 25;
	loop_turn(l, 0);
	assert_string_equal(n.text, "abc");
	assert_int_equal(loop_next_due(l), -1);
	clock_replace(NULL);
}

static void many_timers_keep_the_heap_in_order(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct loop_timer *t[200];
	struct note n = {0};
	struct tick never = {&n, 'x'};
	int64_t now = 0, left = 0;
	struct clock_source src = {fake_now, fake_now, &now};

	clock_replace(&src);
	for (int i = 0; i < 200; i++)
		t[i] = loop_timer_add(l, 1000 + i * 7919 % 200, ticked, &never);
	for (int i = 0; i < 200; i++) {
		assert_true(loop_next_due(l) >= left);
		left = loop_next_due(l);
		/* delete the one that is due next: due times were 1000…1199, each once */
		for (int k = 0; k < 200; k++) {
			if (t[k] && 1000 + k * 7919 % 200 == left) {
				loop_timer_del(t[k]);
				t[k] = NULL;
				break;
			}
		}
	}
	assert_int_equal(loop_next_due(l), -1);
	assert_int_equal(left, 1199);
	clock_replace(NULL);
}

struct again {
	struct loop *loop;
	int count;
};

static void add_another(void *ctx)
{
	struct again *a = ctx;

	a->count++;
	loop_timer_add(a->loop, 0, add_another, a);
}

static void a_timer_that_adds_itself_waits_for_the_next_turn(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct again a = {l, 0};

	loop_timer_add(l, 0, add_another, &a);
	loop_turn(l, 0);
	assert_int_equal(a.count, 1);
	loop_turn(l, 0);
	assert_int_equal(a.count, 2);
}

struct pair {
	struct loop_io *io[2];
	int calls;
};

static void remove_both(void *ctx, int fd, uint32_t events)
{
	struct pair *p = ctx;

	p->calls++;
	loop_io_del(p->io[0]);
	loop_io_del(p->io[1]);
}

static void a_descriptor_removed_during_the_turn_is_not_called(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct pair p = {0};
	struct err e;
	int a[2], b[2];

	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	assert_int_equal(write(a[1], "x", 1), 1);
	assert_int_equal(write(b[1], "x", 1), 1);
	assert_int_equal(loop_io_add(&p.io[0], l, a[0], EPOLLIN, remove_both, &p, &e), 0);
	assert_int_equal(loop_io_add(&p.io[1], l, b[0], EPOLLIN, remove_both, &p, &e), 0);
	loop_turn(l, 0);
	loop_turn(l, 0);
	assert_int_equal(p.calls, 1);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void the_descriptor_is_readable_when_a_timer_is_due(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct note n = {0};
	struct tick a = {&n, 'a'};
	struct epoll_event ev = {.events = EPOLLIN};
	int outer = epoll_create1(0);

	assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, loop_fd(l), &ev), 0);
	struct loop_timer *late = loop_timer_add(l, 3600000, ticked, &a);

	assert_int_equal(epoll_wait(outer, &ev, 1, 20), 0);
	loop_timer_del(late);
	loop_timer_add(l, 20, ticked, &a);
	assert_int_equal(epoll_wait(outer, &ev, 1, 120000), 1);
	loop_turn(l, 0);
	assert_string_equal(n.text, "a");
	assert_int_equal(epoll_wait(outer, &ev, 1, 0), 0);
	close(outer);
}

struct ended {
	struct loop *loop;
	int status, left;
};

static void child_ended(void *ctx, pid_t pid, int status)
{
	struct ended *x = ctx;

	x->status = status;
	if (--x->left == 0)
		loop_stop(x->loop);
}

static void children_are_reaped_with_their_status(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct ended x = {l, -1, 1}, y = {l, -1, 1};
	struct err e;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	assert_int_equal(loop_child_add(l, pid, child_ended, &x, &e), 0);
	loop_run(l);
	assert_int_equal(x.status, 7);
	assert_int_equal(waitpid(pid, NULL, 0), -1);

	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	assert_int_equal(loop_child_add(l, pid, child_ended, &y, &e), 0);
	kill(pid, SIGKILL);
	loop_run(l);
	assert_int_equal(y.status, 128 + SIGKILL);
}

static void signalled(void *ctx, int signo)
{
	struct ended *x = ctx;

	x->status = signo;
	loop_stop(x->loop);
}

static void signals_come_through_the_loop(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct ended x = {l, 0, 1};
	struct err e;

	assert_int_equal(loop_signal_add(l, SIGUSR1, signalled, &x, &e), 0);
	kill(getpid(), SIGUSR1);
	loop_run(l);
	assert_int_equal(x.status, SIGUSR1);
}

static void backoff_doubles_within_its_jitter(void **state)
{
	struct backoff b = BACKOFF(1000, 5000);
	int64_t want[] = {1000, 2000, 4000, 5000, 5000};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		int64_t d = backoff_next(&b);

		assert_in_range(d, want[i] * 7 / 10, want[i] * 13 / 10);
	}
	backoff_reset(&b);
	assert_in_range(backoff_next(&b), 700, 1300);
}

struct found {
	struct loop *loop;
	struct resolve_answer a;
	bool told;
};

static void resolved(void *ctx, const struct resolve_answer *a)
{
	struct found *f = ctx;

	f->a = *a;
	f->told = true;
	loop_stop(f->loop);
}

static void names_are_resolved_off_the_thread(void **state)
{
	struct loop *l AUTO(loop_free) = fresh();
	struct found f = {.loop = l};
	struct resolve *r;
	struct err e;

	assert_int_equal(resolve_start(&r, l, "127.0.0.9", resolved, &f, &e), 0);
	assert_false(f.told);
	loop_run(l);
	assert_int_equal(f.a.n, 1);
	assert_string_equal(f.a.address[0], "127.0.0.9");
	assert_int_equal(resolve_start(&r, l, "localhost", resolved, &f, &e), 0);
	loop_run(l);
	assert_true(f.a.n >= 1);
	assert_false(address_text_is_public(f.a.address[0]));
	f.told = false;
	assert_int_equal(resolve_start(&r, l, "localhost", resolved, &f, &e), 0);
	resolve_cancel(r);
	for (int i = 0; i < 5; i++)
		loop_turn(l, 20);
	assert_false(f.told);
	assert_int_equal(resolve_start(&r, l, "", resolved, &f, &e), -1);
}

static void private_addresses_are_told_from_public_ones(void **state)
{
	static const char *const private[] = {
		"127.0.0.1",
		"10.1.2.3",
		"172.16.0.1",
		"172.31.255.255",
		"192.168.1.1",
		"169.254.169.254",
		"100.64.0.1",
		"0.0.0.0",
		"224.0.0.1",
		"255.255.255.255",
		"198.18.0.1",
		"::1",
		"::",
		"fe80::1",
		"fd00::1",
		"ff02::1",
		"::ffff:127.0.0.1",
		"::ffff:10.0.0.1",
		"64:ff9b::7f00:1",
		"2002:7f00:1::",
		"2001:db8::1",
		"2001::1",
		"::127.0.0.1",
		"not an address",
	};
	static const char *const public[] = {
		"8.8.8.8",	   "172.32.0.1",     "100.128.0.1",    "192.169.0.1",
		"2606:4700::1111", "2002:808:808::", "::ffff:8.8.8.8",
	};

	for (size_t i = 0; i < ARRAY_SIZE(private); i++) {
		if (address_text_is_public(private[i]))
			fail_msg("%s is not public", private[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(public); i++) {
		if (!address_text_is_public(public[i]))
			fail_msg("%s is public", public[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_of_due_time),
		cmocka_unit_test(many_timers_keep_the_heap_in_order),
		cmocka_unit_test(a_timer_that_adds_itself_waits_for_the_next_turn),
		cmocka_unit_test(a_descriptor_removed_during_the_turn_is_not_called),
		cmocka_unit_test(the_descriptor_is_readable_when_a_timer_is_due),
		cmocka_unit_test(children_are_reaped_with_their_status),
		cmocka_unit_test(signals_come_through_the_loop),
		cmocka_unit_test(backoff_doubles_within_its_jitter),
		cmocka_unit_test(names_are_resolved_off_the_thread),
		cmocka_unit_test(private_addresses_are_told_from_public_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
