/**
 * The flags with which Node must be started for the service. `package.json` and `Dockerfile` use the same.
 *
 * An operation lives for some tens of milliseconds. V8's default young generation is so small that most operations
 * outlive it, are copied twice and collected the slow way: bulk intake took a third more processor time. 16 MB from the
 * start work as well as 64. V8 also lets the old generation grow to several times of what is in use before it collects:
 * with 100 000 waiting operations a process took 300 MB. Collecting at 1.3 times keeps it below 200, for a tenth of the
 * processor time of bulk intake.
 *
 * Stack traces name the lines of the source files. Reading the source maps takes a tenth of a second at the start.
 */
export const NODE_FLAGS = [
  '--max-semi-space-size=16',
  '--min-semi-space-size=16',
  '--heap-growing-percent=30',
  '--enable-source-maps',
] as const;
