/* SPDX-License-Identifier: Apache-2.0
 *
 * What hosts do all day, of which some is what rules are about: short scripts, opens of many kinds, and processes that live for
 * a while and change under way. All of it writes only below the directory of its own, or over mounts of its own.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sieve.h"

#define SHELL "/bin/sh"
#define NOBODY 65534
#define RANDOM_ACTIONS 200
#define TICK_US 10000
#define TICKS_MIN 500u
#define TICKS_MORE 700u
#define OPENS_MAX 6u     /* at a tick */
#define CHANGE_TICKS 80u /* longer than picket takes to tell the kernel what it knows of a process */

/* ---- scripts ---- */
static const char *const scripts[] = {
        "cat /etc/passwd /etc/group; id; who; date; uname -a; hostname",
        "cat /etc/shadow; head -1 /etc/gshadow; stat /etc/shadow; test -r /etc/shadow",
        "find /usr/share/doc -maxdepth 2 -type f | head -200 | xargs cat",
        "find . /etc -maxdepth 2 -name 'id_*'; grep -rl 'PRIVATE KEY' /etc/ssl/private . ; ls -la ~/.ssh",
        "for i in 1 2 3 4 5 6 7 8; do echo $i >f$i; mv f$i g$i; cp g$i h$i; ln g$i i$i; ln -s g$i j$i; rm i$i; done; ls -lR",
        "mkdir -p a/b/c; tar -cf t.tar a; gzip t.tar; tar -tzf t.tar.gz; tar -xzf t.tar.gz -C a; rm -rf a",
        "ln -s /etc/shadow s; cat s; ln /etc/hostname h; cat h; rm s h; cat /etc/../etc/shadow; cat //etc//shadow",
        "cp /bin/sh ./run; chmod 4755 ./run; ./run -c 'id; cat /etc/hosts'; cp /bin/true ./t; ./t; chmod +s t",
        "cp /bin/cat ./sshd; ./sshd /etc/shadow; mv sshd nginx; ./nginx /etc/passwd",
        "(sleep 0.05; cat /etc/hosts) & (cat /etc/shadow) & wait; setsid sh -c 'sleep 0.02; cat /etc/group' & wait",
        "sh -c 'sh -c \"sh -c \\\"cat /etc/shadow; id\\\"\"'",
        "unshare -m sh -c 'mount -t tmpfs none /etc; echo x >/etc/shadow; cat /etc/shadow; echo y >>/etc/crontab; mkdir /etc/cron.d; "
        "echo z >/etc/cron.d/x'",
        "unshare -m sh -c 'mount --bind /etc ./; cat ./shadow; cat shadow; umount ./; cat shadow'",
        "unshare -m sh -c 'mount -t tmpfs none /var/log; echo a >/var/log/syslog; : >/var/log/syslog; rm /var/log/syslog; "
        "echo b >/var/log/auth.log; truncate -s 0 /var/log/auth.log; shred /var/log/auth.log'",
        "unshare -m sh -c 'mount -t tmpfs none /root; mkdir /root/.ssh; echo k >/root/.ssh/authorized_keys; "
        "cat /root/.ssh/authorized_keys; echo h >/root/.bash_history; rm /root/.bash_history'",
        "unshare -m sh -c 'mount -t tmpfs none /usr/local; mkdir /usr/local/bin; cp /bin/true /usr/local/bin/x; "
        "/usr/local/bin/x; chmod u+s /usr/local/bin/x; mv /usr/local/bin/x /usr/local/bin/y'",
        "unshare -n sh -c 'cat /proc/net/tcp; id'; unshare -u hostname boxed; unshare -p -f sh -c 'cat /proc/self/status'",
        "unshare -U -r sh -c 'id; cat /etc/passwd; cat /etc/shadow'",
        "setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'cat /etc/shadow; cat /etc/passwd; id; touch n; ls /root'",
        "setpriv --reuid 65534 --clear-groups --no-new-privs sh -c 'for i in 1 2 3 4 5 6 7 8 9; do cat /etc/hosts; done'",
        "setpriv --bounding-set -all --inh-caps -all sh -c 'cat /etc/shadow; chmod 600 .'",
        "env -i PATH=/usr/bin:/bin LD_PRELOAD=/nowhere.so cat /etc/hosts; HISTFILE=/dev/null sh -c 'id'",
        "exec -a sshd cat /etc/shadow || true; perl -e '$0 = \"kworker/0:1\"; open F, \"/etc/shadow\"; print <F>'",
        "perl -e 'for (1 .. 300) { open F, \"/etc/hosts\" and close F } open F, \"/etc/shadow\"; print <F>'",
        "perl -MSocket -e 'socket S, PF_INET, SOCK_STREAM, 0; connect S, pack_sockaddr_in(9, inet_aton(\"127.0.0.1\"))'",
        "perl -MSocket -e 'socket S, PF_INET, SOCK_DGRAM, 0; send S, \"x\", 0, pack_sockaddr_in(53, inet_aton(\"127.0.0.1\"))'",
        "perl -MSocket -e 'socket S, PF_INET, SOCK_STREAM, 0; bind S, pack_sockaddr_in(0, INADDR_LOOPBACK); listen S, 1; "
        "socket C, PF_INET, SOCK_STREAM, 0; connect C, getsockname S; open STDIN, \"<&C\"; open STDOUT, \">&C\"; "
        "exec \"/bin/sh\", \"-c\", \"id\"'",
        "perl -e 'socket S, 17, 3, 0x300; socket S, 2, 3, 1; socket S, 16, 3, 0'",
        "perl -e 'symlink \"/etc/shadow\", \"z\"; syscall 257, -100, \"z\", 0; syscall 2, \"z\", 0; syscall 85, \"z\"'",
        "curl -s -m 1 http://127.0.0.1:9/; curl -s -o out file:///etc/passwd; curl -s file:///etc/shadow",
        "busybox wget -q -O - http://127.0.0.1:9/x; busybox nc -w 1 127.0.0.1 9; busybox sh -c 'busybox cat /etc/shadow'",
        "echo 'int main(void) { return 0; }' >a.c; gcc -o a.out a.c && ./a.out; rm a.out",
        "dd if=/dev/zero of=d bs=4096 count=4; dd if=/dev/null of=d; cat /dev/urandom | head -c 100; mkfifo p; mknod n c 1 3; cat n",
        "echo aWQK | base64 -d | sh; echo 'cat /etc/shadow' | sh; sh <<E\nid\nE\n",
        "cat /proc/self/environ /proc/1/environ /proc/self/maps; ls -l /proc/self/fd /proc/1/ns; cat /proc/1/cmdline",
        "git init -q r; cd r; echo x >x; git add x; git -c user.name=n -c user.email=e commit -q -m m; git log; git status",
        "mkdir -p .ssh .aws .kube; echo k >.ssh/id_rsa; echo k >.aws/credentials; echo k >.kube/config; cat .ssh/id_rsa "
        ".aws/credentials .kube/config; tar -cf - .ssh | wc -c; rm -rf .ssh",
        "touch -d 2001-01-01 old; chown 65534:65534 old; chmod 000 old; cat old; chattr +i old; chattr -i old; setfattr -n user.x -v y old",
        "nice -n 5 timeout 1 nohup sh -c 'sleep 0.05; id' </dev/null; time true; xargs -n 1 echo </etc/hostname",
        "awk '{ print $1 }' /etc/passwd | sort | uniq | while read -r x; do getent passwd \"$x\"; done",
        "strace -f -o trace cat /etc/hosts; cat trace; gdb -batch -ex quit /bin/true",
        "sed -i 's/a/b/' /nowhere; echo a >e; sed -i s/a/b/ e; perl -pi -e 's/b/c/' e; ed -s e <<E\nw\nq\nE\n",
        "i=0; while [ $i -lt 40 ]; do : <e$i; : >e$i; : <e$i; i=$((i + 1)); done; rm -f e*; rmdir nothing; mkdir d; rmdir d",
};

