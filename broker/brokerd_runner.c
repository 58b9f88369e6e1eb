/* SPDX-License-Identifier: ISC */
/* The process that runs the hook: see brokerd_runner.h. */
#include "broker/brokerd_runner.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* One that runs. */
struct slot {
	pid_t pid; /* 0: the slot is free */
	int fd;	   /* pidfd, readable when it has ended */
	int64_t kill_at;
	bool killed;
	char device[RUNNER_ID_LEN + 1];
};

struct runner {
	const char *program;
	int socket;
	struct slot slot[RUNNER_SLOTS];
};

/* Become the hook.  Its output goes where our log goes. */
_Noreturn static void
become(const char *program, const char *device)
{
	char *argv[3] = {strdup(program), strdup(device), NULL};
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	/* A group of its own, to be killed as one. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
	    close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
		_exit(126);
	execv(program, argv);
	_exit(127);
}

static void
answer(struct runner *r, const char *device, const char *why)
{
	struct runner_outcome outcome = {.ok = why == NULL};

	snprintf(outcome.device, sizeof(outcome.device), "%s", device);
	snprintf(
	    outcome.why, sizeof(outcome.why), "%s", why == NULL ? "" : why);
	if (write(r->socket, &outcome, sizeof(outcome)) !=
	    (ssize_t)sizeof(outcome))
		_exit(EXIT_FAILURE);
}

static void
start(struct runner *r, const char *device)
{
	struct slot *slot = r->slot;
	pid_t pid;

	while (slot->pid != 0)
		if (++slot == r->slot + RUNNER_SLOTS)
			_exit(EXIT_FAILURE);
	pid = fork();
	if (pid == 0)
		become(r->program, device);
	if (pid < 0) {
		answer(r, device, strerror(errno));
		return;
	}
	setpgid(pid, pid);
	*slot = (struct slot){.pid = pid,
	    .fd = (int)syscall(SYS_pidfd_open, pid, 0),
	    .kill_at = clock_mono_us() + RUNNER_SECONDS * INT64_C(1000000)};
	if (slot->fd < 0)
		_exit(EXIT_FAILURE);
	memcpy(slot->device, device, sizeof(slot->device));
}

/* It has ended: say how. */
static void
finish(struct runner *r, struct slot *slot)
{
	char why[64];
	int status = 0;

	/* With what it left behind, and while its number is still its own. */
	kill(-slot->pid, SIGKILL);
	waitpid(slot->pid, &status, 0);
	close(slot->fd);
	if (slot->killed)
		snprintf(why, sizeof(why), "killed after %d seconds",
		    RUNNER_SECONDS);
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "signal %d", WTERMSIG(status));
	else
		snprintf(
		    why, sizeof(why), "exit status %d", WEXITSTATUS(status));
	slot->pid = 0;
	answer(r, slot->device,
	    !slot->killed && WIFEXITED(status) && WEXITSTATUS(status) == 0
		? NULL
		: why);
}

/* Kill what takes too long; the milliseconds until the next might. */
static int
kill_late(struct runner *r)
{
	int64_t now = clock_mono_us(), next = INT64_MAX;
	size_t i;

	for (i = 0; i < RUNNER_SLOTS; i++) {
		if (r->slot[i].pid == 0 || r->slot[i].killed)
			continue;
		if (r->slot[i].kill_at <= now) {
			kill(-r->slot[i].pid, SIGKILL);
			r->slot[i].killed = true;
		} else if (r->slot[i].kill_at < next) {
			next = r->slot[i].kill_at;
		}
	}
	return next == INT64_MAX ? -1 : (int)((next - now) / 1000 + 1);
}

static void
kill_all(struct runner *r)
{
	size_t i;

	for (i = 0; i < RUNNER_SLOTS; i++)
		if (r->slot[i].pid != 0)
			kill(-r->slot[i].pid, SIGKILL);
}

_Noreturn static void
serve(struct runner *r)
{
	struct pollfd fds[RUNNER_SLOTS + 1];
	char device[RUNNER_ID_LEN + 1];
	ssize_t n;
	size_t i;

	for (;;) {
		for (i = 0; i < RUNNER_SLOTS; i++)
			fds[i] = (struct pollfd){
			    .fd = r->slot[i].pid != 0 ? r->slot[i].fd : -1,
			    .events = POLLIN};
		fds[i] = (struct pollfd){.fd = r->socket, .events = POLLIN};
		if (poll(fds, RUNNER_SLOTS + 1, kill_late(r)) < 0)
			continue;
		for (i = 0; i < RUNNER_SLOTS; i++)
			if (r->slot[i].pid != 0 && fds[i].revents != 0)
				finish(r, &r->slot[i]);
		if (fds[RUNNER_SLOTS].revents == 0)
			continue;
		n = read(r->socket, device, RUNNER_ID_LEN);
		if (n != RUNNER_ID_LEN)
			break;
		device[n] = '\0';
		start(r, device);
	}
	kill_all(r);
	_exit(EXIT_SUCCESS);
}

bool
runner_start(const char *program, int *fd, struct err *err)
{
	struct runner r = {.program = program};
	pid_t parent = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set_errno(err, "cannot make a socket");
	pid = fork();
	if (pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return err_set_errno(err, "cannot start what runs the hook");
	}
	if (pid > 0) {
		close(pair[1]);
		*fd = pair[0];
		return true;
	}
	close(pair[0]);
	r.socket = pair[1];
	/* A terminal's signals are the parent's to answer. */
	setpgid(0, 0);
	prctl(PR_SET_NAME, "brokerd-hooks", 0, 0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
	    getppid() != parent)
		_exit(EXIT_FAILURE);
	serve(&r);
}
