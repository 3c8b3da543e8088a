/*
 * bench-run - run a command several times with its output thrown away and
 * print the shortest time, in seconds, and the largest resident size, in KiB.
 *
 *	bench-run [-c FILE] TIMES COMMAND [ARGUMENT...]
 *
 * -c: before each run the system is asked to forget what it holds of FILE, so
 * that the command reads it from the device.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
forget(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fdatasync(fd) != 0 ||
	    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		fprintf(stderr, "bench-run: %s stays in memory\n", path);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	const char *cold = NULL;
	double best = 1e9;
	long rss = 0;
	int times, worst = 0;

	if (argc > 2 && strcmp(argv[1], "-c") == 0) {
		cold = argv[2];
		argc -= 2;
		argv += 2;
	}

	if (argc < 3 || (times = atoi(argv[1])) < 1) {
		fprintf(stderr, "usage: bench-run TIMES COMMAND ...\n");
		return 2;
	}
	for (int i = 0; i < times; i++) {
		double begun, took;
		struct rusage use;
		int status;
		pid_t pid;

		if (cold != NULL)
			forget(cold);
		begun = now();
		pid = fork();
		if (pid == 0) {
			int null = open("/dev/null", O_WRONLY);

			dup2(null, 1);
			execvp(argv[2], argv + 2);
			_exit(127);
		}
		if (pid < 0 || wait4(pid, &status, 0, &use) < 0)
			return 1;
		took = now() - begun;
		if (!WIFEXITED(status) || WEXITSTATUS(status) % 3 != 0)
			worst = 1;
		if (took < best)
			best = took;
		if (use.ru_maxrss > rss)
			rss = use.ru_maxrss;
	}
	printf("%.6f %ld\n", best, rss);
	return worst;
}
