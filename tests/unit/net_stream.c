/* Framed messages: whole, in order, with their descriptors; end of the other side; the listener. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/stream.h"

struct end {
	struct loop *loop;
	struct stream *stream;
	int messages, gone, fds;
	size_t bytes;
	char last[64];
	bool free_on_message;
};

static void came(void *ctx, const uint8_t *p, size_t n, const int *fds)
{
	struct end *x = ctx;

	if (!p) {
		x->gone++;
		stream_free(x->stream);
		x->stream = NULL;
		loop_stop(x->loop);
		return;
	}
	x->messages++;
	x->bytes += n;
	snprintf(x->last, sizeof(x->last), "%.*s", (int)n, (const char *)p);
	for (; *fds >= 0; fds++) {
		char name[32];

		x->fds++;
		if (read(*fds, name, sizeof(name)) > 0)
			x->last[0] = name[0];
		close(*fds);
	}
	if (x->free_on_message) {
		stream_free(x->stream);
		x->stream = NULL;
	}
}

struct two {
	struct loop *loop;
	struct end a, b;
};

static void connect_two(struct two *t, size_t max)
{
	struct err e;
	int fd[2];

	*t = (struct two){0};
	assert_int_equal(loop_new(&t->loop, &e), 0);
	t->a.loop = t->b.loop = t->loop;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(stream_new(&t->a.stream, t->loop, fd[0], max, came, &t->a, &e), 0);
	assert_int_equal(stream_new(&t->b.stream, t->loop, fd[1], max, came, &t->b, &e), 0);
}

static void disconnect_two(struct two *t)
{
	stream_free(t->a.stream);
	stream_free(t->b.stream);
	loop_free(t->loop);
}

static void turns(struct loop *l, int n)
{
	while (n--)
		loop_turn(l, 0);
}

static void messages_arrive_whole_and_in_order(void **state)
{
	auto_free char *big = mem_zero(3000000);
	struct two t;
	struct err e;

	connect_two(&t, 4000000);
	memset(big, 'x', 3000000);
	assert_int_equal(stream_send(t.a.stream, "one", 3, NULL, &e), 0);
	assert_int_equal(stream_send(t.a.stream, "", 0, NULL, &e), 0);
	assert_int_equal(stream_send(t.a.stream, big, 3000000, NULL, &e), 0);
	assert_int_equal(stream_send(t.a.stream, "last", 4, NULL, &e), 0);
	turns(t.loop, 2000);
	assert_int_equal(t.b.messages, 4);
	assert_int_equal(t.b.bytes, 3000007);
	assert_string_equal(t.b.last, "last");
	assert_int_equal(stream_send(t.a.stream, big, 4000001, NULL, &e), -1);
	assert_int_equal(e.kind, ERRK_LIMIT);
	disconnect_two(&t);
}

static void descriptors_belong_to_their_message(void **state)
{
	struct two t;
	struct err e;
	int p[2], q[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(q), 0);
	assert_int_equal(write(p[1], "P", 1), 1);
	assert_int_equal(write(q[1], "Q", 1), 1);
	connect_two(&t, 1000);
	assert_int_equal(stream_send(t.a.stream, "none", 4, NULL, &e), 0);
	assert_int_equal(stream_send(t.a.stream, "-", 1, (int[]){p[0], -1}, &e), 0);
	turns(t.loop, 4);
	assert_int_equal(t.b.fds, 1);
	assert_string_equal(t.b.last, "P");
	assert_int_equal(stream_send(t.a.stream, "-", 1, (int[]){q[0], p[1], -1}, &e), 0);
	assert_int_equal(stream_send(t.a.stream, "plain", 5, NULL, &e), 0);
	turns(t.loop, 4);
	assert_int_equal(t.b.fds, 3);
	assert_string_equal(t.b.last, "plain");
	assert_int_equal(stream_send(t.a.stream, "-", 1, (int[]){0, 0, 0, 0, 0, -1}, &e), -1);
	disconnect_two(&t);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void the_end_of_the_other_side_is_told_once(void **state)
{
	struct two t;
	struct err e;

	connect_two(&t, 1000);
	assert_int_equal(stream_send(t.a.stream, "bye", 3, NULL, &e), 0);
	stream_free(t.a.stream);
	t.a.stream = NULL;
	turns(t.loop, 5);
	assert_string_equal(t.b.last, "bye");
	assert_int_equal(t.b.gone, 1);
	disconnect_two(&t);
}

static void a_stream_may_be_freed_by_its_own_message(void **state)
{
	struct two t;
	struct err e;

	connect_two(&t, 1000);
	t.b.free_on_message = true;
	assert_int_equal(stream_send(t.a.stream, "1", 1, NULL, &e), 0);
	assert_int_equal(stream_send(t.a.stream, "2", 1, NULL, &e), 0);
	turns(t.loop, 5);
	assert_int_equal(t.b.messages, 1);
	assert_int_equal(t.b.gone, 0);
	assert_int_equal(t.a.gone, 1);
	disconnect_two(&t);
}

static void a_length_beyond_the_cap_closes(void **state)
{
	struct loop *l AUTO(loop_free) = NULL;
	struct end x = {0};
	struct err e;
	int fd[2];

	assert_int_equal(loop_new(&l, &e), 0);
	x.loop = l;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(stream_new(&x.stream, l, fd[0], 100, came, &x, &e), 0);
	assert_int_equal(write(fd[1], "\x65\0\0\0", 4), 4);
	turns(l, 3);
	assert_int_equal(x.gone, 1);
	assert_int_equal(x.messages, 0);
	close(fd[1]);
}

static void blocking_ends_speak_the_same(void **state)
{
	auto_buf struct buf got = BUF(100);
	int fd[2], fds[STREAM_MAX_FDS + 1];
	struct err e;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(stream_write_blocking(fd[0], "hello", 5, (int[]){0, 1, -1}, &e), 0);
	assert_int_equal(stream_read_blocking(fd[1], &got, fds, 1000, &e), 0);
	assert_string_equal(got.p, "hello");
	assert_true(fds[0] > 2 && fds[1] > 2 && fds[2] == -1);
	close(fds[0]);
	close(fds[1]);
	buf_reset(&got);
	assert_int_equal(stream_read_blocking(fd[1], &got, fds, 10, &e), -1);
	assert_int_equal(e.kind, ERRK_PEER);
	close(fd[0]);
	assert_int_equal(stream_read_blocking(fd[1], &got, NULL, 1000, &e), 1);
	close(fd[1]);
}

static void accepted(void *ctx, int fd)
{
	*(int *)ctx = fd;
}

static void a_listener_replaces_a_dead_socket_only(void **state)
{
	struct loop *l AUTO(loop_free) = NULL;
	struct listener *a = NULL, *b = NULL;
	char folder[] = "/tmp/leased-test-XXXXXX";
	auto_free char *path = NULL;
	struct sockaddr_un dead = {.sun_family = AF_UNIX};
	int got = -1, fd = -1;
	struct stat st;
	struct err e;

	assert_non_null(mkdtemp(folder));
	path = mem_printf("%s/s", folder);
	assert_int_equal(loop_new(&l, &e), 0);
	assert_int_equal(listener_new(&a, l, path, 0660, accepted, &got, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(listener_new(&b, l, path, 0600, accepted, &got, &e), -1);
	assert_int_equal(e.kind, ERRK_STATE);
	turns(l, 2); /* that was the probe */
	close(got);
	assert_int_equal(unix_connect(&fd, path, &e), 0);
	turns(l, 2);
	assert_true(got >= 0);
	close(got);
	close(fd);
	listener_free(a);
	assert_int_equal(stat(path, &st), -1);

	/* what a killed process leaves behind: a bound path that nobody listens on */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(dead.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&dead, sizeof(dead)), 0);
	close(fd);
	assert_int_equal(listener_new(&a, l, path, 0600, accepted, &got, &e), 0);
	listener_free(a);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_whole_and_in_order),
		cmocka_unit_test(descriptors_belong_to_their_message),
		cmocka_unit_test(the_end_of_the_other_side_is_told_once),
		cmocka_unit_test(a_stream_may_be_freed_by_its_own_message),
		cmocka_unit_test(a_length_beyond_the_cap_closes),
		cmocka_unit_test(blocking_ends_speak_the_same),
		cmocka_unit_test(a_listener_replaces_a_dead_socket_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
