/*
 * The wire protocol of leased, version 1: names and limits that other programs need. The text of
 * the messages is in lease-protocol(7).
 */
#ifndef LEASE_PROTOCOL_H
#define LEASE_PROTOCOL_H

#define LEASE_PROTOCOL_VERSION 1

/* Nostr event kinds (NIP-01 ranges: 30000-39999 addressable, 10000-19999 replaceable). */
#define LEASE_KIND_OFFER     38402 /* one event an offer, d = the offer's name */
#define LEASE_KIND_HOUR	     38403 /* one event an hour, d = hours since 1970 */
#define LEASE_KIND_HEARTBEAT 10402
#define LEASE_KIND_REQUEST   24402 /* rumor inside a NIP-59 wrap */
/* In the words that answer a payment message which was refused, one of: */
#define LEASE_WORDS_KEPT    "The money was not taken"
#define LEASE_WORDS_NOTHING "Nothing was added"
#define LEASE_KIND_REPLY    24403 /* rumor inside a NIP-59 wrap */
#define LEASE_KIND_RECEIPT  2402  /* signed, handed over in a reply, never published by us */

#define LEASE_TAG_TOPIC "leased" /* ["t", "leased"] on offers and heartbeats */

#define LEASE_REQUEST_MAX    49152 /* bytes of a request's JSON */
#define LEASE_TOKEN_MAX	     32768 /* bytes of a token's text inside a request */
#define LEASE_PROOFS_MAX     64
#define LEASE_RELEASE_MAX    256  /* signatures in a release: more proofs fit no request */
#define LEASE_AUTH_MAX	     8192 /* bytes of registry_auth */
#define LEASE_RECEIPT_MAX    8192 /* bytes of a receipt: an event's JSON */
#define LEASE_ID_HEX	     16	  /* characters of a lease id */
#define LEASE_REQUEST_ID_HEX 32
#define LEASE_VOLUME_KEY_HEX 64	     /* 256 bits */
#define LEASE_PIECE_MAX	     8192    /* bytes of one piece of output in a reply */
#define LEASE_OUTPUT_MAX     1048576 /* bytes of output of one exec or logs request */
#define LEASE_INPUT_MAX	     1048576 /* bytes of input of one exec or of one copied file */
#define LEASE_EXEC_MAX	     3600    /* seconds that a command in a lease may take */
#define LEASE_EXPIRES_MAX    900     /* seconds that a request may live */
#define LEASE_PRICE_HOLD     600     /* seconds that a replaced offer's price still holds */
#define LEASE_HEARTBEAT_S    60
#define LEASE_TOPUP_MARGIN   10 /* seconds before expiry after which a top-up is refused */

#endif