static void script(void)
{
	unsigned long number = strtoul(act_argument(), NULL, 10);
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)scripts[number % ARRAY_SIZE(scripts)], NULL};
	execv(SHELL, argv);
	act_fail(SHELL);
}

/* With processes and mounts of its own. The number of its process there differs from that outside. */
static void container(void)
{
	static const char *const texts[] = {
	        "id; cat /etc/passwd /etc/group; touch n; cat n; sh -c 'cat /etc/shadow'",
	        "mount -t tmpfs none /opt; cp /bin/true /opt/t; chmod 4755 /opt/t; /opt/t; mknod /opt/d b 1 1; cat /opt/d",
	        "for i in 1 2 3 4 5 6 7 8 9; do cat /etc/hosts; cat /proc/1/status; done; ln -s /etc/shadow s; cat s",
	        "curl -s -m 1 http://127.0.0.1:9/; perl -e 'socket S, 17, 3, 0x300'; nsenter -t 1 -m id; unshare -m id"};
	unsigned long number = strtoul(act_argument(), NULL, 10);
	execl("/usr/bin/unshare", "unshare", "-m", "-p", "-f", "--mount-proc", SHELL, "-c",
	      texts[number % ARRAY_SIZE(texts)], NULL);
	act_fail("/usr/bin/unshare");
}

