/* What the backends have in common about one box. */
#include "backend/backend.h"
#include "spec/guard.h"

size_t box_binds(struct oci_bind out[static BOX_BINDS], const struct box *box)
{
	size_t n = 0;

	if (box->probe)
		out[n++] = (struct oci_bind){box->probe, SPEC_PROBE, OCI_READ_ONLY};
	if (box->socket)
		out[n++] = (struct oci_bind){box->socket, SPEC_SOCKET, OCI_DATA};
	return n;
}
