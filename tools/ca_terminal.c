/* SPDX-License-Identifier: ISC */
/*
 * Asking for a passphrase.  The echo is off before the prompt stands there
 * (OpenSSL's own reader does it the other way round), and comes back whatever
 * signal arrives.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tools/ca_tool.h"

enum { PASSPHRASE_MAX = 1024 };

static volatile sig_atomic_t interrupted;

static void
interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* What would end or stop the process now only ends the read. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

enum { SIGNAL_COUNT = sizeof(signals) / sizeof(signals[0]) };

static void
signals_catch(struct sigaction before[SIGNAL_COUNT])
{
	struct sigaction catch = {.sa_handler = interrupt};
	int i;

	interrupted = 0;
	sigemptyset(&catch.sa_mask);
	for (i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &catch, &before[i]);
}

static void
signals_restore(const struct sigaction before[SIGNAL_COUNT])
{
	int i;

	for (i = 0; i < SIGNAL_COUNT; i++)
		sigaction(signals[i], &before[i], NULL);
}

/* Prompt and read one line; false when there is none, or it is too long. */
static bool
read_line(int fd, const char *prompt, struct buf *out)
{
	char c = '\0';
	ssize_t n;

	if (write(fd, prompt, strlen(prompt)) < 0)
		return false;
	while (!interrupted && (n = read(fd, &c, 1)) == 1 && c != '\n' &&
	       out->len <= PASSPHRASE_MAX)
		buf_add(out, &c, 1);
	if (write(fd, "\n", 1) < 0 || c != '\n')
		return false;
	return !interrupted && out->len > 0 && out->len <= PASSPHRASE_MAX &&
	       memchr(out->data, '\0', out->len) == NULL;
}

static bool
read_lines(int fd, bool make, struct buf *out, struct err *err)
{
	struct buf again = BUF_INIT;
	bool ok = read_line(fd,
	    make ? "Passphrase for the new key: " : "Passphrase of the key: ",
	    out);

	if (!ok)
		err_set(err, ERR_CONFIG,
		    "no passphrase of 1 to %d bytes was given", PASSPHRASE_MAX);
	else if (make) {
		ok = read_line(fd, "The same again: ", &again) &&
		     again.len == out->len &&
		     memcmp(again.data, out->data, out->len) == 0;
		if (!ok)
			err_set(err, ERR_CONFIG,
			    "the passphrase was not the same twice");
	}
	buf_free(&again);
	return ok;
}

bool
ca_terminal_ask(bool make, struct buf *passphrase, struct err *err)
{
	struct sigaction before[SIGNAL_COUNT];
	struct termios echoing, silent;
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool ok = false;

	if (fd < 0 || tcgetattr(fd, &echoing) != 0) {
		err_set_errno(err, "--ask-passphrase needs a terminal");
		goto out;
	}
	silent = echoing;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	signals_catch(before);
	/* Flushed: what was typed earlier was not meant for this. */
	if (tcsetattr(fd, TCSAFLUSH, &silent) != 0)
		err_set_errno(err, "the terminal's echo");
	else
		ok = read_lines(fd, make, passphrase, err);
	tcsetattr(fd, TCSAFLUSH, &echoing);
	signals_restore(before);
out:
	if (fd >= 0)
		close(fd);
	return ok;
}
