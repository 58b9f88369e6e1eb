/* SPDX-License-Identifier: ISC */
/* A device's connection: see brokerd_client.h. */
#include "broker/brokerd_client.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/clock.h"
#include "broker/brokerd_mqtt.h"
#include "cert/ossl.h"

enum { KEEP_ALIVE_S = 60, ID_MAX = 64, ALERT_OFFSET = 1000 };

struct client {
	const struct client_target *target;
	int64_t deadline;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	char id[ID_MAX + 1]; /* the certificate's CN */
};

/* ------------------------------------------------------- key, certificate */

/* Who else could read the key? */
static bool
check_private(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_set_errno(err, "%.150s", path);
	return (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 ||
	       err_set(err, ERR_CONFIG,
		   "%.150s: group or others can get at it (mode %03o): make "
		   "it 0600",
		   path, (unsigned int)(st.st_mode & 0777));
}

/* The one CN of the certificate's subject. */
static bool
take_id(struct client *c, const char *path, struct err *err)
{
	X509_NAME *name =
	    X509_get_subject_name(SSL_CTX_get0_certificate(c->ctx));
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	int len;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return err_set(
		    err, ERR_CONFIG, "%.150s: it has not exactly one CN", path);
	len = X509_NAME_get_text_by_NID(
	    name, NID_commonName, c->id, sizeof(c->id));
	return (len > 0 && strlen(c->id) == (size_t)len) ||
	       err_set(err, ERR_CONFIG, "%.150s: its CN is no id", path);
}

static bool
load_identity(struct client *c, const char *prefix, struct err *err)
{
	struct buf crt = BUF_INIT, key = BUF_INIT;
	bool ok;

	buf_add_fmt(&crt, "%s.crt", prefix);
	buf_add_fmt(&key, "%s.key", prefix);
	if (SSL_CTX_use_certificate_chain_file(c->ctx, buf_str(&crt)) != 1)
		ok = ossl_err(err, buf_str(&crt));
	else if (!check_private(buf_str(&key), err))
		ok = false;
	else if (SSL_CTX_use_PrivateKey_file(
		     c->ctx, buf_str(&key), SSL_FILETYPE_PEM) != 1)
		ok = ossl_err(err, buf_str(&key));
	else
		ok = take_id(c, buf_str(&crt), err);
	buf_free(&crt);
	buf_free(&key);
	return ok;
}

static bool
begin(struct client *c, const char *prefix, struct err *err)
{
	c->fd = -1;
	c->ctx = SSL_CTX_new(TLS_client_method());
	if (c->ctx == NULL ||
	    SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1)
		return ossl_err(err, "cannot begin TLS");
	return load_identity(c, prefix, err);
}

static void
end(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	ERR_clear_error();
}

bool
client_check(const char *prefix, struct err *err)
{
	struct client c = {0};
	bool ok = begin(&c, prefix, err);

	end(&c);
	return ok;
}

/* ---------------------------------------------------------- the connection */

/* Wait for the socket; false when the time is over. */
static bool
wait_for(struct client *c, short events, struct err *err)
{
	struct pollfd fd = {.fd = c->fd, .events = events};
	int64_t left = c->deadline - clock_mono_us();
	int rc = left > 0 ? poll(&fd, 1, (int)(left / 1000) + 1) : 0;

	return rc > 0 || (rc < 0 && errno == EINTR) ||
	       err_set(
		   err, ERR_UNAVAILABLE, "the broker did not answer in time");
}

static bool
connect_to(struct client *c, const struct addrinfo *to, struct err *err)
{
	int failure = 0;
	socklen_t len = sizeof(failure);

	c->fd = socket(to->ai_family,
	    to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
	if (c->fd < 0)
		return err_set_errno(err, "cannot make a socket");
	if (connect(c->fd, to->ai_addr, to->ai_addrlen) == 0)
		return true;
	if (errno == EINPROGRESS) {
		if (!wait_for(c, POLLOUT, err))
			return false;
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &len);
		if (failure == 0)
			return true;
		errno = failure;
	}
	return err_set_errno(err, "cannot connect");
}

static bool
connect_any(struct client *c, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *all, *to;
	struct err last = {0};
	bool ok = false;
	int rc = getaddrinfo(c->target->host, c->target->port, &hints, &all);

	if (rc != 0)
		return err_set(err, ERR_UNAVAILABLE, "%.150s: %s",
		    c->target->host, gai_strerror(rc));
	for (to = all; !ok && to != NULL; to = to->ai_next) {
		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		last = (struct err){0};
		ok = connect_to(c, to, &last);
	}
	freeaddrinfo(all);
	if (!ok)
		*err = last;
	return ok;
}

/* ------------------------------------------------------------------- TLS */

/*
 * What it means that the broker ended the connection.  Alerts about
 * certificates (RFC 8446 §6.2) are about ours: its own we judge.
 */
static enum canary_result
judge(unsigned long error, struct err *err)
{
	int alert = ERR_GET_REASON(error) - ALERT_OFFSET;
	const char *text = ERR_reason_error_string(error);

	err_set(err, ERR_REFUSED, "TLS: %s", text == NULL ? "failed" : text);
	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return CANARY_FAILED;
	return (alert >= SSL_AD_BAD_CERTIFICATE &&
		   alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
		       alert == SSL_AD_UNKNOWN_CA ||
		       alert == SSL_AD_ACCESS_DENIED ||
		       alert == SSL_AD_CERTIFICATE_REQUIRED
		   ? CANARY_REFUSED
		   : CANARY_FAILED;
}

/* A step of OpenSSL's: CANARY_UNKNOWN to take it again, or how it ended. */
static enum canary_result
again(struct client *c, int rc, bool established, struct err *err)
{
	unsigned long error = ERR_peek_error();

	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(c, POLLIN, err) ? CANARY_UNKNOWN
						: CANARY_FAILED;
	case SSL_ERROR_WANT_WRITE:
		return wait_for(c, POLLOUT, err) ? CANARY_UNKNOWN
						 : CANARY_FAILED;
	case SSL_ERROR_SSL:
		if (!established ||
		    ERR_GET_REASON(error) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return judge(error, err);
		break;
	default:
		break;
	}
	err_set(err, ERR_UNAVAILABLE,
	    "the broker closed the connection without an answer");
	/* Once it has our certificate, that is an answer. */
	return established ? CANARY_REFUSED : CANARY_FAILED;
}

/* RFC 6066 §3: a name, never an address. */
static void
set_server_name(struct client *c)
{
	struct in6_addr address;
	char *name;

	if (inet_pton(AF_INET, c->target->host, &address) == 1 ||
	    inet_pton(AF_INET6, c->target->host, &address) == 1)
		return;
	name = strdup(c->target->host);
	if (name == NULL)
		abort();
	SSL_set_tlsext_host_name(c->ssl, name);
	free(name);
}

static enum canary_result
handshake(struct client *c, struct err *err)
{
	enum canary_result result;
	int rc;

	if (SSL_CTX_load_verify_file(c->ctx, c->target->ca_file) != 1 ||
	    (c->ssl = SSL_new(c->ctx)) == NULL ||
	    SSL_set1_host(c->ssl, c->target->host) != 1 ||
	    SSL_set_fd(c->ssl, c->fd) != 1) {
		ossl_err(err, "cannot begin TLS");
		return CANARY_FAILED;
	}
	SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	set_server_name(c);
	do {
		ERR_clear_error();
		rc = SSL_connect(c->ssl);
		if (rc == 1)
			return CANARY_ACCEPTED;
		result = again(c, rc, false, err);
	} while (result == CANARY_UNKNOWN);
	return result;
}

/* ------------------------------------------------------------------ MQTT */

static enum canary_result
send_all(struct client *c, const struct buf *out, struct err *err)
{
	enum canary_result result;
	int rc;

	do {
		ERR_clear_error();
		rc = SSL_write(c->ssl, out->data, (int)out->len);
		if (rc > 0)
			return CANARY_ACCEPTED;
		result = again(c, rc, true, err);
	} while (result == CANARY_UNKNOWN);
	return result;
}

static enum canary_result
receive(struct client *c, struct err *err)
{
	uint8_t got[MQTT_CONNACK_LEN], code = 0;
	enum canary_result result = CANARY_UNKNOWN;
	enum mqtt_answer answer = MQTT_MORE;
	size_t len = 0;
	int rc;

	while (answer == MQTT_MORE && result == CANARY_UNKNOWN) {
		ERR_clear_error();
		rc = SSL_read(c->ssl, got + len, (int)(sizeof(got) - len));
		if (rc <= 0) {
			result = again(c, rc, true, err);
			continue;
		}
		len += (size_t)rc;
		answer = mqtt_read_connack(got, len, &code);
	}
	if (answer == MQTT_ACCEPTED)
		return CANARY_ACCEPTED;
	if (answer == MQTT_REFUSED) {
		err_set(err, ERR_REFUSED, "CONNACK with return code %d", code);
		return CANARY_REFUSED;
	}
	if (answer == MQTT_NONSENSE) {
		err_set(err, ERR_MALFORMED, "the answer is no CONNACK");
		return CANARY_FAILED;
	}
	return result;
}

static enum canary_result
talk(struct client *c, struct err *err)
{
	struct buf out = BUF_INIT;
	enum canary_result result;

	mqtt_add_connect(&out, c->id, KEEP_ALIVE_S);
	result = send_all(c, &out, err);
	/* A refusal may have come before all was sent; it says more. */
	if (result != CANARY_FAILED)
		result = receive(c, err);
	if (result == CANARY_ACCEPTED) {
		buf_reset(&out);
		mqtt_add_disconnect(&out);
		SSL_write(c->ssl, out.data, (int)out.len);
		SSL_shutdown(c->ssl);
	}
	buf_free(&out);
	return result;
}

enum canary_result
client_try(
    const struct client_target *target, const char *prefix, struct err *err)
{
	struct client c = {
	    .target = target, .deadline = clock_mono_us() + target->timeout_us};
	enum canary_result result = CANARY_FAILED;

	if (begin(&c, prefix, err) && connect_any(&c, err)) {
		result = handshake(&c, err);
		if (result == CANARY_ACCEPTED)
			result = talk(&c, err);
	}
	end(&c);
	return result;
}
