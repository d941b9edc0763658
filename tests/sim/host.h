/* A host that does what its script says: the helper's side of the socket, without containers. */
#ifndef TESTS_SIM_HOST_H
#define TESTS_SIM_HOST_H

#include "priv/server.h"

enum host_start { HOST_RUNS, HOST_FAILS, HOST_SILENT, HOST_ERRS };

struct host {			     /* the script, and what was asked */
	uint64_t volume_bytes;	     /* of the last that was to grow … */
	bool grow_refused;	     /* … which it does not … */
	unsigned grow_errors, grows; /* … or fails so often */
	struct priv_server *server;
	enum host_start start;
	enum priv_image_outcome image;
	char newest;	       /* last digit of what every image means now; 0: f */
	char started;	       /* … of what was started last */
	enum spec_pull pull;   /* of the last question for an image */
	size_t nauth;	       /* bytes of credentials in it */
	unsigned start_errors; /* so many starts fail as a dead worker does, then `start` */
	unsigned not_erased;   /* so many destroys leave something, then all is erased */
	enum priv_state inspect;
	enum priv_why why;    /* of an inspected one that stopped … */
	unsigned exit_status; /* … and its status */
	unsigned stop_errors, inspect_errors;
	bool away;			/* what runs the offer's leases */
	bool cold;			/* the offer's image is not in the store */
	bool silent_exec, silent_image; /* never answered */
	bool silent_check;		/* the same */
	unsigned check_status;		/* of every check of health … */
	bool check_errs;		/* … or a dead worker */
	unsigned checks;		/* those that were asked for */
	char checked[32];		/* last argument of the last one */
	unsigned images, looks, execs, stops, signals;
	unsigned signal, generation, grace_ms; /* the last that was asked for */
	char command[PRIV_EXEC_LEN + 1];       /* the last signal's; of an exec: its name */
	uint8_t first_input, last_input;       /* of the last exec … */
	size_t input_n;			       /* … and how much there was */
	unsigned snapshots;		       /* how often one was asked for */
	bool detach;
	char template[SPEC_TEMPLATE_NAME_MAX + 1],
		env[128];		 /* of the last start's spec, the first of it */
	char ran[64], paths[128];	 /* the same: its image, and where what is mounted */
	char kept[SPEC_NAME_MAX + 1];	 /* the same */
	char first_arg[32];		 /* of the last start's spec */
	struct spec_bandwidth bandwidth; /* the same */
	uint64_t inodes;		 /* the same */
	char exec_image[64], exec_digest[SPEC_DIGEST_SIZE]; /* of the last exec, or "" */
	enum priv_copy_outcome copies;
	uint32_t timeout_ms;
	unsigned starts, destroys, deadlines, inspects;
	unsigned clashes;	      /* starts of one box while another one was there */
	int64_t deadline, started_ms; /* the last told; when it began to run */
	unsigned net_repairs;	      /* of a node */
	unsigned port_errors, port_calls, reconnects;
	struct spec_port ports[SPEC_PORTS_MAX]; /* the last that were told */
	size_t nports;
	bool cut;		    /* its network */
	char *address6;		    /* NULL: none */
	bool there;		    /* a box exists */
	bool rebooted;		    /* … with its volume alone, until it is started */
	char key[PRIV_KEY_LEN + 1]; /* of a box whose owner brought it; "": none */
	bool has_key;		    /* and it is in memory */
	char id[PRIV_ID_LEN + 1];
	char card[PRIV_CARD_MAX + 1], topup[PRIV_CARD_MAX + 1]; /* what the lease is told now */
	unsigned seconds;					/* of the last start */
};

/* Serve on `fd`, which is taken over; the script and what was asked stay through a close. */
void host_open(struct host *h, struct loop *l, int fd);
void host_close(struct host *h);

#endif
