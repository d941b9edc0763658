/*
 * The step table: every commit, wire step and helper step that changes what is owed to whom. Each
 * is one row here and one call of step_at() in the code, right after the thing has happened; that
 * is where tests kill the process, so a step cannot be forgotten. Append rows, never reuse a name.
 */
#ifndef BASE_STEP_H
#define BASE_STEP_H

#include "base/err.h"

enum step_kind { STEP_COMMIT, STEP_WIRE, STEP_HELPER };

#define STEP_TABLE(X)                                                                              \
	/* provider: a request */                                                                  \
	X(LEASE_ASKED, COMMIT, "the request is stored")                                            \
	X(LEASE_REFUSED, COMMIT, "the refusal, its release and its reply are stored")              \
	X(LEASE_PAYING, COMMIT, "the proofs are claimed and the swap's body is stored")            \
	X(LEASE_PAID, COMMIT, "the new proofs are stored")                                         \
	X(LEASE_RUNNING, COMMIT, "expiry and reply are stored")                                    \
	X(LEASE_STOPPING, COMMIT, "the lease is to end")                                           \
	X(LEASE_ENDED, COMMIT, "the erase record is stored")                                       \
	X(LEASE_TOPPED_UP, COMMIT, "the new expiry is stored")                                     \
	X(LEASE_REFUND_DUE, COMMIT, "a refund job is stored")                                      \
	X(LEASE_STARTED, HELPER, "the helper answered that the container runs")                    \
	X(LEASE_ERASED, HELPER, "the helper answered that everything is erased")                   \
	X(LEASE_REPLIED, WIRE, "a relay accepted the reply")                                       \
	/* wallet, both programs */                                                                \
	X(PLAN_SENT, WIRE, "the swap request is about to leave")                                   \
	X(PLAN_ANSWERED, WIRE, "the mint's answer was read")                                       \
	X(PLAN_SETTLED, COMMIT, "outputs are unblinded and stored")                                \
	X(PLAN_DEAD, COMMIT, "a plan that can never land is closed")                               \
	X(QUOTE_STORED, COMMIT, "a mint quote is stored")                                          \
	X(QUOTE_PLANNED, COMMIT, "outputs for a paid quote are stored")                            \
	X(REFUND_ASKED, WIRE, "the mint said whether it signed this refund before")                \
	X(REFUND_PLANNED, COMMIT, "a refund's proofs are reserved and its swap is stored")         \
	X(REFUND_MADE, COMMIT, "the refund's token is stored")                                     \
	X(REFUND_TAKEN, COMMIT, "the refund was spent by its owner and is forgotten")              \
	X(MELT_PLANNED, COMMIT, "a payment is stored with its inputs and the exact request")       \
	X(MELT_SENT, WIRE, "the payment request is about to leave")                                \
	X(MELT_ANSWERED, WIRE, "the mint's answer to it was read")                                 \
	X(MELT_SETTLED, COMMIT, "what was paid and what came back are stored")                     \
	X(TOKEN_STORED, COMMIT, "proofs of ours became an outgoing token without a swap")          \
	/* buyer */                                                                                \
	X(ORDER_MEANT, COMMIT, "what a token will be for is stored before it is made")             \
	X(ORDER_STORED, COMMIT, "request and token are stored before they are sent")               \
	X(ORDER_SENT, WIRE, "a relay accepted the request")                                        \
	X(ORDER_ANSWERED, COMMIT, "the provider's answer is stored")                               \
	X(ORDER_RELEASED, COMMIT, "a released token is back in the wallet")                        \
	X(ORDER_REFUND_STORED, COMMIT, "a refund's token is stored before it is received")         \
	X(ORDER_REFUNDED, COMMIT, "a refund is back in the wallet")                                \
	/* helper and keeper */                                                                    \
	X(VOLUME_CREATED, HELPER, "backing file and header exist")                                 \
	X(VOLUME_OPENED, HELPER, "the volume is mounted")                                          \
	X(KEEPER_STARTED, HELPER, "the keeper runs")                                               \
	X(BOX_CREATED, HELPER, "the runtime created the container")                                \
	X(BOX_STARTED, HELPER, "the container's process runs")                                     \
	X(BESIDE_SEATED, HELPER, "a container beside the lease's main one has its place")          \
	X(BESIDE_MOUNTED, HELPER, "its root is mounted")                                           \
	X(BESIDE_RUNS, HELPER, "its process runs")                                                 \
	X(BOX_KILLED, HELPER, "the cgroup is empty")                                               \
	X(VOLUME_CLOSED, HELPER, "unmounted, mapper and loop device gone")                         \
	X(VOLUME_ERASED, HELPER, "header and file are gone")                                       \
	X(VOLUME_PAYLOAD, HELPER, "the backing file exists")                                       \
	X(VOLUME_KEY, HELPER, "the key exists, on tmpfs")                                          \
	X(VOLUME_SERVED, HELPER, "the disk server runs and is recorded")                           \
	X(VOLUME_ATTACHED, HELPER, "loop device and mapper exist")                                 \
	X(VOLUME_FORMATTED, HELPER, "the file system exists")                                      \
	X(VOLUME_GROWING, HELPER, "the file system is marked as one that may be half grown")       \
	X(VOLUME_GROWN, HELPER, "the file system is as large as it shall be")                      \
	X(VOLUME_UNMOUNTED, HELPER, "the file system is not mounted any more")                     \
	X(VOLUME_DETACHED, HELPER, "loop device and mapper are gone")                              \
	X(VOLUME_SLOTS_GONE, HELPER, "the key slots are overwritten")                              \
	X(VOLUME_HEADER_GONE, HELPER, "header and key are gone")                                   \
	X(VOLUME_DISCARDED, HELPER, "the payload's blocks are given back")                         \
	/* provider: a lease that is halted, and runs again */                                     \
	X(LEASE_HALTING, COMMIT, "the lease is to be halted")                                      \
	X(LEASE_HALTED, COMMIT, "it is halted, and its owner is told")                             \
	X(LEASE_RESUMING, COMMIT, "the lease is to run again")                                     \
	X(LEASE_RESUMED, COMMIT, "it runs again, and its owner is told")                           \
	X(LEASE_GROWING, COMMIT, "a larger disk is stored as a wish; the host does not know")      \
	X(LEASE_GROWN, COMMIT, "the host has made it, and the lease's price and end say so")       \
	X(LEASE_PORTS_ASKED, COMMIT, "ports are to come and to go; the host does not know")        \
	X(LEASE_PORTS, COMMIT, "the host has them, and history says so")                           \
	/* image store */                                                                          \
	X(IMAGE_HELD, HELPER, "what a pull brings is held against eviction")                       \
	X(IMAGE_UNPACKED, HELPER, "a layer is unpacked, not yet in its place")                     \
	X(IMAGE_LAYER_ADDED, HELPER, "the layer is in its place")                                  \
	X(IMAGE_ADDED, HELPER, "the image's record is written")                                    \
	X(IMAGE_TAKEN, HELPER, "the image is the lease's")                                         \
	X(IMAGE_FORGOTTEN, HELPER, "an image's record is gone, its layers are not")                \
	X(IMAGE_LAYER_DROPPED, HELPER, "a layer left its place and is to be removed")              \
	X(IMAGE_COPIED, HELPER, "a layer's private copy is made, not yet in its place")            \
	X(IMAGE_COPY_DROPPED, HELPER, "a copy of another image left its place, to be removed")     \
	X(STORAGE_FILLED, HELPER, "a volume has what the image has there, not yet its name")       \
	X(LEASE_RESTARTING, COMMIT, "a command failed; that it runs again is counted")             \
	X(STORAGE_LENT, HELPER, "who uses another lease's volume is noted, nothing is mounted")    \
	X(STORAGE_RECALLED, HELPER, "nobody uses a lease's volumes any more")                      \
	X(VOLUME_KEPT, HELPER, "a volume that outlives leases is open and has its folder")         \
	X(SNAPSHOT_COPIED, HELPER, "a snapshot is whole, without its name")                        \
	X(SNAPSHOT_RESTORED, HELPER, "a snapshot is in place of what the volume had")              \
	X(SNAPSHOT_DROPPED, HELPER, "a snapshot has no name any more, but its files")              \
	X(ROOT_SAVED, HELPER, "what survives another image is out of the root")                    \
	X(ROOT_DROPPED, HELPER, "the root of the image before is gone")                            \
	X(VOLUME_UNLOCKED, HELPER, "the buyer's key is in memory again, nothing is open")

enum step {
#define X(name, kind, text) STEP_##name,
	STEP_TABLE(X)
#undef X
		STEP_COUNT
};

const char *step_name(enum step s); /* "LEASE_PAID" */
const char *step_text(enum step s);
enum step_kind step_kind(enum step s);

/* Tests only: "NAME[:N]" kills the process with SIGKILL at the N-th passing (default 1). */
int step_arm(const char *spec, struct err *e) MUST_CHECK;
/* Tests only: called at every passing, before the kill; NULL: nobody. */
typedef void step_fn(enum step s);
void step_watch(step_fn *fn);
void step_at(enum step s);

#endif
