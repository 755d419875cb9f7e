import type { ICreateBatchOperationRequest } from '../src/client/index.js';
import type { Article, Customer, Order, Shop } from './shop.js';
import { good, type WorkItem } from './work-item.js';

/** An event in a shop: the writes that it causes, in order. Returns none if it cannot happen now. */
export type ShopEvent = (shop: Shop) => WorkItem[];

const COUNTRIES = ['NL', 'BE', 'DE', 'FR'];
const WELCOME_POINTS = 50;

export const insertCustomer = ({ id, email, name }: Customer): ICreateBatchOperationRequest => ({
  operationType: 'insert',
  target: 'customers',
  values: { id, email, name, loyalty_points: WELCOME_POINTS },
});

export const addPoints = ({ id }: Customer, points: number): ICreateBatchOperationRequest => ({
  operationType: 'increment',
  target: 'customers',
  key: { id },
  values: { loyalty_points: points },
});

export const insertOrder = (id: number, customerId: number, total: string): ICreateBatchOperationRequest => ({
  operationType: 'insert',
  target: 'orders',
  values: { id, customer_id: customerId, total, placed_on: '2025-11-28' },
});

export const insertItem = (orderId: number, sku: string, quantity: number): ICreateBatchOperationRequest => ({
  operationType: 'insert',
  target: 'order_items',
  values: { order_id: orderId, sku, quantity },
});

export const changeStock = ({ sku }: Article, difference: number): ICreateBatchOperationRequest => ({
  operationType: 'increment',
  target: 'stock',
  key: { sku },
  values: { quantity: difference },
});

export const setStatus = (orderId: number, status: string): ICreateBatchOperationRequest => ({
  operationType: 'update',
  target: 'orders',
  key: { id: orderId },
  values: { status },
  mustExist: true,
});

export function signUp(shop: Shop): WorkItem[] {
  const customer = shop.stranger();
  shop.customers.push(customer);
  return [good(insertCustomer(customer))];
}

export function listArticle(shop: Shop): WorkItem[] {
  const article = { sku: `SKU-${shop.articles.length + 1}`, quantity: shop.random.integer(200, 2000) };
  shop.articles.push(article);
  const values = { sku: article.sku, title: `Article ${article.sku}`, price: price(shop), quantity: article.quantity };
  return [good({ operationType: 'upsert', target: 'stock', values })];
}

/** An order with its items, each out of the stock, and points for the customer. */
export function placeOrder(shop: Shop): WorkItem[] {
  const { random } = shop;
  const order: Order = {
    id: shop.newOrderId(),
    customer: random.pickPopular(shop.customers),
    status: 'new',
    items: [],
  };
  const work = [good(insertOrder(order.id, order.customer.id, price(shop)))];
  for (const article of someArticles(shop)) {
    const quantity = random.integer(1, 4);
    if (article.quantity < quantity) continue;
    order.items.push({ article, quantity });
    work.push(good(insertItem(order.id, article.sku, quantity)), moveStock(article, -quantity));
  }
  shop.orders.push(order);
  return [...work, good(addPoints(order.customer, random.integer(1, 5)))];
}

export function pay(shop: Shop): WorkItem[] {
  return advance(shop.anyOrder('new'), 'paid');
}

export function ship(shop: Shop): WorkItem[] {
  return advance(shop.anyOrder('paid'), 'shipped');
}

/** The goods of a cancelled order go back into the stock. */
export function cancel(shop: Shop): WorkItem[] {
  const order = shop.anyOrder('new');
  const returned = order?.items.map(({ article, quantity }) => moveStock(article, quantity)) ?? [];
  return [...advance(order, 'cancelled'), ...returned];
}

/** A new quantity of an ordered article. It is an upsert, because the row may exist or not. */
export function changeQuantity(shop: Shop): WorkItem[] {
  const order = shop.anyOrder('new');
  const item = order?.items[0];
  if (!order || !item) return [];
  const quantity = shop.random.integer(1, 6);
  const difference = item.quantity - quantity;
  if (item.article.quantity + difference < 0) return [];
  item.quantity = quantity;
  const values = { order_id: order.id, sku: item.article.sku, quantity };
  return [good({ operationType: 'upsert', target: 'order_items', values }), moveStock(item.article, difference)];
}

/** The supplier's feed: titles and prices of several articles; their quantity stays. */
export function priceFeed(shop: Shop): WorkItem[] {
  return someArticles(shop).map(({ sku }) =>
    good({
      operationType: 'upsert',
      target: 'stock',
      values: { sku, title: `Article ${sku}, new`, price: price(shop) },
    }),
  );
}

export function delivery(shop: Shop): WorkItem[] {
  return someArticles(shop).map((article) => moveStock(article, shop.random.integer(10, 100)));
}

export function editProfile(shop: Shop): WorkItem[] {
  const { id } = shop.random.pick(shop.customers);
  const values = { country: shop.random.pick(COUNTRIES) };
  return [good({ operationType: 'update', target: 'customers', key: { id }, values })];
}

export function changeEmail(shop: Shop): WorkItem[] {
  const customer = shop.random.pick(shop.customers);
  customer.email = `new.${customer.email}`;
  const { id, email } = customer;
  return [good({ operationType: 'update', target: 'customers', key: { id }, values: { email } })];
}

/** Two customers from another system. One of them exists already and stays as it is, because of `ignore`. */
export function importCustomers(shop: Shop): WorkItem[] {
  const known = shop.random.pick(shop.customers);
  const unknown = shop.stranger();
  shop.customers.push(unknown);
  return [known, unknown].map((customer) => good({ ...insertCustomer(customer), onConflict: 'ignore' }));
}

/** An update that may find no row. */
export function lateUpdate(shop: Shop): WorkItem[] {
  return [good({ ...setStatus(shop.newOrderId(), 'shipped'), mustExist: false })];
}

/** Cancelled orders are deleted, several at a time: first the items that refer to them. */
export function cleanUp(shop: Shop): WorkItem[] {
  const orders = shop.removeCancelled();
  const items = orders.flatMap(({ id, items: ordered }) =>
    ordered.map(({ article: { sku } }) =>
      good({ operationType: 'delete', target: 'order_items', key: { order_id: id, sku } }),
    ),
  );
  return [...items, ...orders.map(({ id }) => good({ operationType: 'delete', target: 'orders', key: { id } }))];
}

function advance(order: Order | undefined, status: Order['status']): WorkItem[] {
  if (!order) return [];
  order.status = status;
  return [good(setStatus(order.id, status))];
}

function moveStock(article: Article, difference: number): WorkItem {
  article.quantity += difference;
  return good(changeStock(article, difference));
}

/** One to three different articles. */
function someArticles({ random, articles }: Shop): Article[] {
  return [...new Set(Array.from({ length: random.integer(1, 3) }, () => random.pickPopular(articles)))];
}

function price({ random }: Shop): string {
  return (random.integer(100, 50_000) / 100).toFixed(2);
}