/* ---- opens of many kinds ---- */
static void random_any(void)
{
	random_act(strtoull(act_argument(), NULL, 10), RANDOM_ACTIONS);
}

/* ---- a process that stays ---- */
/* Rules are about who opens the one, by name, user, or group, and about the other from a working directory. */
#define OWN "/opt/own/x"
#define PLAIN "/opt/plain/x"

static void make_own(void)
{
	act_private_mounts();
	act_tmpfs("/opt");
	MUST(mkdir("/opt/own", 0755));
	MUST(mkdir("/opt/hot", 0755));
	MUST(mkdir("/opt/plain", 0755));
	act_write(OWN, "x", 0644);
	act_write(PLAIN, "x", 0644);
}

static void open_any(void)
{
	static const char *const places[] = {"/etc/passwd",
	                                     "/etc/hosts",
	                                     "note",
	                                     "/proc/self/status",
	                                     "/dev/null",
	                                     "/etc/ld.so.cache",
	                                     "/usr/lib/os-release",
	                                     "/bin/true",
	                                     "../vault/other",
	                                     "nothing",
	                                     "/etc",
	                                     "/usr/share/zoneinfo/UTC",
	                                     "/etc/pam.d/login",
	                                     "/etc/group",
	                                     "./note",
	                                     "/var/log/wtmp",
	                                     PLAIN,
	                                     "/dev/urandom",
	                                     "/tmp",
	                                     "/sys/kernel/mm/ksm/run"};
	static const char *const rare[] = {"/etc/shadow",  "../vault/secret",     "/proc/1/environ",
	                                   "/etc/sudoers", "/root/.ssh/id_rsa",   "/etc/../etc/shadow",
	                                   "/proc/1/mem",  "/var/run/docker.sock"};
	const char *path = random_below(2)    ? OWN
	                   : random_below(40) ? places[random_below(ARRAY_SIZE(places))]
	                                      : rare[random_below(ARRAY_SIZE(rare))];
	int fd = open(path, O_RDONLY | O_CLOEXEC | (random_below(8) ? 0 : O_PATH));
	if (fd >= 0)
		close(fd);
}

static void open_some(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		open_any();
}

static void change_name(void)
{
	static const char *const names[] = {"sshd", "hot-process", "kworker/0:1", "worker"};
	prctl(PR_SET_NAME, names[random_below(ARRAY_SIZE(names))]);
}

/* Another program in the same process. */
static void change_program(void)
{
	static const char name[] = "./hot-process";
	pid_t pid = act_fork();
	if (pid == 0) {
		open_some(10 * OPENS_MAX);
		execl(name, "cat", OWN, (char *)NULL);
		act_fail(name);
	}
	act_wait(pid);
}

static void change_directory(void)
{
	static const char *const places[] = {"/", "/opt/hot", "/usr"};
	int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (chdir(places[random_below(ARRAY_SIZE(places))]) == 0)
		open_some(OPENS_MAX);
	MUST(fchdir(back));
	close(back);
}

