/* Rows of published ports, and of what each lease was seen as from outside, for abuse mails. */
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "lease/ports.h"

/* --- published ports --- */

int ports_load(struct db *d, struct lease *l, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT inside,outside,protocol,address FROM lease_port"
			    " WHERE lease = ? AND state <> ? ORDER BY inside, protocol, outside");
	int rc;

	l->nports = 0;
	db_bind_text(s, 1, str_of(l->id));
	db_bind_i64(s, 2, PORT_LEAVING);
	while ((rc = db_step(s, e)) == DB_ROW && l->nports < SPEC_PORTS_MAX) {
		struct str address = db_text(s, 3);

		l->ports[l->nports++] =
			(struct spec_port){(uint16_t)db_i64(s, 0), (uint16_t)db_i64(s, 1),
					   db_i64(s, 2) == SPEC_UDP ? SPEC_UDP : SPEC_TCP};
		memset(l->address, 0, sizeof(l->address));
		if (address.n > 0 && address.n < sizeof(l->address))
			memcpy(l->address, address.p, address.n);
	}
	return rc < 0 ? -1 : 0;
}

/* PORTS_REFUSED: it is somebody's. */
static int insert(struct tx *tx, const char *lease, const struct ports_range *range,
		  const struct spec_port *p, struct err *e)
{
	struct stmt *s = tx_write(tx, "INSERT INTO lease_port(lease,inside,outside,protocol,state,"
				      "address) VALUES(?,?,?,?,?,?) ON CONFLICT DO NOTHING");
	int changed = 0;

	db_bind_text(s, 1, str_of(lease));
	db_bind_i64(s, 2, p->inside);
	db_bind_i64(s, 3, p->outside);
	db_bind_i64(s, 4, p->protocol);
	db_bind_i64(s, 5, PORT_COMING);
	db_bind_text(s, 6, str_of(range->address));
	if (tx_run(s, &changed, e))
		return -1;
	return changed == 1 ? 0 : PORTS_REFUSED;
}

/* Any that is free: from a random one on, so that a port is not soon another's. */
static int insert_any(struct tx *tx, const char *lease, const struct ports_range *range,
		      struct spec_port *p, struct err *e)
{
	uint32_t n = range->last - range->first + 1u, from = (uint32_t)rand_below(n);
	int rc = PORTS_REFUSED;

	for (uint32_t i = 0; i < n && rc == PORTS_REFUSED; i++) {
		p->outside = (uint16_t)(range->first + (from + i) % n);
		rc = insert(tx, lease, range, p, e);
	}
	if (rc == PORTS_REFUSED)
		err_set(e, ERRK_LIMIT, "ports: none is free");
	return rc;
}

static int reserve_named(struct tx *tx, const char *lease, const struct ports_range *range,
			 const struct spec_port *p, struct err *e)
{
	int rc;

	if (p->outside < range->first || p->outside > range->last) {
		err_set(e, ERRK_DENIED, "ports: %u is not offered; this provider has %u to %u",
			p->outside, range->first, range->last);
		return PORTS_REFUSED;
	}
	rc = insert(tx, lease, range, p, e);
	if (rc == PORTS_REFUSED)
		err_set(e, ERRK_DENIED, "ports: %u/%s is taken; leave it out for any that is free",
			p->outside, p->protocol == SPEC_UDP ? "udp" : "tcp");
	return rc;
}

static int count_rows(struct tx *tx, const char *lease, int64_t *out, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(tx_db(tx), "SELECT count(*) FROM lease_port WHERE lease = ?");

	db_bind_text(s, 1, str_of(lease));
	if (db_step(s, e) != DB_ROW)
		return -1;
	*out = db_i64(s, 0);
	return 0;
}

int ports_reserve(struct tx *tx, const char *lease, const struct ports_range *range,
		  struct spec_ports *ports, struct err *e)
{
	int64_t have = 0;
	int rc = 0;

