import type { ExecutionContext } from '../model/execution-context.js';
import type { ExitStatus } from '../model/exit-status.js';
import type { StepExecution } from '../model/step-execution.js';
import type { StepListener } from '../step/step-listener.js';
import type { StepScope } from '../step/step-scope.js';
import type { ItemStream } from './item.js';

/** A reader, processor or writer as the stream that it may be. */
export const asStream = (part: object): ItemStream => part;

/** Opens, asks and closes the parts of a component, each with a part of the component's context. */
export class DelegateStreams implements ItemStream, StepListener {
  private opened: ItemStream[] = [];

  /** @param delegates by what names them in the context, across restarts */
  constructor(private readonly delegates: ReadonlyMap<string, object>) {}

  async open(context: ExecutionContext, scope: StepScope): Promise<void> {
    this.opened = [];
    for (const [name, delegate] of this.delegates) {
      this.opened.push(delegate);
      await asStream(delegate).open?.(context.of(name), scope);
    }
  }

  async update(context: ExecutionContext): Promise<void> {
    for (const [name, delegate] of this.delegates) await asStream(delegate).update?.(context.of(name));
  }

  /** Closes all, and throws the first error. */
  async close(): Promise<void> {
    const failures: { error: unknown }[] = [];
    for (const stream of this.opened.reverse()) {
      try {
        await stream.close?.();
      } catch (error) {
        failures.push({ error });
      }
    }
    this.opened = [];
    if (failures[0] !== undefined) throw failures[0].error;
  }

  async afterStep(execution: StepExecution, scope: StepScope): Promise<ExitStatus | void> {
    let joined: ExitStatus | undefined;
    for (const delegate of this.delegates.values()) {
      const status = await (delegate as StepListener).afterStep?.(execution, scope);
      if (status !== undefined) joined = joined?.and(status) ?? status;
    }
    return joined;
  }
}

/** Delegates in an order, named by their places. */
export const byIndex = (delegates: readonly object[]): Map<string, object> =>
  new Map(delegates.map((delegate, index) => [String(index), delegate]));
