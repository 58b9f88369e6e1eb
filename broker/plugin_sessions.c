/* SPDX-License-Identifier: ISC */
/* The live sessions: see plugin_sessions.h. */
#include "broker/plugin_sessions.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 1024 };

struct sessions {
	struct session **bucket;
	size_t buckets; /* a power of two */
	size_t count;
	struct session *oldest;
	struct session *youngest;
};

struct sessions *
sessions_new(void)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->buckets = BUCKETS_MIN;
	s->bucket = calloc(s->buckets, sizeof(*s->bucket));
	if (s->bucket == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

/* Fibonacci hashing: the low bits of a pointer say nothing. */
static size_t
place_of(const struct sessions *s, const void *client)
{
	uint64_t key = (uint64_t)(uintptr_t)client;

	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(key >> 32) & (s->buckets - 1);
}

/* Twice the buckets.  Without memory it stays as it is, only slower. */
static void
grow(struct sessions *s)
{
	struct session *session, **to;
	struct session **old = s->bucket;

	s->bucket = calloc(s->buckets * 2, sizeof(*s->bucket));
	if (s->bucket == NULL) {
		s->bucket = old;
		return;
	}
	s->buckets *= 2;
	free(old);
	for (session = s->oldest; session != NULL; session = session->younger) {
		to = &s->bucket[place_of(s, session->client)];
		session->chain = *to;
		*to = session;
	}
}

static void
queue_append(struct sessions *s, struct session *session)
{
	session->younger = NULL;
	session->older = s->youngest;
	if (s->youngest == NULL)
		s->oldest = session;
	else
		s->youngest->younger = session;
	s->youngest = session;
}

static void
queue_remove(struct sessions *s, struct session *session)
{
	if (session->older == NULL)
		s->oldest = session->younger;
	else
		session->older->younger = session->younger;
	if (session->younger == NULL)
		s->youngest = session->older;
	else
		session->younger->older = session->older;
}

/* What points to the client's session, or to NULL at the end of its bucket. */
static struct session **
find_link(const struct sessions *s, const void *client)
{
	struct session **link = &s->bucket[place_of(s, client)];

	while (*link != NULL && (*link)->client != client)
		link = &(*link)->chain;
	return link;
}

bool
sessions_add(struct sessions *s, const void *client, const char *client_id,
    const struct identity *who, uint64_t checked)
{
	struct session *session = calloc(1, sizeof(*session));
	struct session **to;

	sessions_remove(s, client);
	if (session == NULL ||
	    (session->client_id = strdup(client_id)) == NULL) {
		free(session);
		return false;
	}
	if (s->count >= s->buckets)
		grow(s);
	session->client = client;
	session->who = *who;
	session->checked = checked;
	to = &s->bucket[place_of(s, client)];
	session->chain = *to;
	*to = session;
	queue_append(s, session);
	s->count++;
	return true;
}

struct session *
sessions_find(const struct sessions *s, const void *client)
{
	return *find_link(s, client);
}

void
sessions_remove(struct sessions *s, const void *client)
{
	struct session **link = find_link(s, client);
	struct session *session = *link;

	if (session == NULL)
		return;
	*link = session->chain;
	queue_remove(s, session);
	s->count--;
	free(session->client_id);
	free(session);
}

struct session *
sessions_oldest(const struct sessions *s)
{
	return s->oldest;
}

void
sessions_checked(struct sessions *s, struct session *session, uint64_t list)
{
	session->checked = list;
	queue_remove(s, session);
	queue_append(s, session);
}

size_t
sessions_count(const struct sessions *s)
{
	return s->count;
}

void
sessions_free(struct sessions *s)
{
	if (s == NULL)
		return;
	while (s->oldest != NULL)
		sessions_remove(s, s->oldest->client);
	free(s->bucket);
	free(s);
}