	if (ports->n == 0)
		return 0;
	if (range->first == 0) {
		err_set(e, ERRK_DENIED, "ports: this provider does not offer published ports");
		return PORTS_REFUSED;
	}
	if (count_rows(tx, lease, &have, e) < 0)
		return -1;
	if ((uint64_t)have + ports->n > SPEC_PORTS_MAX) {
		err_set(e, ERRK_LIMIT, "ports: more than %d", SPEC_PORTS_MAX);
		return PORTS_REFUSED;
	}
	/* Those that were named first, so that no chosen one is in their way. */
	for (size_t i = 0; i < ports->n && rc == 0; i++)
		if (ports->v[i].outside)
			rc = reserve_named(tx, lease, range, &ports->v[i], e);
	for (size_t i = 0; i < ports->n && rc == 0; i++)
		if (!ports->v[i].outside)
			rc = insert_any(tx, lease, range, &ports->v[i], e);
	return rc;
}

int ports_leave(struct tx *tx, const char *lease, const struct spec_port *p, struct err *e)
{
	struct stmt *s =
		tx_write(tx, "UPDATE lease_port SET state = ?1 WHERE lease = ?2 AND"
			     " inside = ?3 AND protocol = ?4 AND (outside = ?5 OR ?5 = 0)");
	int changed = 0;

	db_bind_i64(s, 1, PORT_LEAVING);
	db_bind_text(s, 2, str_of(lease));
	db_bind_i64(s, 3, p->inside);
	db_bind_i64(s, 4, p->protocol);
	db_bind_i64(s, 5, p->outside);
	if (tx_run(s, &changed, e))
		return -1;
	return changed > 0 ? 0 : PORTS_REFUSED;
}

/* Rows of one state go over into another, or go. */
static int turn(struct tx *tx, const char *lease, enum port_state from, enum port_state to,
		struct err *e)
{
	struct stmt *s =
		tx_write(tx, "UPDATE lease_port SET state = ? WHERE lease = ? AND state = ?");

	db_bind_i64(s, 1, to);
	db_bind_text(s, 2, str_of(lease));
	db_bind_i64(s, 3, from);
	return tx_run(s, NULL, e) ? -1 : 0;
}

static int drop(struct tx *tx, const char *lease, enum port_state state, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM lease_port WHERE lease = ? AND state = ?");

	db_bind_text(s, 1, str_of(lease));
	db_bind_i64(s, 2, state);
	return tx_run(s, NULL, e) ? -1 : 0;
}

int ports_done(struct tx *tx, const struct lease *l, struct err *e)
{
	struct stmt *s = tx_write(
		tx, "INSERT INTO net_use(lease,author,what,protocol,first,last,address,from_at)"
		    " SELECT lease, ?1, ?2, protocol, outside, outside, '', ?3 FROM lease_port"
		    " WHERE lease = ?4 AND state = ?5");

	db_bind_blob(s, 1, l->author.b, sizeof(l->author.b));
	db_bind_i64(s, 2, NET_USE_PUBLISHED);
	db_bind_i64(s, 3, clock_wall());
	db_bind_text(s, 4, str_of(l->id));
	db_bind_i64(s, 5, PORT_COMING);
	if (tx_run(s, NULL, e))
		return -1;
	s = tx_write(tx,
		     "UPDATE net_use SET until_at = ?1 WHERE lease = ?2 AND what = ?3 AND"
		     " until_at = 0 AND EXISTS (SELECT 1 FROM lease_port p WHERE p.lease = ?2"
		     " AND p.outside = first AND p.protocol = net_use.protocol AND p.state = ?4)");
	db_bind_i64(s, 1, clock_wall());
	db_bind_text(s, 2, str_of(l->id));
	db_bind_i64(s, 3, NET_USE_PUBLISHED);
	db_bind_i64(s, 4, PORT_LEAVING);
	if (tx_run(s, NULL, e))
		return -1;
	return turn(tx, l->id, PORT_COMING, PORT_HELD, e) < 0 ? -1
							      : drop(tx, l->id, PORT_LEAVING, e);
}

int ports_undo(struct tx *tx, const char *lease, struct err *e)
{
	return turn(tx, lease, PORT_LEAVING, PORT_HELD, e) < 0 ? -1
							       : drop(tx, lease, PORT_COMING, e);
}

