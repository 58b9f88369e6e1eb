/* SPDX-License-Identifier: ISC */
/* What a program gives up before it serves, and whom it dies with. */
#ifndef PAPPUS_WORLD_PROCESS_H
#define PAPPUS_WORLD_PROCESS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Give up what the program doesn't need: core dumps, being traced or read by
 * others of its user (PR_SET_DUMPABLE), new privileges, and whatever the
 * starter left open beyond the first three files: so before any is opened.
 * Memory is overwritten as it is freed, so that tokens don't lie about in
 * libraries' buffers.
 */
bool process_harden(struct err *err);

/*
 * Forbid this process and its threads to run another program, to trace or
 * read other processes and to change the system (seccomp, EPERM).  After
 * process_harden.  On a kernel or a machine without seccomp filters: false.
 */
bool process_confine(struct err *err);

/*
 * Have signal sent when the parent ends, so that no worker is left behind
 * holding the socket when its supervisor is killed.  False when the parent
 * has ended already.
 */
bool process_die_with_parent(int signal, struct err *err);

#endif
