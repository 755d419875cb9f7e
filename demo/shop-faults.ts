import { addPoints, changeStock, insertCustomer, insertItem, insertOrder, setStatus } from './shop-events.js';
import type { Shop } from './shop.js';
import { failing, refused, type WorkItem } from './work-item.js';

/** A write that fails because of a mistake of the caller. The shop has customers, articles and orders. */
export type Fault = (shop: Shop) => WorkItem;

/** Only the database finds these faults: the operations are accepted, and fail later. */
export const FAILURES: readonly Fault[] = [
  // The e-mail address belongs to somebody else.
  (shop) =>
    failing('UNIQUE_VIOLATION', insertCustomer({ ...shop.stranger(), email: shop.random.pick(shop.customers).email })),
  // The row was inserted before.
  (shop) => {
    const { id, customer } = shop.random.pick(shop.orders);
    return failing('UNIQUE_VIOLATION', insertOrder(id, customer.id, '9.90'));
  },
  (shop) => failing('MISSING_PARENT', insertOrder(shop.newOrderId(), -1, '19.90')),
  (shop) => failing('MISSING_PARENT', insertItem(shop.newOrderId(), shop.random.pick(shop.articles).sku, 1)),
  (shop) => failing('STILL_REFERENCED', deleteCustomer(shop.random.pick(shop.orders).customer.id)),
  // It takes more than is in stock.
  (shop) => failing('CHECK_VIOLATION', changeStock(shop.random.pick(shop.articles), -1_000_000)),
  (shop) => failing('CHECK_VIOLATION', insertOrder(shop.newOrderId(), shop.random.pick(shop.customers).id, '-5.00')),
  // Every customer has points already, and a smallint ends at 32767.
  (shop) => failing('VALUE_OUT_OF_RANGE', addPoints(shop.random.pick(shop.customers), 32_767)),
  (shop) => {
    const { target, operationType, values } = insertCustomer(shop.stranger());
    return failing('NOT_NULL_VIOLATION', { operationType, target, values: { ...values, email: null } });
  },
  (shop) => failing('VALUE_TOO_LONG', insertCustomer({ ...shop.stranger(), name: `${'Anna '.repeat(10)}Bell` })),
  (shop) => failing('INVALID_VALUE', setStatus(shop.random.pick(shop.orders).id, 'teleported')),
  (shop) => failing('ROW_NOT_FOUND', setStatus(shop.newOrderId(), 'paid')),
];

/** The service finds these faults: the operations are refused at once, and nothing is stored. */
export const REFUSALS: readonly Fault[] = [
  unknownColumn,
  (shop) => refused('UNKNOWN_TARGET', { ...insertCustomer(shop.stranger()), target: 'clients' }),
  (shop) => refused('VALUE_OUT_OF_RANGE', addPoints(shop.random.pick(shop.customers), 70_000)),
  (shop) =>
    refused('INVALID_VALUE', {
      operationType: 'increment',
      target: 'stock',
      key: { sku: shop.random.pick(shop.articles).sku },
      values: { quantity: 'a few' },
    }),
  (shop) =>
    refused('KEY_NOT_UNIQUE', {
      operationType: 'update',
      target: 'customers',
      key: { name: shop.random.pick(shop.customers).name },
      values: { country: 'BE' },
    }),
];

export function unknownColumn(shop: Shop): WorkItem {
  const { id, name, email } = shop.stranger();
  return refused('UNKNOWN_COLUMN', {
    operationType: 'insert',
    target: 'customers',
    values: { id, name, emial: email },
  });
}

function deleteCustomer(id: number): WorkItem['request'] {
  return { operationType: 'delete', target: 'customers', key: { id } };
}
