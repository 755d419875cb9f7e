export interface Turn {
  /** Resolves when all earlier turns with the same key have ended. */
  begun: Promise<void>;
  /** Lets the next turn begin. May be called more than once. */
  end(): void;
}

/** Lets callers with the same key act in the order in which they came, however long each one prepares. */
export class Turns {
  private readonly last = new Map<unknown, Promise<void>>();

  take(key: unknown): Turn {
    const begun = this.last.get(key) ?? Promise.resolve();
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const over = begun.then(() => ended);
    this.last.set(key, over);
    void over.then(() => {
      if (this.last.get(key) === over) this.last.delete(key);
    });
    return { begun, end };
  }
}
