/* SPDX-License-Identifier: ISC */
/* Tests of world/process.h, each in a child that gives its rights up. */
#include "world/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "unit.h"

/* Run what in a child; its exit status. */
static int
in_child(int (*what)(void))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(what());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
hardened(void)
{
	struct err err = {0};
	struct rlimit core;

	if (!process_harden(&err))
		return 1;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 ||
	    core.rlim_max != 0)
		return 2;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 3;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 4;
}

START_TEST(test_harden_gives_up_what_is_not_needed)
{
	ck_assert_int_eq(in_child(hardened), 0);
}
END_TEST

static int
confined(void)
{
	char *const argv[] = {(char[]){"true"}, NULL};
	struct err err = {0};

	if (!process_harden(&err) || !process_confine(&err))
		return 1;
	execv("/bin/true", argv);
	return errno == EPERM && getppid() > 0 ? 0 : 2;
}

START_TEST(test_a_confined_process_cannot_run_another)
{
	ck_assert_int_eq(in_child(confined), 0);
}
END_TEST

/* The parent ends at once; the grandchild must be told so by the signal. */
static int
orphan(void)
{
	struct err err = {0};
	int pipe_fds[2];
	char byte;

	if (pipe(pipe_fds) != 0)
		return 1;
	if (fork() == 0) {
		if (fork() == 0) {
			process_die_with_parent(SIGKILL, &err);
			close(pipe_fds[0]);
			sleep(60);
			_exit(0);
		}
		usleep(200 * 1000);
		_exit(0);
	}
	close(pipe_fds[1]);
	/* The write end closes when the last who holds it has ended. */
	alarm(30);
	return read(pipe_fds[0], &byte, 1) == 0 ? 0 : 2;
}

START_TEST(test_a_worker_dies_with_its_parent)
{
	ck_assert_int_eq(in_child(orphan), 0);
}
END_TEST

UNIT_MAIN("process", test_harden_gives_up_what_is_not_needed,
    test_a_confined_process_cannot_run_another,
    test_a_worker_dies_with_its_parent)
