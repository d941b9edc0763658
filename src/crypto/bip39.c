#include "crypto/bip39.h"

#include "crypto/bip39_words.h"
#include "crypto/hash.h"

enum { LIST_SIZE = 2048, WORDS_MAX = 24, ENTROPY_MAX = 32, WORD_BITS = 11 };

static struct str word_at(unsigned index)
{
	struct str rest = str_of(bip39_words), word = {0};
	unsigned i;

	for (i = 0; i <= index; i++)
		str_cut(&rest, ' ', &word);
	return word;
}

/* LIST_SIZE where it is none of them. */
static unsigned index_of(struct str word)
{
	struct str rest = str_of(bip39_words), w;
	unsigned i;

	for (i = 0; i < LIST_SIZE && str_cut(&rest, ' ', &w); i++)
		if (str_eq(w, word))
			return i;
	return LIST_SIZE;
}

static unsigned bits_at(const uint8_t *p, size_t from, size_t n)
{
	unsigned v = 0;
	size_t i;

	for (i = from; i < from + n; i++)
		v = v << 1 | (p[i / 8] >> (7 - i % 8) & 1);
	return v;
}

static void put_bits(uint8_t *p, size_t from, unsigned v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v >> (n - 1 - i) & 1)
			p[(from + i) / 8] |= (uint8_t)(0x80 >> (from + i) % 8);
}

void bip39_new(struct buf *words)
{
	uint8_t entropy[17], hash[32];
	size_t i;

	rand_bytes(entropy, 16);
	sha256(hash, entropy, 16);
	entropy[16] = hash[0];
	for (i = 0; i < 12; i++) {
		if (i)
			buf_byte(words, ' ');
		buf_str(words, word_at(bits_at(entropy, i * WORD_BITS, WORD_BITS)));
	}
	wipe(entropy, sizeof(entropy));
	wipe(hash, sizeof(hash));
}

/* The bits of the words into `packed`; how many words there were in *count. */
static int pack_words(uint8_t packed[ENTROPY_MAX + 1], size_t *count, struct str words,
		      struct err *e)
{
	struct str word;
	unsigned index;

	for (*count = 0; str_cut(&words, ' ', &word); ++*count) {
		if (*count == WORDS_MAX)
			return err_set(e, ERRK_INPUT, "seed words: more than %d", WORDS_MAX);
		index = index_of(word);
		if (index == LIST_SIZE)
			return err_set(e, ERRK_INPUT, "seed words: word %zu is not in the list",
				       *count + 1);
		put_bits(packed, *count * WORD_BITS, index, WORD_BITS);
	}
	if (*count < 12 || *count % 3)
		return err_set(e, ERRK_INPUT, "seed words: %zu of them, not 12, 15, 18, 21 or 24",
			       *count);
	return 0;
}

int bip39_seed(struct seed *out, struct str words, struct err *e)
{
	uint8_t packed[ENTROPY_MAX + 1] = {0}, hash[32] = {0};
	size_t count, entropy_bits, check_bits;
	int done = -1;

	if (pack_words(packed, &count, words, e))
		goto out;
	check_bits = count * WORD_BITS / 33;
	entropy_bits = check_bits * 32;
	sha256(hash, packed, entropy_bits / 8);
	if (bits_at(hash, 0, check_bits) != bits_at(packed, entropy_bits, check_bits)) {
		err_set(e, ERRK_INPUT, "seed words: the checksum is wrong, a word was mistyped");
		goto out;
	}
	pbkdf2_sha512(out->b, words, STR("mnemonic"), 2048);
	done = 0;
out:
	wipe(packed, sizeof(packed));
	wipe(hash, sizeof(hash));
	return done;
}