static void change_user(void)
{
	MUST(setegid(NOBODY));
	MUST(seteuid(NOBODY));
	open_some(2 * OPENS_MAX);
	MUST(seteuid(0));
	MUST(setegid(0));
}

/* Raw, since the C library would change the others too. */
static void *live_as_nobody(void *argument)
{
	syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
	open_some(OPENS_MAX);
	return argument;
}

static void change_user_of_thread(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, live_as_nobody, NULL) == 0)
		pthread_join(thread, NULL);
}

static void start_program(void)
{
	static const char *const programs[] = {"/bin/true", "/usr/bin/id", "/bin/cat", "/bin/ls"};
	act_run(programs[random_below(ARRAY_SIZE(programs))], random_below(3) ? "worker" : "sshd", "/etc/hosts", NULL);
}

static void start_shell(void)
{
	act_run(SHELL, "sh", "-c", random_below(2) ? "cat /etc/hosts" : "cat /etc/shadow; exit", NULL);
}

/* Its parent ends first. */
static void leave_orphan(void)
{
	pid_t pid = act_fork();
	if (pid > 0) {
		act_wait(pid);
		return;
	}
	if (fork() == 0) {
		usleep(TICK_US);
		change_name();
		open_some(OPENS_MAX);
	}
	_exit(0);
}

static void in_child(void (*what)(void))
{
	pid_t pid = act_fork();
	if (pid == 0) {
		what();
		open_some(2 * OPENS_MAX);
		_exit(0);
	}
	act_wait(pid);
}

static void be_root_elsewhere(void)
{
	(void)!mkdir("root", 0755);
	(void)!mkdir("root/etc", 0755);
	act_write("root/etc/shadow", "x", 0644);
	if (chroot("root") == 0)
		open_any();
}

static void be_in_other_mounts(void)
{
	act_private_etc();
	act_write("/etc/crontab", "x", 0644);
}

static void be_nobody(void)
{
	MUST(setresgid(NOBODY, NOBODY, NOBODY));
	MUST(setresuid(NOBODY, NOBODY, NOBODY));
}

static void be_traced(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void start_child(void)
{
	static void (*const changes[])(void) = {change_name, be_root_elsewhere, be_in_other_mounts, be_nobody,
	                                        be_traced};
	in_child(changes[random_below(ARRAY_SIZE(changes))]);
}

static void change_files(void)
{
	(void)!rename("note", "note.old");
	(void)!symlink(random_below(2) ? "note.old" : "/etc/shadow", "link");
	(void)!link("note.old", "note");
	chmod("note", random_below(2) ? 0644 : 04755);
	open_any();
	(void)!unlink("link");
	(void)!unlink("note.old");
}

static void connect_somewhere(void)
{
	static const uint16_t ports[] = {9, 22, 80, 4444, 53};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, (random_below(2) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	address.sin_port = htons(ports[random_below(ARRAY_SIZE(ports))]);
	(void)!connect(fd, (const struct sockaddr *)&address, sizeof(address));
	close(fd);
}

static void resident(void)
{
	static void (*const changes[])(void) = {
	        change_name,   change_program, change_directory, change_directory, change_user,  change_user_of_thread,
	        start_program, leave_orphan,   start_child,      start_shell,      change_files, connect_somewhere};
	random_begin(strtoull(act_argument(), NULL, 10));
	make_own();
	act_write("note", "x", 0644);
	act_copy("/bin/cat", "hot-process", 0755);
	for (unsigned tick = TICKS_MIN + random_below(TICKS_MORE); tick > 0; tick--) {
		open_some(random_below(OPENS_MAX + 1));
		if (random_below(CHANGE_TICKS) == 0)
			changes[random_below(ARRAY_SIZE(changes))]();
		usleep(TICK_US);
	}
}

const struct evasion hour_cases[] = {
        {.name = HOUR_SCRIPT, .what = "a script", .attempt = script},
        {.name = HOUR_CONTAINER, .what = "as in a container", .attempt = container},
        {.name = HOUR_RANDOM, .what = "opens of many kinds", .attempt = random_any},
        {.name = HOUR_RESIDENT, .what = "a process that stays and changes", .attempt = resident},
        EVASIONS_END};
