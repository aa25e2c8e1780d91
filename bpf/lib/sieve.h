/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What is sieved is told to the sieve of its type, and sent only if that lets it pass; see schema/sieve.h. All that is told
 * must be true; and of what opens a file, all names of it: else the sieve is told nothing.
 */
#ifndef PICKET_BPF_SIEVE_H
#define PICKET_BPF_SIEVE_H

#include "bytes.h"
#include "fd.h"
#include "process.h"

/* The program of each type that is sieved, and those that it goes on to. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, EVENT_TYPES);
	__type(key, __u32);
	__type(value, __u32);
} sieves SEC(".maps");

/* ---- texts, eight bytes at a time ---- */
#define TEXT_PLAIN 1    /* printable ASCII */
#define TEXT_SLASHES 2  /* two slashes stand together */
#define TEXT_DOUBTFUL 4 /* something might be resolved: a component that begins with a dot, or is empty */
#define TEXT_PROC 8     /* begins with /proc/ */

static __always_inline bool bytes_are_plain(__u64 word)
{
	__u64 from_blank = ((word & BYTES(0x7f)) + BYTES(0x60)) & BYTES(0x80);

	return from_blank == BYTES(0x80) && !(word & BYTES(0x80)) && !bytes_equal(word, 0x7f);
}

static __always_inline __u64 record_word(const struct scratch *s, __u32 at)
{
	return *(const __u64 *)&s->record[at & RECORD_MASK];
}

/* Texts are walked eight bytes a step; what that has come to stands in s->text, of which the verifier knows nothing: so
 * it takes one step for all. */
struct text_steps {
	struct scratch *scratch;
};

/* The word's bytes that belong to the text; those behind it are `fill`. */
static __always_inline __u64 text_word(__u64 word, __u32 left, __u64 fill)
{
	__u64 behind = left < 8 ? ~0ull << 8 * (left & 7) : 0;

	return (word & ~behind) | (fill & behind);
}

static long text_look_step(__u32 index, struct text_steps *steps)
{
	struct scratch *s = steps->scratch;
	struct text_walk *w = &s->text;
	__u64 word, here, before;

	if (index * 8 >= w->length)
		return 1;
	word = text_word(record_word(s, w->a + index * 8), w->length - index * 8, BYTES('x'));
	if (!bytes_are_plain(word)) {
		w->flags = 0;
		return 1;
	}
	here = bytes_equal(word, '/');
	before = w->before >> 56 | here << 8; /* behind a slash */
	if (before & here)
		w->flags |= TEXT_SLASHES | TEXT_DOUBTFUL;
	if (before & bytes_equal(word, '.'))
		w->flags |= TEXT_DOUBTFUL;
	w->before = here;
	if (here) {
		w->slash = here;
		w->last = index * 8;
	}
	return 0;
}

/* Flags of a text of the record, and above 32 bits where its last slash stands. 0: it is not plain, or too long. */
__noinline __u64 sieve_text_look(struct scratch *s, __u32 at, __u32 length)
{
	struct text_steps steps = {s};
	struct text_walk *w;
	__u32 last;

	if (!s || length > SIEVE_TEXT_MAX)
		return 0;
	w = &s->text;
	*w = (struct text_walk){.a = at, .length = length, .flags = TEXT_PLAIN};
	bpf_loop(SIEVE_TEXT_MAX / 8, text_look_step, &steps, 0);
	if (!w->flags)
		return 0;
	last = w->last + byte_last(w->slash);
	if (length > 1 && last == length - 1)
		w->flags |= TEXT_DOUBTFUL;
	if (length > 6 && (record_word(s, at) & 0xffffffffffff) == 0x2f636f72702f) /* "/proc/" */
		w->flags |= TEXT_PROC;
	return (__u64)last << 32 | w->flags;
}

