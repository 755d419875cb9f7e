import type { Random } from '../test/support/random.js';

export interface Customer {
  id: number;
  email: string;
  name: string;
}

export interface Article {
  sku: string;
  quantity: number;
}

export interface Order {
  id: number;
  customer: Customer;
  status: 'new' | 'paid' | 'shipped' | 'cancelled';
  items: { article: Article; quantity: number }[];
}

const FIRST_NAMES = [
  'Ada',
  'Bram',
  'Chidi',
  'Dalia',
  'Emre',
  'Fleur',
  'Goran',
  'Hana',
  'Ines',
  'Joris',
  'Kaya',
  'Liam',
];
const LAST_NAMES = [
  'Adeyemi',
  'Bakker',
  'Costa',
  'Dijkstra',
  'Eriksen',
  'Fischer',
  'Garcia',
  'Haddad',
  'Ivanov',
  'Jansen',
];

/** What the shop knows of its rows, so that it can make good operations and bad ones. */
export class Shop {
  readonly customers: Customer[] = [];
  readonly articles: Article[] = [];
  readonly orders: Order[] = [];
  private lastCustomerId = 0;
  private lastOrderId = 100_000;

  constructor(readonly random: Random) {}

  /** A new customer. */
  stranger(): Customer {
    const id = ++this.lastCustomerId;
    const name = `${this.random.pick(FIRST_NAMES)} ${this.random.pick(LAST_NAMES)}`;
    return { id, name, email: `${name.toLowerCase().replace(' ', '.')}.${id}@example.com` };
  }

  newOrderId(): number {
    return ++this.lastOrderId;
  }

  anyOrder(status: Order['status']): Order | undefined {
    const orders = this.orders.filter((order) => order.status === status);
    return orders.length === 0 ? undefined : this.random.pick(orders);
  }

  removeCancelled(): Order[] {
    const cancelled = this.orders.filter(({ status }) => status === 'cancelled');
    const others = this.orders.filter(({ status }) => status !== 'cancelled');
    this.orders.splice(0, this.orders.length, ...others);
    return cancelled;
  }
}
