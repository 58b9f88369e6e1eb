/* SPDX-License-Identifier: ISC */
/* Tests of broker/brokerd_signal.h: who is signalled, and who is not. */
#include "broker/brokerd_signal.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static char path[] = "/tmp/pappus-check.XXXXXX";
static struct err err;

static void
handle(int signal)
{
	_exit(signal == SIGHUP ? 42 : 1);
}

/*
 * A process of that name, with a handler for SIGHUP or without: its number.
 * A SIGHUP ends it, with 42 when it was handled.
 */
static pid_t
process(const char *name, bool handler)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_NAME, name, 0, 0, 0);
		signal(SIGTERM, SIG_DFL); /* check handles it */
		if (handler)
			signal(SIGHUP, handle);
		if (write(ready[1], "", 1) == 1)
			sleep(60);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* Put a text where the broker's number is looked for. */
static void
write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void
write_pid(pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", (long)pid);
	write_file(text);
}

static void
begin(void)
{
	close(mkstemp(path));
}

/* Its exit status; a process that was not signalled is ended by TERM. */
static int
finish(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == 0) {
		kill(pid, SIGTERM);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	}
	unlink(path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(a_broker_is_signalled)
{
	pid_t pid;
	int status;

	begin();
	pid = process("mosquitto", true);
	write_pid(pid);
	ck_assert_int_eq(signal_broker(path, INT64_MAX, &err), SIGNAL_SENT);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	unlink(path);
}
END_TEST

START_TEST(another_process_is_not)
{
	pid_t pid;

	begin();
	pid = process("mosquitto_sub", true);
	write_pid(pid);
	ck_assert_int_eq(signal_broker(path, INT64_MAX, &err), SIGNAL_FAILED);
	ck_assert_ptr_nonnull(strstr(err.detail, "\"mosquitto_sub\""));
	ck_assert_int_eq(finish(pid), -SIGTERM);
}
END_TEST

START_TEST(nor_a_broker_that_it_would_end)
{
	pid_t pid;

	begin();
	pid = process("mosquitto", false);
	write_pid(pid);
	ck_assert_int_eq(
	    signal_broker(path, INT64_MAX, &err), SIGNAL_NOT_READY);
	ck_assert_int_eq(finish(pid), -SIGTERM);
}
END_TEST

START_TEST(nor_one_that_was_started_since)
{
	int64_t before = signal_now() - 20000; /* two ticks */
	pid_t pid;

	begin();
	pid = process("mosquitto", true);
	write_pid(pid);
	ck_assert_int_eq(signal_broker(path, before, &err), SIGNAL_KNOWS);
	ck_assert_int_eq(finish(pid), -SIGTERM);
}
END_TEST

START_TEST(nobody_there)
{
	pid_t pid;

	begin();
	pid = process("mosquitto", true);
	write_pid(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(signal_broker(path, INT64_MAX, &err), SIGNAL_NOBODY);
	unlink(path);
	ck_assert_int_eq(signal_broker(path, INT64_MAX, &err), SIGNAL_NOBODY);
	ck_assert_int_eq(err.code, ERR_NONE);
}
END_TEST

/* 0 and -1 would be groups of processes, 1 is init's. */
START_TEST(no_number_of_a_process)
{
	static const char *const texts[] = {"", "\n", "0\n", "1\n", "-1\n",
	    "mosquitto\n", "12x\n", " 12\n", "+12\n",
	    "99999999999999999999999\n", "4294967297\n"};
	size_t i;

	begin();
	for (i = 0; i < COUNT(texts); i++) {
		err_clear(&err);
		write_file(texts[i]);
		ck_assert_int_eq(
		    signal_broker(path, INT64_MAX, &err), SIGNAL_FAILED);
		ck_assert_int_eq(err.code, ERR_MALFORMED);
	}
	unlink(path);
}
END_TEST

UNIT_MAIN("brokerd_signal", a_broker_is_signalled, another_process_is_not,
    nor_a_broker_that_it_would_end, nor_one_that_was_started_since,
    nobody_there, no_number_of_a_process)
