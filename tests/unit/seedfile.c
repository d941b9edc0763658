/* Sealed seeds: a key file, a passphrase, and every way that it must not open. */
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "crypto/bip39.h"
#include "crypto/kdf.h"
#include "crypto/seedfile.h"

static const char words[] = "abandon abandon abandon abandon abandon abandon abandon abandon "
			    "abandon abandon abandon about";

struct files {
	char *seed, *key;
};

static struct files files(void **state, const char *name)
{
	return (struct files){mem_printf("%s/%s.sealed", (char *)*state, name),
			      mem_printf("%s/%s.key", (char *)*state, name)};
}

static void gone(struct files *f)
{
	free(f->seed);
	free(f->key);
}

static void put(const char *path, const char *text)
{
	struct err e;

	assert_int_equal(fs_write(path, text, strlen(text), 0600, &e), 0);
}

static int words_of(struct files *f, struct buf *out, struct err *e)
{
	return seedfile_words(out, &(struct seedfile){f->seed, f->key}, e);
}

static void comes_back(void **state)
{
	struct files f = files(state, "a");
	const struct seedfile s = {f.seed, f.key};
	auto_buf struct buf got = BUF(512), file = BUF(4096);
	struct seed want, seed;
	struct stat st;
	struct err e;

	assert_int_equal(words_of(&f, &got, &e), SEEDFILE_NONE);
	assert_int_equal(seedfile_create(&s, str_of(words), &e), 0);
	assert_int_equal(words_of(&f, &got, &e), 0);
	assert_view(got, words);
	assert_int_equal(seedfile_load(&seed, &s, &e), 0);
	assert_int_equal(bip39_seed(&want, str_of(words), &e), 0);
	assert_memory_equal(&seed, &want, sizeof(seed));
	assert_int_equal(stat(f.seed, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(f.key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fs_read(&file, f.seed, &e), 0);
	assert_null(strstr(file.p, "abandon"));
	/* never a second one over it */
	assert_int_equal(seedfile_create(&s, str_of(words), &e), -1);
	assert_int_equal(e.sys, EEXIST);
	gone(&f);
}

static void passphrase_opens(void **state)
{
	struct files f = files(state, "b");
	auto_buf struct buf got = BUF(512);
	struct err e;

	put(f.key, "correct horse battery staple\n");
	assert_int_equal(seedfile_create(&(struct seedfile){f.seed, f.key}, str_of(words), &e), 0);
	assert_int_equal(words_of(&f, &got, &e), 0);
	assert_view(got, words);
	put(f.key, "correct horse battery stable\n");
	assert_int_equal(words_of(&f, &got, &e), -1);
	assert_non_null(strstr(e.msg, "does not open it"));
	gone(&f);
}

static void does_not_open(void **state)
{
	struct files f = files(state, "c");
	auto_buf struct buf got = BUF(512);
	struct err e;

	assert_int_equal(seedfile_create(&(struct seedfile){f.seed, f.key}, STR("one two"), &e),
			 -1);
	assert_false(fs_exists(f.seed));
	assert_int_equal(seedfile_create(&(struct seedfile){f.seed, f.key}, str_of(words), &e), 0);
	assert_int_equal(chmod(f.key, 0644), 0);
	assert_int_equal(words_of(&f, &got, &e), -1);
	assert_non_null(strstr(e.msg, "others can read it"));
	assert_int_equal(unlink(f.key), 0);
	assert_int_equal(words_of(&f, &got, &e), -1);
	assert_non_null(strstr(e.msg, "is missing"));
	put(f.key, "0000000000000000000000000000000000000000000000000000000000000001");
	assert_int_equal(words_of(&f, &got, &e), -1);
	put(f.seed, "leased-seed-1 00 zz");
	assert_int_equal(words_of(&f, &got, &e), -1);
	assert_non_null(strstr(e.msg, "damaged"));
	put(f.seed, words);
	assert_int_equal(words_of(&f, &got, &e), -1);
	assert_non_null(strstr(e.msg, "not a sealed seed"));
	assert_int_equal(got.n, 0);
	gone(&f);
}

/* Fixed, so that a file of today opens with the program of next year. */
static void derivation_is_pinned(void **state)
{
	const uint8_t salt[KDF_SALT] = "0123456789abcdef";
	char hex[65];
	struct secret k;
	struct err e;

	assert_int_equal(kdf_passphrase(&k, STR("correct horse"), salt, &e), 0);
	hex_encode(hex, k.b, sizeof(k.b));
	assert_string_equal(hex,
			    "9ec337667748bad3305feca6105b66cf3b771c27617beb41bc952198c35bd2f5");
	assert_int_equal(kdf_passphrase(&k, STR(""), salt, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(passphrase_opens),
		cmocka_unit_test(does_not_open),
		cmocka_unit_test(derivation_is_pinned),
	};

	return cmocka_run_group_tests(tests, unit_folder, unit_folder_gone);
}
