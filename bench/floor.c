/* SPDX-License-Identifier: Apache-2.0
 *
 * floor OBJECT: attaches its programs, says "ready", and keeps them attached until its input ends. It holds them by its
 * descriptors alone, so nothing stays in the kernel however it ends.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int attach(struct bpf_object *object)
{
	struct bpf_program *program;
	bpf_object__for_each_program(program, object)
	{
		if (!bpf_program__attach(program)) {
			fprintf(stderr, "floor: %s: %m\n", bpf_program__name(program));
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	char byte;
	if (argc != 2) {
		fprintf(stderr, "usage: floor OBJECT\n");
		return 2;
	}
	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) < 0 || attach(object) < 0) {
		fprintf(stderr, "floor: %s cannot be loaded: %m\n", argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
