import { eventually } from './eventually.js';
import { Shop, type Form, type ShopSettings } from './shop.js';

/** What was seen in each of the two forms. */
export type Seen<Fact> = Record<Form, Fact>;

/** An API that fails. Answers whether an order that comes afterwards is billed. */
export async function apiFails(settings: ShopSettings): Promise<Seen<boolean>> {
  return withBoth(settings, { apis: 1, workers: 1 }, async (shops) => {
    await both(shops, async (shop) => {
      // The API gives no answer, since its process ends.
      await shop.get('broken-report').catch(() => undefined);
      await shop.apiHasEnded();
    });
    const orders = await both(shops, (shop) => shop.order('Elm Street 1'));
    // The separated form is the clock: when it has billed its order, the joined form has had the same time.
    await eventually('the separated form bills an order', () => shops.separated.isBilled(orders.separated));
    return both(shops, (shop) => shop.isBilled(orders[shop.form]));
  });
}

/** A batch that fails. Answers whether the API still answers. */
export async function batchFails(settings: ShopSettings): Promise<Seen<boolean>> {
  return withBoth(settings, { apis: 1, workers: 1 }, (shops) =>
    both(shops, async (shop) => {
      await shop.order('');
      await shop.batchHasEnded();
      return shop.apiAnswers();
    }),
  );
}

/** A slow API. Answers how often the batch ran while the API computed a report for two seconds. */
export async function apiIsSlow(settings: ShopSettings): Promise<Seen<number>> {
  return withBoth(settings, { apis: 1, workers: 1 }, async (shops) => {
    const runsMeanwhile = async (shop: Shop): Promise<number> => {
      const { from, to } = await shop.get<{ from: string; to: string }>('report?seconds=2');
      const runs = await shop.runs();
      return runs.filter(({ startedAt }) => startedAt > new Date(from) && startedAt < new Date(to)).length;
    };
    // One after the other: both reports at once would leave no processor for anything else.
    return { joined: await runsMeanwhile(shops.joined), separated: await runsMeanwhile(shops.separated) };
  });
}

/** Two APIs, and in the separated form two workers. Answers how many invoices one order gets. */
export async function twoApis(settings: ShopSettings): Promise<Seen<number>> {
  return withBoth(settings, { apis: 2, workers: 2 }, (shops) =>
    both(shops, async (shop) => {
      const nothingRunsFromBefore = (): Promise<unknown> => newRuns(shop, shop.form === 'joined' ? 2 : 1);
      await nothingRunsFromBefore();
      const order = await shop.order('Elm Street 1');
      await eventually(`the ${shop.form} form bills an order`, () => shop.isBilled(order));
      await nothingRunsFromBefore();
      return shop.invoices(order);
    }),
  );
}

export interface Scale {
  apis: number;
  /** Processes that run the batch. */
  batches: number;
  /** Runs of the batch, in the same time for both forms. */
  runs: number;
}

/** Three APIs. Answers how many batches there are then. */
export async function threeApis(settings: ShopSettings): Promise<Seen<Scale>> {
  return withBoth(settings, { apis: 3, workers: 1 }, async (shops) => {
    await newRuns(shops.joined, 3);
    const begin = new Date();
    const since = async (shop: Shop): Promise<Scale> => {
      const runs = (await shop.runs()).filter(({ startedAt }) => startedAt > begin);
      return { apis: 3, batches: new Set(runs.map(({ pid }) => pid)).size, runs: runs.length };
    };
    await eventually('the separated form has run its batch', async () => (await since(shops.separated)).runs >= 10);
    return both(shops, since);
  });
}

/** A second worker beside one API, which only the separated form can have. Answers how many processes run the batch then. */
export async function twoWorkers(settings: ShopSettings): Promise<number> {
  const shop = await Shop.open('separated', settings, { apis: 1, workers: 1 });
  try {
    shop.startWorker();
    return await newRuns(shop, 2);
  } finally {
    await shop.close();
  }
}

/**
 * Resolves when so many processes have begun a run from now on. A process begins one when its last one is over; in the separated form
 * one run is over in all processes before the next one begins.
 */
async function newRuns(shop: Shop, processes: number): Promise<number> {
  const begin = new Date();
  return eventually(`${processes} processes run the batch`, async () => {
    const runs = (await shop.runs()).filter(({ startedAt }) => startedAt > begin);
    const pids = new Set(runs.map(({ pid }) => pid));
    return pids.size >= processes && pids.size;
  });
}

async function withBoth<Result>(
  settings: ShopSettings,
  scale: { apis: number; workers: number },
  work: (shops: Record<Form, Shop>) => Promise<Result>,
): Promise<Result> {
  const joined = await Shop.open('joined', settings, scale);
  try {
    const separated = await Shop.open('separated', settings, scale);
    try {
      return await work({ joined, separated });
    } finally {
      await separated.close();
    }
  } finally {
    await joined.close();
  }
}

async function both<Fact>(shops: Record<Form, Shop>, look: (shop: Shop) => Promise<Fact>): Promise<Seen<Fact>> {
  const [joined, separated] = await Promise.all([look(shops.joined), look(shops.separated)]);
  return { joined, separated };
}
