/* Files that the seed opens: whole, in order, by nobody else. */
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/sealed.h"

#define HEAD 47 /* magic and salt */

static const struct seed ours = {{1, 2, 3}}, theirs = {{1, 2, 4}};

static int memory(void)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Three pieces of four bytes: each of 5 + 28 + 4 in the file. */
#define PIECE 37

static void write_three(struct buf *file)
{
	static const char *const text[] = {"one1", "two2", "end3"};
	auto_sealed struct sealed s;
	auto_close int fd = memory();
	struct err e;

	assert_int_equal(sealed_begin(&s, fd, &ours, &e), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sealed_write(&s, str_of(text[i]), i == 2, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	*file = BUF(65536);
	assert_int_equal(fs_read_fd(file, fd, "it", &e), 0);
	assert_int_equal(file->n, HEAD + 3 * PIECE);
}

/* 0 where all of it is good. */
static int read_all(struct buf *out, struct str file, const struct seed *seed)
{
	auto_sealed struct sealed s;
	auto_close int fd = memory();
	struct err e;
	int rc;

	assert_int_equal(fs_write_all(fd, file.p, file.n, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	rc = sealed_open(&s, fd, seed, &e);
	while (rc == 0)
		rc = sealed_read(&s, out, &e);
	return rc < 0 ? -1 : 0;
}

static void refused(struct str file)
{
	auto_buf struct buf out = BUF(65536);

	assert_int_equal(read_all(&out, file, &ours), -1);
}

static void what_is_written_is_read(void **state)
{
	auto_buf struct buf file = BUF(0), out = BUF(65536);

	(void)state;
	write_three(&file);
	assert_int_equal(read_all(&out, buf_view(&file), &ours), 0);
	assert_string_equal(out.p, "one1two2end3");
}

static void another_seed_opens_nothing(void **state)
{
	auto_buf struct buf file = BUF(0), out = BUF(65536);

	(void)state;
	write_three(&file);
	assert_int_equal(read_all(&out, buf_view(&file), &theirs), -1);
	assert_int_equal(out.n, 0);
}

static void every_cut_and_every_bit_is_found(void **state)
{
	auto_buf struct buf file = BUF(0);

	(void)state;
	write_three(&file);
	for (size_t n = 0; n < file.n; n++)
		refused((struct str){file.p, n});
	for (size_t i = 0; i < 8 * file.n; i++) {
		file.p[i / 8] = (char)(file.p[i / 8] ^ 1 << i % 8);
		refused(buf_view(&file));
		file.p[i / 8] = (char)(file.p[i / 8] ^ 1 << i % 8);
	}
	buf_byte(&file, 0);
	refused(buf_view(&file));
}

static void pieces_stay_where_they_are(void **state)
{
	auto_buf struct buf file = BUF(0), other = BUF(0), mixed = BUF(65536);
	char one[PIECE];

	(void)state;
	write_three(&file);
	write_three(&other);
	memcpy(one, file.p + HEAD, PIECE); /* the first two change places */
	memcpy(file.p + HEAD, file.p + HEAD + PIECE, PIECE);
	memcpy(file.p + HEAD + PIECE, one, PIECE);
	refused(buf_view(&file));
	buf_add(&mixed, other.p, HEAD + PIECE); /* one is left out */
	buf_add(&mixed, other.p + HEAD + 2 * PIECE, PIECE);
	refused(buf_view(&mixed));
	memcpy(other.p + HEAD, one, PIECE); /* one of another file of the same seed */
	refused(buf_view(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(another_seed_opens_nothing),
		cmocka_unit_test(every_cut_and_every_bit_is_found),
		cmocka_unit_test(pieces_stay_where_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
