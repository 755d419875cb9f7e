import type { Consumers } from './consumers.js';
import type { RedisServer } from './redis-server.js';

/** Kills a consumer after a quarter of the requests, Redis after half of them, and another consumer after three quarters. */
export class Disturbances {
  private readonly plan: { after: number; act: () => Promise<string> }[];
  private readonly running: Promise<void>[] = [];

  constructor(
    requests: number,
    consumers: Consumers,
    redis: RedisServer,
    private readonly say: (line: string) => void,
  ) {
    const kill = (index: number) => async () => {
      const inHand = await consumers.killOne(index);
      return `consumer ${index + 1} was killed with -9 with ${inHand} jobs in hand, and started again`;
    };
    const restart = async () => {
      await redis.restart();
      return 'Redis was killed with -9, and started again';
    };
    this.plan = [
      { after: requests * 0.25, act: kill(0) },
      { after: requests * 0.5, act: restart },
      { after: requests * 0.75, act: kill(1) },
    ];
  }

  /** To be called with the number of requests that are accepted so far. */
  readonly onAccepted = (count: number): void => {
    if (count < (this.plan[0]?.after ?? Infinity)) return;
    const { act } = this.plan.shift()!;
    this.running.push(act().then((what) => this.say(`  after ${count} requests: ${what}`)));
  };

  /** Resolves when all of them have happened. @throws if one has not, or could not be done */
  async done(): Promise<void> {
    await Promise.all(this.running);
    if (this.plan.length > 0) throw new Error(`${this.plan.length} of the faults did not happen`);
  }
}
