/* SPDX-License-Identifier: Apache-2.0
 *
 * act connect|bind|send IP PORT [TIMES]: does it, prints the error of the last time ("0": none) and, of several times, how many
 * had none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct address {
	struct sockaddr_storage bytes;
	socklen_t length;
};

static int address_parse(const char *ip, unsigned short port, struct address *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->bytes;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->bytes;
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		ret->length = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) != 1)
		return -EINVAL;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	ret->length = sizeof(*v6);
	return 0;
}

static int act(const char *what, const struct address *to)
{
	int type = strcmp(what, "send") == 0 ? SOCK_DGRAM : SOCK_STREAM, r;
	int fd = socket(to->bytes.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	if (strcmp(what, "connect") == 0)
		r = connect(fd, (const struct sockaddr *)&to->bytes, to->length);
	else if (strcmp(what, "bind") == 0)
		r = bind(fd, (const struct sockaddr *)&to->bytes, to->length);
	else
		r = sendto(fd, "x", 1, 0, (const struct sockaddr *)&to->bytes, to->length) == 1 ? 0 : -1;
	r = r < 0 ? errno : 0;
	close(fd);
	return r;
}

int main(int argc, char **argv)
{
	struct address to;
	if (argc < 4 || address_parse(argv[2], (unsigned short)strtoul(argv[3], NULL, 10), &to) < 0) {
		fprintf(stderr, "usage: act connect|bind|send IP PORT [TIMES]\n");
		return 2;
	}
	unsigned long times = argc > 4 ? strtoul(argv[4], NULL, 10) : 1, denied = 0;
	int error = 0;
	for (unsigned long i = 0; i < times; i++) {
		error = act(argv[1], &to);
		denied += error == EPERM || error == EACCES;
	}
	printf("%s", strerror(error));
	if (times > 1)
		printf(", denied %lu", denied);
	printf("\n");
	return 0;
}
