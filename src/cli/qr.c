/* QR codes on a terminal: see qr.h. */
#include "cli/qr.h"

#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"

#define QUIET 4 /* light modules around it, as ISO 18004 wants */
#define LIGHT "\033[97;40m"
#define PLAIN "\033[0m"

static bool is_light(const QRcode *c, int x, int y)
{
	if (x < 0 || y < 0 || x >= c->width || y >= c->width)
		return true;
	return !(c->data[y * c->width + x] & 1);
}

/* One character is two modules, one above the other. */
static void draw_line(struct buf *out, const QRcode *c, int y)
{
	static const char *const blocks[] = {" ", "▄", "▀", "█"};

	buf_puts(out, LIGHT);
	for (int x = -QUIET; x < c->width + QUIET; x++)
		buf_puts(out, blocks[2 * is_light(c, x, y) + is_light(c, x, y + 1)]);
	buf_puts(out, PLAIN "\n");
}

int qr_draw(struct buf *out, size_t *columns, struct str text, struct err *e)
{
	auto_free char *s = mem_strndup(text.p, text.n);
	QRcode *c = QRcode_encodeString(s, 0, QR_ECLEVEL_L, QR_MODE_8, 0);

	if (!c)
		return err_sys(e, "QR code");
	*columns = (size_t)c->width + 2 * QUIET;
	for (int y = -QUIET; y < c->width + QUIET; y += 2)
		draw_line(out, c, y);
	QRcode_free(c);
	return buf_check(out, "QR code", e);
}

void qr_show(struct str text)
{
	auto_buf struct buf lines = BUF(256 << 10);
	struct winsize w = {0};
	size_t columns;

	if (!isatty(STDERR_FILENO) || qr_draw(&lines, &columns, text, NULL) < 0)
		return;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_col < columns)
		return;
	fwrite(lines.p, 1, lines.n, stderr);
}
