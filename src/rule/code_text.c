/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts compared with many patterns at once: how they begin, or how they end.
 *
 * The patterns are a trie over words of 8 bytes. Loaded so that the first byte counts most, those of a word's texts
 * that begin with a pattern are one range of numbers; two such ranges either lie one inside the other or apart. A node
 * of the trie searches the bounds of its ranges by halves, which finds the innermost one that holds the text's word;
 * where longer patterns go on from a word, another node does the same with the next one. What is found, an item, stands
 * for one beginning: it checks the text's length, so that bytes behind the text decide nothing, sets the bits of its
 * patterns, and goes on to the longest item that it itself begins with. An ending is the beginning of the text that is
 * read backwards.
 *
 *	r0: the word; r1: a constant, a bit's word; r4: the length; r5: where words are loaded from
 */
#include "rule/code.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#define WORD 8         /* bytes that are compared at once */
#define RESULT_BITS 32 /* bits that are set at once: an immediate has as many */

/* One pattern, in the order of reading. */
struct entry {
	struct str text; /* of a SUFFIX: backwards */
	bool exact;
	uint32_t bit;
};

/* Those of the node's entries with one text, or those that go on from one word, or both. */
struct item {
	uint64_t low, high;        /* the words that begin with it, both included */
	size_t length;             /* of the text, from its beginning */
	size_t first, end;         /* entries with that text */
	size_t longer_end;         /* entries that go on: from `end` */
	code_label own;            /* sets its bits; where it has none: its parent's */
	code_label found;          /* for a word in its range */
	const struct item *parent; /* the shorter one that it lies in; NULL: what the node was reached by */
};

/* From `start` up to the next one's start, words belong to `found`. */
struct interval {
	uint64_t start;
	code_label found;
};

/* Still to be written: entries whose texts are longer than `depth` words and have the same first `depth` words. */
struct node {
	size_t first, end;
	size_t depth;
	code_label begin, none; /* here; where to go when no item holds */
};

struct text_writer {
	struct code *code;
	struct entry
	        *entries; /* by their texts, the shorter first; then the prefixes before the exact ones; then by bits */
	size_t count;
	char *reversed; /* what the entries' texts are of, of suffixes */
	bool ends;
	int16_t results;
	code_label done;
	struct item *items; /* of the node being written; room for `count` */
	size_t item_count;
	struct interval *intervals; /* its own; room for 2 * count + 1 */
	size_t interval_count;
	struct node *nodes; /* a stack; room for `count` + 1: those to be written have no entry in common */
	size_t node_count;
};

/* ---- entries ---- */

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = str_compare(x->text, y->text);

	if (order == 0)
		order = (int)x->exact - (int)y->exact;
	return order ? order : (x->bit > y->bit) - (x->bit < y->bit);
}

/* Is it one that these writers take, with bits that a store's offset reaches? */
static bool pattern_fits(const struct pattern *p, bool ends, int16_t results)
{
	bool kind = ends ? p->kind == PATTERN_SUFFIX : p->kind == PATTERN_EXACT || p->kind == PATTERN_PREFIX;

	return kind && p->text.length <= PATTERN_BYTES_MAX && (int64_t)p->bit / 8 <= INT16_MAX - 8 - results;
}

static struct str reverse(struct str text, char **at)
{
	char *to = *at;

	for (size_t i = 0; i < text.length; i++)
		to[i] = text.data[text.length - 1 - i];
	*at += text.length;
	return str_make(to, text.length);
}

/* Returns 0, -ENOMEM, -EINVAL. */
static int entries_make(struct text_writer *w, const struct pattern *patterns)
{
	size_t bytes = 0;
	char *at;

	for (size_t i = 0; i < w->count; i++) {
		if (!pattern_fits(&patterns[i], w->ends, w->results))
			return -EINVAL;
		bytes += patterns[i].text.length;
	}
	at = w->reversed = malloc(bytes + 1);
	w->entries = calloc(w->count, sizeof(*w->entries));
	if (!w->reversed || !w->entries)
		return -ENOMEM;
	for (size_t i = 0; i < w->count; i++) {
		const struct pattern *p = &patterns[i];

		w->entries[i] =
		        (struct entry){w->ends ? reverse(p->text, &at) : p->text, p->kind == PATTERN_EXACT, p->bit};
	}
	qsort(w->entries, w->count, sizeof(*w->entries), entry_compare);
	return 0;
}

