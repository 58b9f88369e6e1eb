/* SPDX-License-Identifier: ISC */
/* pappus-ca request: a sub-CA's key, made where it will be used. */
#include <stdlib.h>
#include <string.h>

#include "ca/key.h"
#include "ca/sign.h"
#include "cert/csr.h"
#include "tools/ca_tool.h"

static bool
prepare(const char *dir, struct err *err)
{
	static const char *const names[] = {"ca.key", "ca.csr", "ca.crt"};
	char *path;
	bool ok = ca_folder_make(dir, err) && ca_folder_lock(dir, err);
	size_t i;

	for (i = 0; ok && i < sizeof(names) / sizeof(names[0]); i++) {
		path = ca_path(dir, names[i]);
		ok = ca_file_absent(path, err);
		free(path);
	}
	return ok;
}

static bool
make_files(const struct ca_args *args, struct ca_ceremony *c, EVP_PKEY *key,
    X509_REQ *csr, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	struct buf pem = BUF_INIT;

	if (!ca_key_seal(args, key, &pem, err))
		return false;
	buf_add_str(&c->text, "  A sub-CA's key was made, and a request for "
			      "its certificate.\n\n");
	ca_ceremony_output(c, dir, "ca.key", &pem);
	ca_describe_csr(&c->text, csr);
	if (!csr_encode_pem(csr, &pem, err)) {
		buf_free(&pem);
		return false;
	}
	ca_ceremony_output(c, dir, "ca.csr", &pem);
	return true;
}

static bool
run(const struct ca_args *args, struct err *err)
{
	const char *dir = args->value[CA_OPT_DIR];
	struct ca_ceremony c;
	EVP_PKEY *key = NULL;
	X509_REQ *csr = NULL;
	bool ok = false;

	ca_ceremony_begin(&c, "request");
	if (!prepare(dir, err))
		goto out;
	key = key_generate("P-256", err);
	if (key == NULL)
		goto out;
	csr = csr_build(
	    args->value[CA_OPT_NAME], args->value[CA_OPT_ORG], key, err);
	ok = csr != NULL && sign_csr(csr, key, err) &&
	     make_files(args, &c, key, csr, err) &&
	     ca_ceremony_commit(&c, dir,
		 "  Carry ca.csr to the root (pappus-ca sign) and compare the "
		 "key's\n"
		 "  SHA-256 there. The key stays here.\n",
		 err);
out:
	X509_REQ_free(csr);
	EVP_PKEY_free(key);
	ca_ceremony_end(&c);
	return ok;
}

const struct ca_command ca_cmd_request = {
    .name = "request",
    .summary = "Make a sub-CA's key and a request for its certificate",
    .details = "Writes DIR/ca.key and DIR/ca.csr, on the host that will sign "
	       "with the key.\n",
    .needs = CA_BIT(CA_OPT_DIR) | CA_BIT(CA_OPT_NAME) | CA_BIT(CA_OPT_ORG),
    .takes = CA_BIT(CA_OPT_PASSPHRASE_FILE) | CA_BIT(CA_OPT_ASK_PASSPHRASE),
    .run = run,
};
