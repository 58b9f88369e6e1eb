/* SPDX-License-Identifier: ISC */
/* SIGHUP for mosquitto: see brokerd_signal.h. */
#include "broker/brokerd_signal.h"

#include <sys/syscall.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BROKER "mosquitto"

enum { TEXT_MAX = 4096 };

/* The beginning of a file, as a string.  False when it can't be read. */
static bool
read_text(const char *path, char text[TEXT_MAX + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, text, TEXT_MAX);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

/* A number on the first line; 0: there is none, or none of a process. */
static pid_t
parse_pid(const char *text)
{
	char *end;
	intmax_t pid;

	errno = 0;
	pid = isdigit((unsigned char)*text) ? strtoimax(text, &end, 10) : 0;
	if (pid <= 1 || pid > INT32_MAX || errno != 0 ||
	    (*end != '\0' && *end != '\n'))
		return 0;
	return (pid_t)pid;
}

/* Whether a process is called as the broker is. */
static bool
is_broker(pid_t pid, struct err *err)
{
	char path[40], text[TEXT_MAX + 1];

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	if (!read_text(path, text))
		return err_set_errno(
		    err, "cannot look at process %ld", (long)pid);
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, BROKER) == 0 ||
	       err_set(err, ERR_MISMATCH,
		   "process %ld is \"%.16s\", not " BROKER, (long)pid, text);
}

/* Whether it has a handler for SIGHUP: a mosquitto that starts has none yet. */
static bool
handles_sighup(pid_t pid)
{
	char path[40], text[TEXT_MAX + 1];
	const char *caught;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	if (!read_text(path, text))
		return false;
	caught = strstr(text, "\nSigCgt:");
	return caught != NULL &&
	       (strtoull(caught + strlen("\nSigCgt:"), NULL, 16) >>
		       (SIGHUP - 1) &
		   1) != 0;
}

int64_t
signal_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* When a process was started, rounded down to a tick; 0: not known. */
static int64_t
started_at(pid_t pid)
{
	char path[40], text[TEXT_MAX + 1];
	const char *at;
	int field;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (!read_text(path, text) || (at = strrchr(text, ')')) == NULL)
		return 0;
	/* proc(5): the name is field 2, the start field 22. */
	for (field = 2; field < 22 && at != NULL; field++)
		at = strchr(at + 1, ' ');
	return at == NULL
		   ? 0
		   : strtoll(at, NULL, 10) * (1000000 / sysconf(_SC_CLK_TCK));
}

static enum signal_result
signal_process(pid_t pid, int fd, int64_t changed_us, struct err *err)
{
	if (!is_broker(pid, err))
		return SIGNAL_FAILED;
	if (started_at(pid) > changed_us)
		return SIGNAL_KNOWS;
	if (!handles_sighup(pid))
		return SIGNAL_NOT_READY;
	if (syscall(SYS_pidfd_send_signal, fd, SIGHUP, NULL, 0) == 0)
		return SIGNAL_SENT;
	err_set_errno(err, "cannot signal process %ld", (long)pid);
	return SIGNAL_FAILED;
}

enum signal_result
signal_broker(const char *pid_file, int64_t changed_us, struct err *err)
{
	char text[TEXT_MAX + 1];
	enum signal_result result;
	pid_t pid;
	int fd;

	if (!read_text(pid_file, text)) {
		if (errno == ENOENT)
			return SIGNAL_NOBODY;
		err_set_errno(err, "%.120s", pid_file);
		return SIGNAL_FAILED;
	}
	pid = parse_pid(text);
	if (pid == 0) {
		err_set(err, ERR_MALFORMED, "%.120s holds no pid", pid_file);
		return SIGNAL_FAILED;
	}
	/* From here on the number can't become another process's. */
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		if (errno == ESRCH)
			return SIGNAL_NOBODY;
		err_set_errno(err, "process %ld", (long)pid);
		return SIGNAL_FAILED;
	}
	result = signal_process(pid, fd, changed_us, err);
	close(fd);
	return result;
}
