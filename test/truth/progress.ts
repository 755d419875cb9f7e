export interface Progress {
  add(operations: number): void;
  /** Writes lines where they do not disturb what is shown. */
  say(text: string): void;
  stop(): void;
}

const REDRAW_MS = 500;
/** Where nobody watches, a line for each so much. */
const LINE_EVERY = 0.1;

/** A line that is written over at a terminal; elsewhere a line now and then. */
export function showProgress(stream: NodeJS.WriteStream, total: number): Progress {
  const startedAt = performance.now();
  let done = 0;
  let shown = 0;
  const line = (): string => {
    const perSecond = (done * 1000) / (performance.now() - startedAt);
    return `${thousands(done)} of ${thousands(total)} operations, ${thousands(perSecond)}/s`;
  };
  const erase = (): void => {
    if (stream.isTTY) stream.write('\r\x1b[K');
  };
  const draw = (): void => {
    if (stream.isTTY) stream.write(`\r\x1b[K${line()}`);
  };
  const timer = setInterval(draw, REDRAW_MS);
  timer.unref();
  return {
    add(operations) {
      done += operations;
      if (stream.isTTY || done < shown + total * LINE_EVERY) return;
      shown = done;
      stream.write(`${line()}\n`);
    },
    say(text) {
      erase();
      stream.write(`${text}\n`);
    },
    stop() {
      clearInterval(timer);
      erase();
    },
  };
}

/** 1 234 567 */
export const thousands = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
