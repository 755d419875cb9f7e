import { setTimeout as delay } from 'node:timers/promises';
import { abortable } from './abortable.js';
import type { FigureResult, Scale, Study } from './contest.js';
import { InvalidRunError } from './invalid-run.error.js';
import type { Venue } from './venue.js';

/** How long a study that was interrupted may take to end its processes. */
const FAREWELL_MS = 10_000;

/**
 * Runs a study on a stage of its own.
 *
 * @throws InvalidRunError when it fails; the signal's reason when it is given
 */
export async function runStudy(
  study: Study,
  venue: Venue,
  scale: Scale,
  earlier: readonly FigureResult[],
  signal: AbortSignal,
): Promise<FigureResult> {
  const { kind, name, title } = study;
  signal.throwIfAborted();
  const place = await venue.open(scale, { counted: false });
  const work = study.run(place.stage, earlier);
  // Reported below, or not needed any more.
  const ended = work.catch(() => undefined);
  try {
    return { kind, name, title, ...(await abortable(() => work, signal)) };
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidRunError(`Study ${name}: ${reason}`, { cause: error });
  } finally {
    // A study that goes on fails without its database, and cleans up.
    await place.close();
    if (signal.aborted) await Promise.race([ended, delay(FAREWELL_MS)]);
  }
}
