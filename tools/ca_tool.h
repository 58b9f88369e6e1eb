/* SPDX-License-Identifier: ISC */
/* What the commands of pappus-ca share; each lives in a file of its own. */
#ifndef PAPPUS_TOOLS_CA_TOOL_H
#define PAPPUS_TOOLS_CA_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "cert/ext.h"
#include "cert/profile.h"
#include "cert/urls.h"

/* --- ca_options.c: command lines ------------------------------------- */

enum ca_opt {
	CA_OPT_DIR,
	CA_OPT_NAME,
	CA_OPT_ORG,
	CA_OPT_CURVE,
	CA_OPT_CRL_URL,
	CA_OPT_CA_URL,
	CA_OPT_TRUST_DOMAIN,
	CA_OPT_REQUEST,
	CA_OPT_PURPOSE,
	CA_OPT_REASON,
	CA_OPT_CERT,
	CA_OPT_ROOT,
	CA_OPT_DNS, /* may be given more than once, as IP */
	CA_OPT_IP,
	CA_OPT_OUT,
	CA_OPT_PASSPHRASE_FILE,
	CA_OPT_ASK_PASSPHRASE,
	CA_OPT_HELP,
	CA_OPT_MAX
};

#define CA_BIT(opt) (1u << (opt))

enum { CA_NAMES_MAX = 64 };

struct ca_args {
	const char *value[CA_OPT_MAX];	     /* NULL: not given; flags: "" */
	struct ext_name names[CA_NAMES_MAX]; /* --dns and --ip, in order */
	size_t name_count;
	char **files; /* what follows the options */
	int file_count;
};

struct ca_command {
	const char *name;
	const char *summary; /* one line */
	const char *details; /* for --help, lines that end in \n */
	unsigned int needs;  /* CA_BIT of options that must be given */
	unsigned int takes;  /* … that may be */
	bool files;	     /* takes FILE…, at least one */
	bool (*run)(const struct ca_args *args, struct err *err);
};

/*
 * Read the options behind the command's name.  ERR_MALFORMED says what is
 * wrong.  With --help nothing that is missing is an error.
 */
bool ca_args_parse(const struct ca_command *command, int argc, char **argv,
    struct ca_args *args, struct err *err);

void ca_command_help(const struct ca_command *command);

/* --- the commands ----------------------------------------------------- */

extern const struct ca_command ca_cmd_root;
extern const struct ca_command ca_cmd_request;
extern const struct ca_command ca_cmd_sign;
extern const struct ca_command ca_cmd_install;
extern const struct ca_command ca_cmd_server;
extern const struct ca_command ca_cmd_service;
extern const struct ca_command ca_cmd_revoke_ca;
extern const struct ca_command ca_cmd_crl;
extern const struct ca_command ca_cmd_show;

/* --- ca_file.c: files that are never overwritten ---------------------- */

/* dir/name in new memory; out of memory ends the process. */
char *ca_path(const char *dir, const char *name);

/* Append a whole file of at most 1 MiB to out. */
bool ca_file_read(const char *path, struct buf *out, struct err *err);

/* ERR_DUPLICATE when there is something at path. */
bool ca_file_absent(const char *path, struct err *err);

/* Make a folder with mode 0700 unless it is there. */
bool ca_folder_make(const char *path, struct err *err);

/*
 * Take a folder for this process until it ends: two ceremonies in one folder
 * would not see each other's serials and subjects.
 */
bool ca_folder_lock(const char *path, struct err *err);

/* One file to be written. */
struct ca_output {
	char *path;
	char *temporary; /* NULL until it is written */
	struct buf data;
	bool in_place;
};

/*
 * Write all files or none, each with mode 0600: all under temporary names
 * first, synced to disk, then renamed to where nothing may be.
 */
bool ca_outputs_write(struct ca_output *outputs, size_t count, struct err *err);

/* --- ca_ceremony.c: what a command leaves behind ----------------------- */