static long text_same_step(__u32 index, struct text_steps *steps)
{
	struct scratch *s = steps->scratch;
	struct text_walk *w = &s->text;
	__u64 a, b;

	if (index * 8 >= w->length)
		return 1;
	a = text_word(record_word(s, w->a + index * 8), w->length - index * 8, 0);
	b = text_word(record_word(s, w->b + index * 8), w->length - index * 8, 0);
	w->differ = a != b;
	return w->differ;
}

/* Are these texts of the record the same? */
__noinline __u64 sieve_text_same(struct scratch *s, __u32 a, __u32 b, __u32 length)
{
	struct text_steps steps = {s};

	if (!s || length > SIEVE_TEXT_MAX)
		return 0;
	s->text = (struct text_walk){.a = a, .b = b, .length = length};
	bpf_loop(SIEVE_TEXT_MAX / 8, text_same_step, &steps, 0);
	return !s->text.differ;
}

/* ---- files that rules name, by whatever other name they are reached ---- */
volatile __u64 sieve_watched[SIEVE_WATCHED_BITS / 64]; /* set by the loader */
volatile bool sieve_keeps_writes;                      /* what opens a file for writing passes, whatever rules want */
volatile bool sieve_is_paused;                         /* what is known of processes excludes nothing */

static __always_inline bool sieve_watched_has(__u32 bit)
{
	return sieve_watched[bit / 64 & (SIEVE_WATCHED_BITS / 64 - 1)] >> (bit & 63) & 1;
}

static __always_inline bool sieve_file_is_watched(__u32 dev, __u64 ino)
{
	__u64 hash = SIEVE_WATCHED_HASH(dev, ino);

	return sieve_watched_has(SIEVE_WATCHED_BIT_1(hash)) && sieve_watched_has(SIEVE_WATCHED_BIT_2(hash));
}

/* ---- names ---- */
static __always_inline struct sieve_span sieve_span(struct event_slot slot)
{
	return (struct sieve_span){slot.offset, slot.length};
}

static __always_inline bool sieve_set_name(struct scratch *s, __u32 n, struct event_slot slot, bool directory)
{
	struct sieve_span *texts = s->sieve.texts[n];
	__u64 look = sieve_text_look(s, slot.offset, slot.length);
	__u32 slash = look >> 32;

	if (!(look & TEXT_PLAIN) || look & TEXT_PROC)
		return false;
	texts[SIEVE_TEXT_NAME] = texts[SIEVE_TEXT_DIRECTORY] = sieve_span(slot);
	texts[SIEVE_TEXT_FILENAME] = (struct sieve_span){slot.offset, 0}; /* a directory has none: empty is no name */
	if (!directory) {
		texts[SIEVE_TEXT_DIRECTORY].length = slash ? slash : 1;
		texts[SIEVE_TEXT_FILENAME] = (struct sieve_span){slot.offset + slash + 1, slot.length - slash - 1};
	}
	return true;
}

/* Is what was asked for, from the directory on that it is relative to, just the path that was reached? */
static __always_inline bool sieve_is_reached(struct scratch *s, const struct event_path *asked,
                                             struct event_slot reached)
{
	__u32 before = 0;

	if (s->record[asked->text.offset & RECORD_MASK] != '/') {
		before = asked->base.length;
		if (!asked->base.offset || before > SIEVE_TEXT_MAX ||
		    !sieve_text_same(s, asked->base.offset, reached.offset, before))
			return false;
		if (before > 1) {
			if (s->record[(reached.offset + before) & RECORD_MASK] != '/')
				return false;
			before++;
		}
	}
	return reached.length == before + asked->text.length &&
	       sieve_text_same(s, asked->text.offset, reached.offset + before, asked->text.length);
}

#define OPEN_ACCESS 3
#define OPEN_PATH 010000000
#define OPEN_TMPFILE 020000000

/* Of the file that was opened, what costs nothing to see: are its names certain? A link may just have been made to a file
 * that rules name, which the loader has not told of yet. */
