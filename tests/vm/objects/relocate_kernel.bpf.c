/* SPDX-License-Identifier: Apache-2.0
 *
 * The types that relocate.bpf.c is relocated against: the same names, and everything elsewhere.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum color { GREEN = 1, RED = 30, BLUE = 90 };
typedef unsigned long long handle;
struct leaf {
	int padding[3], value;
};
struct thing {
	char padding[16];
	struct {
		long extra;
		union {
			int first;
			long other;
		};
	};
	struct {
		long inner[8];
	} deep;
	unsigned long low : 7, middle : 13;
	long small;
	unsigned long grows;
	struct leaf leaves[4];
	void *address;
	const volatile int qualified;
	int changed[2];
};
struct bare;
union either {
	int a;
	struct bare *b;
};

struct thing a_thing;
enum color a_color;
handle a_handle;
union either an_either;