enum { CA_OUTPUTS_MAX = 6 };

struct ca_ceremony {
	const char *command;
	int64_t now; /* unix seconds */
	int64_t now_ms;
	struct buf text; /* of the transcript */
	struct ca_output outputs[CA_OUTPUTS_MAX];
	size_t count;
};

void ca_ceremony_begin(struct ca_ceremony *c, const char *command);

/* Plan a file; takes data's bytes and leaves it empty. */
void ca_ceremony_output(
    struct ca_ceremony *c, const char *dir, const char *name, struct buf *data);

/*
 * Write the planned files and, as the last of them,
 * dir/transcript-<UTC>-<command>.txt, and tell on stdout.  next is what the
 * person has to do now.
 */
bool ca_ceremony_commit(
    struct ca_ceremony *c, const char *dir, const char *next, struct err *err);

/* Wipe and free, whether committed or not. */
void ca_ceremony_end(struct ca_ceremony *c);

/* --- ca_describe.c: objects in words ----------------------------------- */

/* "2026-11-23T16:07:00Z" */
void ca_describe_time(struct buf *out, int64_t seconds);
void ca_describe_name(struct buf *out, const X509_NAME *name);
void ca_describe_cert(struct buf *out, X509 *cert);
/* X.509 extensions one by one, as OpenSSL words them. */
void ca_describe_extensions(
    struct buf *out, const STACK_OF(X509_EXTENSION) * extensions);
void ca_describe_csr(struct buf *out, X509_REQ *csr);
void ca_describe_crl(struct buf *out, X509_CRL *crl);
void ca_describe_key(struct buf *out, EVP_PKEY *key);

/* --- ca_folder.c: a CA that exists -------------------------------------- */

struct ca_folder {
	X509 *cert;
	EVP_PKEY *key;
	struct urls urls;
};

/*
 * Open a folder that holds BASE.crt, BASE.key and BASE.urls ("root" or "ca"),
 * lock it, and check that the three belong together and are of that purpose.
 * ca_folder_read is the same for what needs no key: f->key stays NULL.
 */
bool ca_folder_read(struct ca_folder *f, const char *dir, const char *base,
    enum purpose purpose, struct err *err);
bool ca_folder_open(struct ca_folder *f, const char *dir, const char *base,
    enum purpose purpose, const struct ca_args *args, struct err *err);
void ca_folder_close(struct ca_folder *f);

/* The certificate in a file. */
X509 *ca_cert_read(const char *path, struct err *err);

/* --- ca_leaf.c: what server and service have in common ------------------- */

struct ca_leaf {
	enum profile_id profile; /* PROFILE_SERVER, PROFILE_SERVICE */
	const char *common_name;
	const char *next; /* what the person has to do now */
};

/*
 * Make a key and a certificate (--out and .key, .crt) with the sub-CA in
 * --dir, which must be of the profile's purpose, and commit the ceremony.
 */
bool ca_leaf_make(const struct ca_leaf *leaf, const struct ca_args *args,
    struct ca_ceremony *c, struct err *err);

/* --- ca_terminal.c ------------------------------------------------------ */

/* Ask for a passphrase without echo; for a new key (make) twice. */
bool ca_terminal_ask(bool make, struct buf *passphrase, struct err *err);

/* --- ca_folder.c: keys and their passphrases ----------------------------- */

/*
 * The passphrase for a key that exists (make false) or for a new one, which
 * is asked for twice.  Left empty when neither option was given.
 */
bool ca_passphrase(const struct ca_args *args, bool make,
    struct buf *passphrase, struct err *err);

/* Encode a new key, encrypted when the options give a passphrase. */
bool ca_key_seal(const struct ca_args *args, EVP_PKEY *key, struct buf *pem,
    struct err *err);

/* Load a key, opened by the options' passphrase. */
EVP_PKEY *ca_key_open(
    const struct ca_args *args, const char *path, struct err *err);

#endif