/* ---- items of a node, and the intervals between the bounds of their ranges ---- */

/* The lowest and the highest word that begins with these bytes, 8 of them or more. */
static void word_range(struct str bytes, uint64_t *ret_low, uint64_t *ret_high)
{
	uint64_t low = 0, high = 0;

	for (size_t i = 0; i < WORD; i++) {
		low = low << 8 | (i < bytes.length ? (uint8_t)bytes.data[i] : 0);
		high = high << 8 | (i < bytes.length ? (uint8_t)bytes.data[i] : 0xff);
	}
	*ret_low = low;
	*ret_high = high;
}

/* What of the entry's text the node's word may hold: 1 to 8 bytes. */
static struct str word_text(const struct entry *e, size_t depth)
{
	return str_make(e->text.data + depth * WORD, MIN(e->text.length - depth * WORD, WORD));
}

/* The next item begins with the entry at `first`. The entries that are not longer than the word come before those that
 * go on, being shorter. */
static struct item item_make(const struct text_writer *w, const struct node *n, size_t first)
{
	struct str word = word_text(&w->entries[first], n->depth);
	struct item item = {.length = n->depth * WORD + word.length, .first = first, .end = first};

	word_range(word, &item.low, &item.high);
	while (item.end < n->end && w->entries[item.end].text.length == item.length &&
	       str_equal(word_text(&w->entries[item.end], n->depth), word))
		item.end++;
	item.longer_end = item.end;
	while (word.length == WORD && item.longer_end < n->end &&
	       str_equal(word_text(&w->entries[item.longer_end], n->depth), word))
		item.longer_end++;
	return item;
}

static const struct item *item_enclosing(const struct item *open, uint64_t word)
{
	while (open && open->high < word)
		open = open->parent;
	return open;
}

/* Labels: an item without bits of its own is passed by, one without longer entries is found itself. */
static void item_label(struct text_writer *w, const struct node *n, struct item *item)
{
	code_label outer = item->parent ? item->parent->own : n->none;

	item->own = item->end > item->first ? code_label_new(w->code) : outer;
	item->found = item->own;
	if (item->longer_end == item->end)
		return;
	item->found = code_label_new(w->code);
	w->nodes[w->node_count++] = (struct node){item->end, item->longer_end, n->depth + 1, item->found, item->own};
}

static void interval_add(struct text_writer *w, uint64_t start, code_label found)
{
	struct interval *last = w->interval_count ? &w->intervals[w->interval_count - 1] : NULL;

	if (last && last->start == start)
		last->found = found;
	else if (!last || last->found != found)
		w->intervals[w->interval_count++] = (struct interval){start, found};
}

/* Behind the items from `open` outwards that end below `word`, or all: what lies around them goes on. */
static void intervals_close(struct text_writer *w, const struct node *n, const struct item *open,
                            const struct item *until)
{
	for (; open != until; open = open->parent)
		if (open->high != UINT64_MAX)
			interval_add(w, open->high + 1, open->parent ? open->parent->found : n->none);
}

static void node_divide(struct text_writer *w, const struct node *n)
{
	const struct item *open = NULL;

	w->item_count = 0;
	w->interval_count = 0;
	interval_add(w, 0, n->none);
	for (size_t i = n->first; i < n->end;) {
		struct item *item = &w->items[w->item_count++];

		*item = item_make(w, n, i);
		i = item->longer_end;
		item->parent = item_enclosing(open, item->low);
		intervals_close(w, n, open, item->parent);
		item_label(w, n, item);
		interval_add(w, item->low, item->found);
		open = item;
	}
	intervals_close(w, n, open, NULL);
}

