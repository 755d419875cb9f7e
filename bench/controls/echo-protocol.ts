/** The pattern of the only message of the echo. */
export const ECHO_PATTERN = 'echo';

/** How both sides declare the queue, so that it holds messages over a restart of the broker. */
export const ECHO_QUEUE_OPTIONS = { durable: true };

/** What the process writes when it serves. */
export const ECHO_UP = 'echo is up';
