/*
 * pool.c - threads that do jobs ahead of the one who needs their results.
 *
 * All threads of the library's checks live here.  A thread works on a handle of
 * its own (hm_dup) and on one job at a time; results come back in the order the
 * jobs were put.  Jobs never touch what the consumer touches.
 */
#include <pthread.h>
#include <stdlib.h>

#include "check-int.h"

enum { DEPTH_MAX = 16, THREADS_MAX = 8 };

struct pool {
	pool_fn *work;
	struct hm_fs *fs;
	void *ring[DEPTH_MAX];
	bool done[DEPTH_MAX];
	unsigned depth;
	uint64_t put, taken, started;
	unsigned busy;
	bool stop, paused;
	pthread_mutex_t lock;
	pthread_cond_t wake, ready;
	unsigned nthreads;
	struct thread {
		pthread_t id;
		struct pool *s;
		struct hm_fs *fs;
	} threads[THREADS_MAX];
};

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	struct pool *s = t->s;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->stop && (s->paused || s->started == s->put))
			pthread_cond_wait(&s->wake, &s->lock);
		if (s->stop)
			break;

		unsigned slot = (unsigned)(s->started++ % s->depth);

		s->busy++;
		pthread_mutex_unlock(&s->lock);
		s->work(t->fs, s->ring[slot]);
		pthread_mutex_lock(&s->lock);
		s->busy--;
		s->done[slot] = true;
		pthread_cond_broadcast(&s->ready);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct pool *
pool_open(struct hm_fs *fs, unsigned threads, unsigned depth, pool_fn *work)
{
	struct pool *s = hm_calloc(fs, 1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->fs = fs;
	s->work = work;
	s->depth = depth < 1 ? 1 : depth > DEPTH_MAX ? DEPTH_MAX :
	    depth;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	pthread_cond_init(&s->ready, NULL);
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	for (unsigned i = 0; i < threads; i++) {
		struct thread *t = &s->threads[s->nthreads];

		t->s = s;
		t->fs = hm_dup(fs);
		if (t->fs == NULL)
			break;
		if (pthread_create(&t->id, NULL, thread_main, t) != 0) {
			hm_close(t->fs);
			break;	/* fewer threads, or none, do as well */
		}
		s->nthreads++;
	}
	return s;
}

bool
pool_full(const struct pool *s)
{
	return s->put - s->taken >= s->depth;
}

void
pool_put(struct pool *s, void *job)
{
	unsigned slot = (unsigned)(s->put % s->depth);

	if (s->nthreads == 0) {
		s->work(s->fs, job);
		s->ring[slot] = job;
		s->done[slot] = true;
		s->started = ++s->put;
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->ring[slot] = job;
	s->done[slot] = false;
	s->put++;
	s->paused = false;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void *
pool_take(struct pool *s)
{
	unsigned slot = (unsigned)(s->taken % s->depth);

	if (s->taken == s->put)
		return NULL;
	if (s->nthreads > 0) {
		pthread_mutex_lock(&s->lock);
		if (s->paused) {
			s->paused = false;
			pthread_cond_broadcast(&s->wake);
		}
		while (!s->done[slot])
			pthread_cond_wait(&s->ready, &s->lock);
		pthread_mutex_unlock(&s->lock);
	}
	s->taken++;
	return s->ring[slot];
}

void
pool_pause(struct pool *s)
{
	if (s == NULL || s->nthreads == 0)
		return;
	pthread_mutex_lock(&s->lock);
	s->paused = true;
	while (s->busy > 0)
		pthread_cond_wait(&s->ready, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void
pool_close(struct pool *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->nthreads; i++) {
		pthread_join(s->threads[i].id, NULL);
		hm_close(s->threads[i].fs);
	}
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->ready);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
