/* SPDX-License-Identifier: Apache-2.0 */
#include "core/socket.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define STALE_TIMEOUT_MS 5000

int socket_address(const char *path, struct sockaddr_un *ret_address)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	*ret_address = address;
	return 0;
}

int socket_connect(const struct sockaddr_un *address, int type, unsigned timeout_ms, int *ret_fd)
{
	_cleanup_(base_close_fd) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Also bounds connect(): a server that hangs has a full queue at some time. */
	struct timeval timeout = {.tv_sec = timeout_ms / 1000};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Only a socket that refuses connections is stale, and only a socket is ever removed. */
static int stale_remove(const struct sockaddr_un *address, int type)
{
	_cleanup_(base_close_fd) int fd = -1;
	struct stat st;
	int r = socket_connect(address, type, STALE_TIMEOUT_MS, &fd);
	if (r == 0)
		return -EADDRINUSE;
	if (r == -ENOENT)
		return 0;
	if (r == -EAGAIN) /* its queue is full: it is there */
		return -EADDRINUSE;
	if (r != -ECONNREFUSED)
		return r;
	if (lstat(address->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int parent_make(const char *path)
{
	char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	return access(parent, F_OK) == 0 ? 0 : file_make_dirs(parent, 0755);
}

static int listen_at(const struct sockaddr_un *address, int type, int backlog, int *ret_fd)
{
	_cleanup_(base_close_fd) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mode_t mask = umask(0177);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	if (listen(fd, backlog) < 0) {
		r = -errno;
		unlink(address->sun_path);
		return r;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int socket_listen(const char *path, int type, int backlog, struct sockaddr_un *ret_address, int *ret_fd)
{
	struct sockaddr_un address;
	int fd = -1;
	int r = socket_address(path, &address);
	if (r == 0)
		r = parent_make(path);
	if (r == 0)
		r = stale_remove(&address, type);
	if (r == 0)
		r = listen_at(&address, type, backlog, &fd);
	if (r < 0)
		return r;
	*ret_address = address;
	*ret_fd = fd;
	return 0;
}