/* ---- writing ---- */

/* Jumps that lead to what stands right behind them are left out. */
static void bind_next(struct code *c, code_label l)
{
	const struct code_jump *last = c->jump_count ? &c->jumps[c->jump_count - 1] : NULL;

	if (!c->error && last && last->insn == c->count - 1 && last->label == l &&
	    c->insns[last->insn].code == (BPF_JMP | BPF_JA)) {
		c->jump_count--;
		c->count--;
	}
	code_bind(c, l);
}

static void write_load(struct text_writer *w, size_t depth)
{
	if (w->ends) {
		code_load(w->code, BPF_DW, 0, 5, (int16_t)(-(int)(depth + 1) * WORD));
		code_swap_little(w->code, 0);
	} else {
		code_load(w->code, BPF_DW, 0, 8, (int16_t)(depth * WORD));
		code_swap(w->code, 0);
	}
}

/* Compares the word with a number. */
static void write_compare(struct text_writer *w, uint8_t op, uint64_t number, code_label l)
{
	if ((uint64_t)(int32_t)number == number) {
		code_jump_if(w->code, op, 0, (int32_t)number, l);
		return;
	}
	code_constant(w->code, 1, number);
	code_jump_if_reg(w->code, op, 0, 1, l);
}

/* Of three, is the middle one a single word, and are the outer ones the same? */
static bool is_equality(const struct interval *in, size_t count)
{
	return count == 3 && in[2].start - in[1].start == 1 && in[0].found == in[2].found;
}

/* Where to divide: in the middle, but rather before an item than behind it. */
static size_t divide(const struct interval *in, size_t count)
{
	size_t middle = count / 2;

	return count > 3 && in[middle].found == in[middle - 2].found && middle + 1 < count ? middle + 1 : middle;
}

/* As deep as the logarithm of the count. */
static void write_search(struct text_writer *w, const struct interval *in, size_t count)
{
	size_t middle = divide(in, count);
	code_label right;

	if (count == 1) {
		code_jump(w->code, in[0].found);
	} else if (is_equality(in, count)) {
		write_compare(w, BPF_JNE, in[1].start, in[0].found);
		code_jump(w->code, in[1].found);
	} else if (count - middle == 1) {
		write_compare(w, BPF_JGE, in[middle].start, in[middle].found);
		write_search(w, in, middle);
	} else {
		right = code_label_new(w->code);
		write_compare(w, BPF_JGE, in[middle].start, right);
		write_search(w, in, middle);
		code_bind(w->code, right);
		write_search(w, in + middle, count - middle);
	}
}

static void write_bits(struct text_writer *w, uint32_t word, uint32_t mask)
{
	/* The halves of the result's 8-byte words, in the order of this machine. */
	uint32_t half = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : word ^ 1;
	int16_t at = (int16_t)(w->results + (int)half * 4);

	code_load(w->code, BPF_W, 1, 7, at);
	code_alu(w->code, BPF_OR, 1, (int32_t)mask);
	code_store(w->code, BPF_W, 7, at, 1);
}

/* Entries whose bits are in order. */
static void write_entries(struct text_writer *w, size_t first, size_t end)
{
	uint32_t mask = 0;

	for (size_t i = first; i < end; i++) {
		uint32_t word = w->entries[i].bit / RESULT_BITS;

		mask |= 1u << w->entries[i].bit % RESULT_BITS;
		if (i + 1 < end && w->entries[i + 1].bit / RESULT_BITS == word)
			continue;
		write_bits(w, word, mask);
		mask = 0;
	}
}

static void write_item(struct text_writer *w, const struct node *n, const struct item *item)
{
	code_label outer = item->parent ? item->parent->own : n->none;
	size_t exact = item->first;

	while (exact < item->end && !w->entries[exact].exact)
		exact++;
	bind_next(w->code, item->own);
	if (exact > item->first) {
		code_jump_if(w->code, BPF_JLT, 4, (int32_t)item->length, outer);
		write_entries(w, item->first, exact);
	}
	if (exact < item->end) {
		code_jump_if(w->code, BPF_JNE, 4, (int32_t)item->length, outer);
		write_entries(w, exact, item->end);
	}
	code_jump(w->code, outer);
}

