/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/gen_vm_cases/gen.h"

int main(int argc, char **argv)
{
	char negative[4096];

	if (argc != 2) {
		fprintf(stderr, "usage: gen_vm_cases DIR\n");
		return 2;
	}
	directory = argv[1];
	snprintf(negative, sizeof(negative), "%s/negative", directory);
	if (mkdir(negative, 0777) < 0 && errno != EEXIST) {
		fprintf(stderr, "gen_vm_cases: %s: %s\n", negative, strerror(errno));
		return 1;
	}
	write_alu_cases();
	write_jump_cases();
	write_memory_cases();
	write_atomic_cases();
	write_call_cases();
	write_negative_cases();
	return 0;
}
