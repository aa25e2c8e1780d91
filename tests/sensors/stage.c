/* SPDX-License-Identifier: Apache-2.0
 *
 * A control group and a directory for the test, and processes in them. What removes both is a process of its own that
 * waits for the other end of a pipe to close: that happens however the test ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "sensors.h"

#define OUTPUT_BYTES_MAX (1u << 20)
#define CLEAN_TRIES 200
#define CLEAN_PAUSE_US 20000

/* ---- removing ---- */
static void remove_tree(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) && (errno == EISDIR || errno == EPERM))
			remove_tree(fd, entry->d_name);
	}
	if (dir)
		closedir(dir);
	unlinkat(parent_fd, name, AT_REMOVEDIR);
}

/* Kills what is in the control group: only what this test put there. */
static void kill_members(const char *cgroup)
{
	_cleanup_(base_close_file) FILE *f = NULL;
	char path[300];
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid > 1)
			kill(pid, SIGKILL);
}

static void remove_cgroup(const char *cgroup)
{
	for (int i = 0; i < CLEAN_TRIES && rmdir(cgroup) && errno != ENOENT; i++) {
		kill_members(cgroup);
		usleep(CLEAN_PAUSE_US);
	}
}

static void clean_at_end(const struct stage *s, int pipe_fd)
{
	sigset_t all;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	while (read(pipe_fd, &byte, 1) < 0 && errno == EINTR)
		;
	remove_cgroup(s->cgroup);
	remove_tree(AT_FDCWD, s->directory);
	_exit(0);
}

static int start_cleaner(struct stage *s)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	s->cleaner_pid = fork();
	if (s->cleaner_pid < 0)
		return -errno;
	if (s->cleaner_pid == 0) {
		close(fds[1]);
		clean_at_end(s, fds[0]);
	}
	close(fds[0]);
	s->cleaner_fd = fds[1];
	return 0;
}

/* ---- making ---- */
static int find_cgroup_mount(char *ret_path, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	int err = -ENOENT;

	if (!f)
		return -errno;
	while (err && (m = getmntent(f)))
		if (strcmp(m->mnt_type, "cgroup2") == 0) {
			snprintf(ret_path, size, "%s", m->mnt_dir);
			err = 0;
		}
	endmntent(f);
	return err;
}

static int find_program(const char *path, char *ret_path, size_t size)
{
	_cleanup_(base_free_ptr) char *real = realpath(path, NULL);

	if (!real || access(real, X_OK))
		return -errno;
	return (size_t)snprintf(ret_path, size, "%s", real) < size ? 0 : -ENAMETOOLONG;
}

int stage_open(struct stage *s, const char *doer, const char *launcher, char *ret_reason, size_t size)
{
	static char mount[200];
	int err;

	*s = (struct stage){.cleaner_fd = -1, .cgroup_mount = mount};
	if (geteuid() != 0) {
		snprintf(ret_reason, size, "not root");
		return -EPERM;
	}
	err = find_program(doer, s->doer, sizeof(s->doer));
	if (err) {
		snprintf(ret_reason, size, "no doer at %s", doer);
		return err;
	}
	err = launcher ? find_program(launcher, s->launcher, sizeof(s->launcher)) : 0;
	if (err) {
		snprintf(ret_reason, size, "no launcher at %s", launcher);
		return err;
	}
	err = find_cgroup_mount(mount, sizeof(mount));
	if (err) {
		snprintf(ret_reason, size, "no cgroup v2 hierarchy is mounted");
		return err;
	}
	snprintf(s->cgroup, sizeof(s->cgroup), "%s/picket-test-%d", mount, getpid());
	snprintf(s->directory, sizeof(s->directory), "/tmp/picket-test-%d", getpid());
	err = start_cleaner(s);
	if (err) {
		snprintf(ret_reason, size, "fork: %s", strerror(-err));
		return err;
	}
	if (mkdir(s->cgroup, 0755)) {
		err = -errno;
		snprintf(ret_reason, size, "%s: %s", s->cgroup, strerror(-err));
	} else if (mkdir(s->directory, 0755)) {
		err = -errno;
		snprintf(ret_reason, size, "%s: %s", s->directory, strerror(-err));
	}
	if (err)
		stage_close(s);
	return err;
}

void stage_close(struct stage *s)
{
	if (s->cleaner_fd < 0)
		return;
	close(s->cleaner_fd);
	s->cleaner_fd = -1;
	while (waitpid(s->cleaner_pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int stage_case_directory(const struct stage *s, const char *name, char *ret_path, size_t size)
{
	if ((size_t)snprintf(ret_path, size, "%s/%s", s->directory, name) >= size)
		return -ENAMETOOLONG;
	return mkdir(ret_path, 0755) ? -errno : 0;
}

/* ---- the doer ---- */
static void become_doer(const struct stage *s, const char *directory, char *const args[], int in, int out)
{
	static char *const environment[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "PICKET_TEST=yes", NULL};
	char path[300], pid[16];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", s->cgroup);
	snprintf(pid, sizeof(pid), "%d", getpid());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || chdir(directory) || dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(126);
	/* last, so that nothing of this is an event */
	if (write(fd, pid, strlen(pid)) < 0)
		_exit(126);
	execve(args[0], args, environment);
	_exit(127);
}

int doer_start(const struct stage *s, const char *directory, char *const args[], struct doer *ret_doer)
{
	int in[2], out[2], err;

	*ret_doer = (struct doer){.in_fd = -1, .out_fd = -1};
	if (pipe2(in, O_CLOEXEC))
		return -errno;
	if (pipe2(out, O_CLOEXEC)) {
		err = -errno;
		close(in[0]);
		close(in[1]);
		return err;
	}
	ret_doer->pid = fork();
	err = ret_doer->pid < 0 ? -errno : 0;
	if (ret_doer->pid == 0)
		become_doer(s, directory, args, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	ret_doer->in_fd = in[1];
	ret_doer->out_fd = out[0];
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	buf_init(&ret_doer->output, OUTPUT_BYTES_MAX);
	return err;
}

void doer_read(struct doer *d)
{
	char text[4096];
	ssize_t n;

	if (!d->gone && waitpid(d->pid, &d->status, WNOHANG) == d->pid)
		d->gone = true;
	while (d->out_fd >= 0 && (n = read(d->out_fd, text, sizeof(text))) > 0)
		buf_add(&d->output, text, (size_t)n);
}

void doer_stop(struct doer *d)
{
	base_close_fd(&d->in_fd);
	if (!d->gone && d->pid > 0) {
		kill(d->pid, SIGKILL);
		waitpid(d->pid, &d->status, 0);
	}
	d->gone = true;
	base_close_fd(&d->out_fd);
	buf_done(&d->output);
}
