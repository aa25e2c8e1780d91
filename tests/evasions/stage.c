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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evasions.h"

#define CLEAN_TRIES 200
#define CLEAN_PAUSE_US 20000
#define ACT_SECONDS_MAX 20

/* ---- removing ---- */
static void remove_tree(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0 && (errno == EISDIR || errno == EPERM))
			remove_tree(fd, entry->d_name);
	}
	if (dir)
		closedir(dir);
	unlinkat(parent_fd, name, AT_REMOVEDIR);
}

/* Ends what is in the control group: only what this test put there. */
static void kill_members(const char *cgroup)
{
	char path[300];
	int pid;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	FILE *f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid > 1)
			kill(pid, SIGKILL);
	if (f)
		fclose(f);
}

/* A control group, and those below it. */
static bool cgroup_is_removed(const char *cgroup)
{
	DIR *dir = opendir(cgroup);
	struct dirent *entry;
	char below[300];
	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    snprintf(below, sizeof(below), "%s/%s", cgroup, entry->d_name) < (int)sizeof(below))
			(void)cgroup_is_removed(below);
	if (dir)
		closedir(dir);
	if (rmdir(cgroup) == 0 || errno == ENOENT)
		return true;
	kill_members(cgroup);
	return false;
}

static _Noreturn void clean_at_end(const struct stage *s, int pipe_fd)
{
	sigset_t all;
	char byte;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	while (read(pipe_fd, &byte, 1) < 0 && errno == EINTR)
		;
	for (int i = 0; i < CLEAN_TRIES && !cgroup_is_removed(s->cgroup); i++)
		usleep(CLEAN_PAUSE_US);
	remove_tree(AT_FDCWD, s->directory);
	_exit(0);
}

static int start_cleaner(struct stage *s)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
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
	const struct mntent *m;
	int r = -ENOENT;
	if (!f)
		return -errno;
	while (r < 0 && (m = getmntent(f)))
		if (strcmp(m->mnt_type, "cgroup2") == 0) {
			snprintf(ret_path, size, "%s", m->mnt_dir);
			r = 0;
		}
	endmntent(f);
	return r;
}

static int make_directory(const char *path, char *ret_reason, size_t size)
{
	if (mkdir(path, 0755) == 0)
		return 0;
	int r = -errno;
	snprintf(ret_reason, size, "%s: %s", path, strerror(-r));
	return r;
}

int stage_open(struct stage *s, char *ret_reason, size_t size)
{
	char mount[100];
	*s = (struct stage){.cleaner_fd = -1};
	if (geteuid() != 0) {
		snprintf(ret_reason, size, "needs root");
		return -EPERM;
	}
	ssize_t length = readlink("/proc/self/exe", s->self, sizeof(s->self) - 1);
	if (length < 0 || find_cgroup_mount(mount, sizeof(mount)) < 0) {
		snprintf(ret_reason, size, length < 0 ? "no /proc" : "no cgroup v2 hierarchy is mounted");
		return -ENOENT;
	}
	snprintf(s->cgroup, sizeof(s->cgroup), "%s/picket-evasions-%d", mount, getpid());
	snprintf(s->directory, sizeof(s->directory), "/tmp/picket-evasions-%d", getpid());
	int r = start_cleaner(s);
	if (r < 0)
		snprintf(ret_reason, size, "fork: %s", strerror(-r));
	if (r == 0)
		r = make_directory(s->cgroup, ret_reason, size);
	if (r == 0)
		r = make_directory(s->directory, ret_reason, size);
	if (r < 0)
		stage_close(s);
	return r;
}

int stage_lane(const struct stage *s, unsigned number, struct stage *ret_lane)
{
	struct stage lane = *s;
	lane.lane = number;
	lane.cleaner_fd = -1;
	int length = snprintf(lane.cgroup, sizeof(lane.cgroup), "%s/lane-%u", s->cgroup, number);
	if (length >= (int)sizeof(lane.cgroup))
		return -ENAMETOOLONG;
	if (mkdir(lane.cgroup, 0755) < 0)
		return -errno;
	*ret_lane = lane;
	return 0;
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

/* ---- processes in it ---- */
static void join_cgroup(const struct stage *s)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/cgroup.procs", s->cgroup);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(126);
	close(fd);
}

static _Noreturn void become_actor(const struct stage *s, const char *directory, char *const argv[], int out)
{
	static char *const environment[] = {(char *)"PATH=/usr/bin:/bin:/usr/sbin:/sbin", NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	setsid();
	if (null < 0 || chdir(directory) < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	join_cgroup(s); /* late, so that little of this is an event */
	execve(s->self, argv, environment);
	_exit(127);
}

/* Waits for the actor and then for what it left behind: orphans become children of this process. */
static _Noreturn void supervise(const struct stage *s, const char *directory, char *const argv[], int out)
{
	int status = 0, code = 127;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid_t actor = fork();
	if (actor == 0)
		become_actor(s, directory, argv, out);
	alarm(ACT_SECONDS_MAX);
	for (pid_t pid; (pid = wait(&status)) > 0 || errno == EINTR;)
		if (pid == actor)
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	_exit(code);
}

/* The last line of what comes out of fd. */
static void read_last_line(int fd, char *ret_last, size_t size)
{
	char text[4096];
	size_t length = 0;
	ssize_t n;
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	const char *line = strrchr(text, '\n');
	snprintf(ret_last, size, "%s", line ? line + 1 : text);
}

int stage_act(const struct stage *s, const char *name, const char *role, char *ret_last, size_t size)
{
	char directory[200], file[220];
	char *const argv[] = {(char *)s->self, (char *)"--act", (char *)name, (char *)role, (char *)s->argument, NULL};
	int status;
	int length = snprintf(directory, sizeof(directory), "%s/%s-%s", s->directory, name, role);
	if (s->lane > 0)
		snprintf(directory + length, sizeof(directory) - (size_t)length, "-%u", s->lane);
	snprintf(file, sizeof(file), "%s.out", directory);
	remove_tree(AT_FDCWD, directory); /* of an actor of the same name before */
	if (mkdir(directory, 0755) < 0)
		return -errno;
	int out = open(file, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	pid_t supervisor = fork();
	if (supervisor == 0)
		supervise(s, directory, argv, out);
	if (supervisor < 0 || waitpid(supervisor, &status, 0) < 0) {
		int r = -errno;
		close(out);
		return r;
	}
	kill_members(s->cgroup); /* none, but after a time-out */
	lseek(out, 0, SEEK_SET);
	read_last_line(out, ret_last, size);
	close(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ETIME;
}

int stage_run(const struct stage *s, const char *path, const char *argv0)
{
	int status;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		char *const argv[] = {(char *)argv0, NULL};
		char *const none[] = {NULL};
		join_cgroup(s);
		execve(path, argv, none);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}
