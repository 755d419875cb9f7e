/** The turn of one among others. */
export interface Turn {
  /** Resolves when all who came before with the same key have had their turns. */
  begun: Promise<void>;
  /** The next one may begin. Repeatable. */
  end(): void;
}

/** Lets those who came with the same key act in the order in which they came, however long each takes to get ready. */
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
