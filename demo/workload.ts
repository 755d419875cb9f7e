import { seededRandom } from '../test/support/random.js';
import {
  addPoints,
  cancel,
  changeEmail,
  changeQuantity,
  cleanUp,
  delivery,
  editProfile,
  importCustomers,
  insertCustomer,
  lateUpdate,
  listArticle,
  pay,
  placeOrder,
  priceFeed,
  ship,
  signUp,
  type ShopEvent,
} from './shop-events.js';
import { FAILURES, REFUSALS, unknownColumn, type Fault } from './shop-faults.js';
import { Shop } from './shop.js';
import { failing, good, type WorkItem } from './work-item.js';

/** The operations of the demo, in the order in which they are to take effect. */
export interface Workload {
  /** Streams that do not depend on one another. They are sent at the same time. */
  opening: WorkItem[][];
  /** Each may depend on those before it. They are sent in order. */
  traffic: WorkItem[];
  /** Each has a row of its own. They are sent all at once, in single calls. */
  singles: WorkItem[];
}

/** How often each event happens, relative to the others. */
const EVENTS: readonly [number, ShopEvent][] = [
  [30, placeOrder],
  [20, pay],
  [12, ship],
  [6, cancel],
  [8, changeQuantity],
  [8, signUp],
  [6, priceFeed],
  [4, delivery],
  [6, editProfile],
  [0.5, changeEmail],
  [3, importCustomers],
  [1, lateUpdate],
  [0.5, cleanUp],
  [6, oneOf(FAILURES)],
  [2, oneOf(REFUSALS)],
];
const WEIGHT = EVENTS.reduce((sum, [weight]) => sum + weight, 0);
/** Faults come later, because they need orders. */
const FIRST_ORDERS = 5;

/** A day of a web shop, in `count` operations (100 at least). The same for the same seed. Pure. */
export function buildWorkload(count: number, seed: number): Workload {
  const shop = new Shop(seededRandom(seed));
  const opening = [take(Math.round(count * 0.1), signUp, shop), take(Math.round(count * 0.025), listArticle, shop)];
  const singles = Math.round(count * 0.015);
  const traffic = simulateTraffic(shop, count - singles - opening.flat().length);
  return { opening, traffic, singles: singleCalls(shop, singles) };
}

export function inOrder({ opening, traffic, singles }: Workload): WorkItem[] {
  return [...opening.flat(), ...traffic, ...singles];
}

function simulateTraffic(shop: Shop, count: number): WorkItem[] {
  const work = Array.from({ length: FIRST_ORDERS }, () => placeOrder(shop)).flat();
  while (work.length < count) work.push(...anyEvent(shop)(shop));
  return work.slice(0, count);
}

function anyEvent({ random }: Shop): ShopEvent {
  let rest = random.next() * WEIGHT;
  return EVENTS.find(([weight]) => (rest -= weight) < 0)![1];
}

/** Sign-ups, points for different customers, and a few mistakes. */
function singleCalls(shop: Shop, count: number): WorkItem[] {
  const known = [...shop.customers];
  return Array.from({ length: count }, (_, index) => {
    const { email } = known[count + index]!;
    if (index % 25 === 7) return failing('UNIQUE_VIOLATION', insertCustomer({ ...shop.stranger(), email }));
    if (index % 25 === 17) return unknownColumn(shop);
    return index % 2 === 0 ? good(insertCustomer(shop.stranger())) : good(addPoints(known[index]!, 10));
  });
}

function oneOf(faults: readonly Fault[]): ShopEvent {
  return (shop) => [shop.random.pick(faults)(shop)];
}

function take(count: number, event: ShopEvent, shop: Shop): WorkItem[] {
  return Array.from({ length: count }, () => event(shop)).flat();
}
