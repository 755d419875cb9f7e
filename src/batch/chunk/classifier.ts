import type { Awaitable } from '../awaitable.js';
import { BatchError } from '../model/batch-error.js';

/** Chooses among parts that have names. */
export interface Classifier<T, Delegate> {
  /** The name of the part that is to work on the item. */
  classify: (item: T) => Awaitable<string>;
  delegates: Readonly<Record<string, Delegate>>;
  /** For names that `delegates` does not have. Default: an error. */
  otherwise?: Delegate;
}

/** The name of `otherwise` in the context. */
const OTHERWISE = 'otherwise';

export class Delegates<T, Delegate extends object> {
  private readonly byClass: Map<string, Delegate>;

  constructor(private readonly classifier: Classifier<T, Delegate>) {
    this.byClass = new Map(Object.entries(classifier.delegates));
  }

  /** @throws BatchError NO_SUCH_DELEGATE */
  async choose(item: T): Promise<Delegate> {
    const name = await this.classifier.classify(item);
    const delegate = this.byClass.get(name) ?? this.classifier.otherwise;
    if (delegate !== undefined) return delegate;
    const known = [...this.byClass.keys()].join(', ');
    throw new BatchError(
      'NO_SUCH_DELEGATE',
      `An item is of the class "${name}", and nothing is there for it. Known: ${known}. Add it, or set "otherwise".`,
    );
  }

  named(): Map<string, object> {
    const { otherwise } = this.classifier;
    const named = [...this.byClass].map(([name, delegate]): [string, object] => [`class.${name}`, delegate]);
    return new Map(otherwise === undefined ? named : [...named, [OTHERWISE, otherwise]]);
  }
}
