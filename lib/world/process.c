/* SPDX-License-Identifier: ISC */
/* Giving up privileges: see process.h. */
#include "world/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stddef.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif

enum { FREED_BYTE = 0xa5 };

bool
process_harden(struct err *err)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return err_set_errno(err, "cannot switch core dumps off");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_set_errno(err, "cannot become undumpable");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set_errno(err, "cannot give up new privileges");
	if (close_range(STDERR_FILENO + 1, UINT_MAX, 0) != 0)
		return err_set_errno(err, "cannot close what was inherited");
	mallopt(M_PERTURB, FREED_BYTE);
	/* As many heaps as can be busy; glibc's default is eight times that. */
	mallopt(M_ARENA_MAX, (int)sysconf(_SC_NPROCESSORS_ONLN));
	return true;
}

#define LOAD(member) \
	BPF_STMT(    \
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define DENY (SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA))
/* Refuse one system call, given by number; else look at the next. */
#define REFUSE(call)                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, DENY)

bool
process_confine(struct err *err)
{
	/* A list of what nobody here needs: simple, and it can't go stale. */
	struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
#if defined(__x86_64__)
		/* The x32 calls are the same ones under other numbers. */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, DENY),
#endif
		REFUSE(__NR_execve),
		REFUSE(__NR_execveat),
		REFUSE(__NR_ptrace),
		REFUSE(__NR_process_vm_readv),
		REFUSE(__NR_process_vm_writev),
		REFUSE(__NR_mount),
		REFUSE(__NR_unshare),
		REFUSE(__NR_setns),
		REFUSE(__NR_bpf),
		REFUSE(__NR_perf_event_open),
		REFUSE(__NR_userfaultfd),
		REFUSE(__NR_init_module),
		REFUSE(__NR_finit_module),
		REFUSE(__NR_kexec_load),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
	    .len = sizeof(filter) / sizeof(filter[0]),
	    .filter = filter,
	};

	if (ARCHITECTURE == 0)
		return err_set(err, ERR_SYSTEM, "no filter for this machine");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
		return err_set_errno(err, "cannot install the seccomp filter");
	return true;
}

bool
process_die_with_parent(int signal, struct err *err)
{
	pid_t parent = getppid();

	if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0)
		return err_set_errno(err, "cannot tie life to the parent");
	if (getppid() != parent)
		return err_set(err, ERR_SYSTEM, "the parent has ended");
	return true;
}
