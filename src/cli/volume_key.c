/* Keys of volumes: see volume_key.h. */
#include "cli/volume_key.h"

#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/secret.h"
#include "crypto/hash.h"

#define KEY_BYTES (LEASE_VOLUME_KEY_HEX / 2)
#define FILE_MAX  256

int volume_key_parse(char out[static LEASE_VOLUME_KEY_HEX + 1], struct str text, struct err *e)
{
	struct str line = str_trim(text);

	if (!hex_is(line, KEY_BYTES))
		return err_set(e, ERRK_INPUT,
			       "want %d lower-case hex characters, as from: openssl rand -hex %d",
			       LEASE_VOLUME_KEY_HEX, KEY_BYTES);
	memcpy(out, line.p, line.n);
	out[line.n] = '\0';
	return 0;
}

int volume_key_read(char out[static LEASE_VOLUME_KEY_HEX + 1], const char *file, struct err *e)
{
	auto_buf struct buf text = BUF(FILE_MAX);
	int r = strcmp(file, "-") == 0 ? fs_read_fd(&text, STDIN_FILENO, "standard input", e)
				       : fs_read(&text, file, e);

	if (r)
		return r < 0 ? -1 : err_set(e, ERRK_INPUT, "there is no %s", file);
	r = volume_key_parse(out, buf_view(&text), e);
	wipe(text.p, text.n);
	return r;
}

void volume_key_derive(char out[static LEASE_VOLUME_KEY_HEX + 1], const struct app *a,
		       const char *request_id)
{
	static const char LABEL[] = "lease volume key 1";
	uint8_t prk[32], info[sizeof(LABEL) + LEASE_REQUEST_ID_HEX] = {0};
	auto_secret struct secret key;

	memcpy(info, LABEL, sizeof(LABEL));
	memcpy(info + sizeof(LABEL), request_id, strnlen(request_id, LEASE_REQUEST_ID_HEX));
	hkdf_extract(prk, "lease", 5, a->seed.b, sizeof(a->seed.b));
	hkdf_expand(key.b, sizeof(key.b), prk, info, sizeof(info));
	hex_encode(out, key.b, sizeof(key.b));
	wipe(prk, sizeof(prk));
}