static __always_inline bool sieve_file_is_certain(struct scratch *s)
{
	struct event_slot slot = record_header(s)->fd;
	const struct fd_info *info = (void *)&s->record[slot.offset & RECORD_MASK];

	return !(record_header(s)->flags & EVENT_F_CHROOT) && slot.offset &&
	       (info->kind == FD_DIRECTORY || (info->kind == FD_FILE && info->nlink == 1)) &&
	       !(info->flags & (FD_F_CREATED | FD_F_BIND | FD_F_DELETED)) &&
	       !sieve_file_is_watched(info->dev, info->ino);
}

static __always_inline void sieve_fill_opened(struct scratch *s, const struct event_path *asked, __u64 look)
{
	const struct fd_info *info = (void *)&s->record[record_header(s)->fd.offset & RECORD_MASK];
	bool directory = info->kind == FD_DIRECTORY, reached = sieve_is_reached(s, asked, info->path);

	/* What was asked for is another name; one that would have to be resolved first is left to user space. */
	if (!reached && (look & TEXT_DOUBTFUL || s->record[asked->text.offset & RECORD_MASK] != '/'))
		return;
	if (!sieve_set_name(s, 0, info->path, directory) || (!reached && !sieve_set_name(s, 1, asked->text, directory)))
		return;
	s->sieve.names = reached ? 1 : 2;
	s->sieve.texts[0][SIEVE_TEXT_ASKED] = s->sieve.texts[1][SIEVE_TEXT_ASKED] = sieve_span(asked->text);
	s->sieve.numbers[SIEVE_NUMBER_DEVICE] = (info->mode & S_IFMT) == S_IFBLK || (info->mode & S_IFMT) == S_IFCHR;
	s->sieve.state = SIEVE_OPENED;
}

/* path: the member of the record that says what was asked for; flags: as the wire has them. Returns the state. A function
 * of its own, with external linkage, so that it is verified once and not with all that its callers know. */
__noinline __u64 sieve_fill(struct scratch *s, __u32 path, __u64 flags)
{
	const struct event_path *asked;
	struct event_header *h;
	__u64 look, access = flags & OPEN_ACCESS;
	bool data = !(flags & OPEN_PATH);

	if (!s)
		return SIEVE_UNDECIDED;
	asked = (void *)&s->record[path & RECORD_MASK];
	h = record_header(s);
	s->sieve.state = SIEVE_UNDECIDED;
	if (sieve_keeps_writes && access)
		return SIEVE_UNDECIDED;
	if (h->flags & (EVENT_F_TRUNCATED | EVENT_F_MISSING) || flags & OPEN_TMPFILE || !asked->text.length)
		return SIEVE_UNDECIDED;
	if (h->result >= 0 && !sieve_file_is_certain(s))
		return SIEVE_UNDECIDED;
	look = sieve_text_look(s, asked->text.offset, asked->text.length);
	if (!(look & TEXT_PLAIN) || look & (TEXT_SLASHES | TEXT_PROC))
		return SIEVE_UNDECIDED;
	s->sieve.numbers[SIEVE_NUMBER_OPEN_READ] = data && (access == 0 || access == 2);
	s->sieve.numbers[SIEVE_NUMBER_OPEN_WRITE] = data && (access == 1 || access == 2);
	if (h->result >= 0) {
		sieve_fill_opened(s, asked, look);
		return s->sieve.state;
	}
	s->sieve.names = 1;
	s->sieve.texts[0][SIEVE_TEXT_ASKED] = sieve_span(asked->text);
	return s->sieve.state = SIEVE_FAILED;
}

/* ---- other calls ---- */
#define ERRNO_MAX 4095
#define EINPROGRESS 115
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define SOCK_RAW 3

/* An IPv6 socket may have IPv4 addresses, ::ffff:a.b.c.d. address: where one stands. */
static __always_inline bool sieve_is_mapped(__u64 address)
{
	const void *first = (const void *)address, *last = first + 8;

	return !READ_WORD(first) && (__u32)READ_WORD(last) == __builtin_bswap32(0xffff);
}