static void write_node(struct text_writer *w, const struct node *n)
{
	node_divide(w, n);
	bind_next(w->code, n->begin);
	write_load(w, n->depth);
	write_search(w, w->intervals, w->interval_count);
	for (size_t i = w->item_count; i-- > 0;)
		if (w->items[i].end > w->items[i].first)
			write_item(w, n, &w->items[i]);
}

/* r4 has the length's value but is another number for a verifier: what is learned of it here, it need not remember of
 * r9, and so the ways through the search look all the same behind them. */
static void write_length(struct text_writer *w, size_t length_max)
{
	uint64_t mask = 1;

	while (mask < length_max)
		mask = mask << 1 | 1;
	code_alu_reg(w->code, BPF_MOV, 4, 9);
	if (mask <= INT32_MAX)
		code_alu(w->code, BPF_AND, 4, (int32_t)mask);
}

/* The empty prefix or suffix holds always. They are the first of all entries, the exact ones behind them. */
static size_t write_empty(struct text_writer *w)
{
	size_t always = 0, end;

	while (always < w->count && w->entries[always].text.length == 0 && !w->entries[always].exact)
		always++;
	for (end = always; end < w->count && w->entries[end].text.length == 0;)
		end++;
	write_entries(w, 0, always);
	if (end > always) {
		code_label longer = code_label_new(w->code);

		code_jump_if(w->code, BPF_JNE, 4, 0, longer);
		write_entries(w, always, end);
		code_bind(w->code, longer);
	}
	return end;
}

static void write_trie(struct text_writer *w, size_t length_max)
{
	size_t first;

	w->done = code_label_new(w->code);
	write_length(w, length_max);
	first = write_empty(w);
	if (w->ends && first < w->count) {
		code_alu_reg(w->code, BPF_MOV, 5, 8);
		code_alu_reg(w->code, BPF_ADD, 5, 9);
	}
	if (first < w->count)
		w->nodes[w->node_count++] = (struct node){first, w->count, 0, code_label_new(w->code), w->done};
	while (w->node_count) {
		struct node n = w->nodes[--w->node_count];

		write_node(w, &n);
	}
	bind_next(w->code, w->done);
}

static void text_writer_done(struct text_writer *w)
{
	free(w->entries);
	free(w->reversed);
	free(w->items);
	free(w->intervals);
	free(w->nodes);
}

static int text_writer_init(struct text_writer *w, const struct pattern *patterns)
{
	int r = entries_make(w, patterns);

	if (r)
		return r;
	w->items = calloc(w->count, sizeof(*w->items));
	w->intervals = calloc(2 * w->count + 1, sizeof(*w->intervals));
	w->nodes = calloc(w->count + 1, sizeof(*w->nodes));
	return w->items && w->intervals && w->nodes ? 0 : -ENOMEM;
}

static void code_text(struct code *c, const struct pattern *patterns, size_t count, int16_t results, size_t length_max,
                      bool ends)
{
	_cleanup_(text_writer_done) struct text_writer w = {
	        .code = c, .count = count, .results = results, .ends = ends};
	int r;

	if (c->error || count == 0)
		return;
	r = count <= PICKET_INSNS_MAX ? text_writer_init(&w, patterns) : -E2BIG;
	if (r)
		code_fail(c, r);
	else
		write_trie(&w, length_max);
}

void code_text_begins(struct code *c, const struct pattern *patterns, size_t count, int16_t results, size_t length_max)
{
	code_text(c, patterns, count, results, length_max, false);
}

void code_text_ends(struct code *c, const struct pattern *patterns, size_t count, int16_t results, size_t length_max)
{
	code_text(c, patterns, count, results, length_max, true);
}
