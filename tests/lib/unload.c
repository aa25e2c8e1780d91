/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads the library, uses it in a thread, and closes it while the thread is still there: what the thread holds of the
 * library is given up when it ends, by code that must still be there. The same for a process that forks.
 *
 *   unload LIBRARY
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <picket/vm.h>

static void *library;
static pthread_barrier_t used, closed;

static void *find(const char *name)
{
	void *function = dlsym(library, name);

	if (!function) {
		puts(dlerror());
		exit(2);
	}
	return function;
}

static void *use(void *unused)
{
	int (*new)(struct picket_slot **) = (int (*)(struct picket_slot **))find("picket_slot_new");
	int (*run)(struct picket_slot *, struct picket_call *) =
	        (int (*)(struct picket_slot *, struct picket_call *))find("picket_slot_run");
	void (*free_slot)(struct picket_slot *) = (void (*)(struct picket_slot *))find("picket_slot_free");
	struct picket_call call = {0};
	struct picket_slot *slot;

	(void)unused;
	if (new (&slot))
		exit(2);
	run(slot, &call); /* it is empty, but the thread has been in it */
	free_slot(slot);
	pthread_barrier_wait(&used);
	pthread_barrier_wait(&closed);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	pid_t child;
	int status = -1;

	library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	if (!library) {
		puts(argc == 2 ? dlerror() : "usage: unload LIBRARY");
		return 2;
	}
	pthread_barrier_init(&used, NULL, 2);
	pthread_barrier_init(&closed, NULL, 2);
	if (pthread_create(&thread, NULL, use, NULL))
		return 2;
	pthread_barrier_wait(&used);
	dlclose(library);
	pthread_barrier_wait(&closed);
	pthread_join(thread, NULL);
	child = fork();
	if (child == 0)
		_exit(0);
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}