int ports_release(struct tx *tx, const char *lease, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM lease_port WHERE lease = ?");

	db_bind_text(s, 1, str_of(lease));
	if (tx_run(s, NULL, e))
		return -1;
	s = tx_write(tx, "UPDATE net_use SET until_at = ? WHERE lease = ? AND until_at = 0");
	db_bind_i64(s, 1, clock_wall());
	db_bind_text(s, 2, str_of(lease));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int ports_set_address(struct tx *tx, const char *address, struct err *e)
{
	struct stmt *s = tx_write(tx, "UPDATE lease_port SET address = ?1 WHERE address <> ?1");

	db_bind_text(s, 1, str_of(address));
	return tx_run(s, NULL, e) ? -1 : 0;
}

int ports_pending(struct db *d, const char *lease, struct err *e)
{
	auto_stmt struct stmt *s =
		db_query(d, "SELECT 1 FROM lease_port WHERE lease = ? AND state <> ?");
	int rc;

	db_bind_text(s, 1, str_of(lease));
	db_bind_i64(s, 2, PORT_HELD);
	rc = db_step(s, e);
	return rc < 0 ? -1 : rc == DB_ROW;
}

/* --- who it was --- */

int net_use_add(struct tx *tx, const struct lease *l, const struct net_use *u, struct err *e)
{
	struct stmt *s = tx_write(
		tx, "INSERT INTO net_use(lease,author,what,protocol,first,last,address,from_at)"
		    " VALUES(?,?,?,?,?,?,?,?)");

	db_bind_text(s, 1, str_of(l->id));
	db_bind_blob(s, 2, l->author.b, sizeof(l->author.b));
	db_bind_i64(s, 3, u->what);
	db_bind_i64(s, 4, u->protocol);
	db_bind_i64(s, 5, u->first);
	db_bind_i64(s, 6, u->last);
	db_bind_text(s, 7, str_of(u->address));
	db_bind_i64(s, 8, u->from);
	return tx_run(s, NULL, e) ? err_wrap(e, "lease %s", l->id) : 0;
}

int net_use_prune(struct tx *tx, int64_t before, struct err *e)
{
	struct stmt *s = tx_write(tx, "DELETE FROM net_use WHERE until_at > 0 AND until_at < ?");

	db_bind_i64(s, 1, before);
	return tx_run(s, NULL, e) ? -1 : 0;
}

static void read_use(struct net_use *u, struct stmt *s)
{
	struct str lease = db_text(s, 0), author = db_blob(s, 1), address = db_text(s, 6);

	*u = (struct net_use){.what = (enum net_use_what)db_i64(s, 2),
			      .protocol = (int)db_i64(s, 3),
			      .first = (uint16_t)db_i64(s, 4),
			      .last = (uint16_t)db_i64(s, 5),
			      .from = db_i64(s, 7),
			      .until = db_i64(s, 8)};
	if (lease.n == LEASE_ID_HEX)
		memcpy(u->lease, lease.p, lease.n);
	if (author.n == sizeof(u->author.b))
		memcpy(u->author.b, author.p, author.n);
	if (address.n > 0 && address.n < sizeof(u->address))
		memcpy(u->address, address.p, address.n);
}

int net_use_each(struct db *d, const struct net_use_ask *ask,
		 void (*fn)(void *ctx, const struct net_use *u), void *ctx, struct err *e)
{
	auto_stmt struct stmt *s = db_query(
		d, "SELECT lease,author,what,protocol,first,last,address,from_at,until_at"
		   " FROM net_use WHERE from_at <= ?1 AND (until_at = 0 OR until_at >= ?1)"
		   " AND (?2 = 0 OR ?2 BETWEEN first AND last) AND (?3 = '' OR address = ?3)"
		   " AND (?4 < 0 OR protocol < 0 OR protocol = ?4) ORDER BY from_at");
	struct net_use u;
	int rc;

	db_bind_i64(s, 1, ask->at);
	db_bind_i64(s, 2, ask->port);
	db_bind_text(s, 3, str_of(ask->address));
	db_bind_i64(s, 4, ask->protocol);
	while ((rc = db_step(s, e)) == DB_ROW) {
		read_use(&u, s);
		fn(ctx, &u);
	}
	return rc;
}