/* Both ends of a socket's connection, as fd_record_socket() would record them; who is the client follows from the call. */
static __always_inline void sieve_fill_connected(struct scratch *s, __u64 sock, __s64 fd, bool connects)
{
	__u64 common = sock + bpf_core_field_offset(struct sock, __sk_common);
	__u64 local_addr = common + bpf_core_field_offset(struct sock_common, skc_v6_rcv_saddr);
	__u64 remote_addr = common + bpf_core_field_offset(struct sock_common, skc_v6_daddr);
	__u16 family = READ(sock_common, common, skc_family), protocol = READ(sock, sock, sk_protocol);
	__u16 remote_port = __builtin_bswap16(READ(sock_common, common, skc_dport));
	__u16 local_port = READ(sock_common, common, skc_num);
	__u64 *numbers = s->sieve.numbers;

	if ((family != AF_INET && family != AF_INET6) || READ(sock_common, common, skc_state) == SOCK_TCP_LISTEN ||
	    !remote_port || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) ||
	    READ(sock, sock, sk_type) == SOCK_RAW)
		return;
	if (family == AF_INET6 && (sieve_is_mapped(local_addr) || sieve_is_mapped(remote_addr)))
		return;
	numbers[SIEVE_NUMBER_IP_VERSION] = family == AF_INET ? 4 : 6;
	numbers[SIEVE_NUMBER_PROTOCOL] = protocol;
	numbers[SIEVE_NUMBER_DESCRIPTOR] = fd;
	numbers[SIEVE_NUMBER_LOCAL_PORT] = local_port;
	numbers[SIEVE_NUMBER_REMOTE_PORT] = remote_port;
	numbers[SIEVE_NUMBER_CLIENT_PORT] = connects ? local_port : remote_port;
	numbers[SIEVE_NUMBER_SERVER_PORT] = connects ? remote_port : local_port;
	s->sieve.state = SIEVE_CONNECTED;
}

/* What is at hand of a call that returned, without its record. fd: the socket that it is about, or -1. Returns the state. */
static __always_inline __u32 sieve_fill_call(struct scratch *s, struct task_struct *task, __u32 type, __s64 result,
                                             __s64 fd)
{
	__u64 sock;

	s->sieve.state = SIEVE_UNDECIDED;
	s->sieve.names = 1;
	if (result < -ERRNO_MAX)
		return SIEVE_UNDECIDED;
	s->sieve.numbers[SIEVE_NUMBER_RESULT] = result;
	s->sieve.state = result < 0 ? SIEVE_REFUSED : SIEVE_DONE;
	if (fd < 0 || (result < 0 && result != -EINPROGRESS))
		return s->sieve.state;
	sock = fd_socket(task, fd);
	if (sock)
		sieve_fill_connected(s, sock, fd, type == EVENT_connect);
	return s->sieve.state;
}

/* ---- the program ---- */
/* p: what is known of the process; NULL: nothing. */
static __always_inline void sieve_set_process(struct scratch *s, const struct sieve_process *p)
{
	s->sieve.process = p ? p->serial : 0;
	for (__u32 i = 0; i < SIEVE_RULES_MAX / 64; i++)
		s->sieve.live[i] = p ? p->rules[i] : ~0ull;
}

__noinline __u64 sieve_set_live(struct scratch *s)
{
	if (s)
		sieve_set_process(s, sieve_by_process ? process_get(bpf_get_current_task_btf()) : NULL);
	return 0;
}

/* Leaves it to the sieve of its type whether the record is sent, and comes back if that cannot say. wanted: WANTED_SIEVED or
 * WANTED_WRITES. */
static __always_inline void record_sift(void *ctx, struct scratch *s, __u32 type, __u8 wanted)
{
	if (s->sieve.state == SIEVE_UNDECIDED)
		return;
	s->unmade = 0;
	if (wanted == WANTED_WRITES)
		bpf_tail_call(ctx, &sieves, SIEVE_DROP);
	sieve_set_live(s);
	bpf_tail_call(ctx, &sieves, type);
}

#endif
