import { BatchError } from './batch-error.js';

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** What an execution remembers across restarts: JSON by name. It is saved when a chunk commits and when a step or job ends. */
export class ExecutionContext {
  private readonly values: Map<string, JsonValue>;

  constructor(values: Readonly<Record<string, JsonValue>> = {}) {
    this.values = new Map(Object.entries(values));
  }

  get<T extends JsonValue = JsonValue>(key: string): T | undefined {
    return this.values.get(key) as T | undefined;
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  /** @throws BatchError CONTEXT_NOT_JSON when the value could not be read back as it is */
  put(key: string, value: JsonValue): void {
    assertJson(value, key, 0);
    this.values.set(key, value);
  }

  remove(key: string): void {
    this.values.delete(key);
  }

  keys(): string[] {
    return [...this.values.keys()];
  }

  /** The part of the context that belongs to one component. Its keys cannot meet those of another. */
  of(component: string): ExecutionContext {
    return new ComponentContext(this, `${component}.`);
  }

  /** The whole context as a text, for `restore`. */
  snapshot(): string {
    return JSON.stringify(this);
  }

  /** Another context with the same values, also where one is changed in place. */
  copy(): ExecutionContext {
    return new ExecutionContext(JSON.parse(this.snapshot()) as Record<string, JsonValue>);
  }

  /** The values that are new, or other ones than in a copy. */
  changesSince(copy: ExecutionContext): Record<string, JsonValue> {
    const isOther = (key: string): boolean => JSON.stringify(this.get(key)) !== JSON.stringify(copy.get(key));
    return Object.fromEntries(
      this.keys()
        .filter(isOther)
        .map((key) => [key, this.get(key)!]),
    );
  }

  /** Makes the context what it was at a snapshot. */
  restore(snapshot: string): void {
    const before = new ExecutionContext(JSON.parse(snapshot) as Record<string, JsonValue>);
    for (const key of this.keys()) this.remove(key);
    for (const key of before.keys()) this.put(key, before.get(key)!);
  }

  toJSON(): Record<string, JsonValue> {
    return Object.fromEntries(this.values);
  }
}

class ComponentContext extends ExecutionContext {
  constructor(
    private readonly whole: ExecutionContext,
    private readonly prefix: string,
  ) {
    super();
  }

  override get<T extends JsonValue = JsonValue>(key: string): T | undefined {
    return this.whole.get<T>(this.prefix + key);
  }

  override has(key: string): boolean {
    return this.whole.has(this.prefix + key);
  }

  override put(key: string, value: JsonValue): void {
    this.whole.put(this.prefix + key, value);
  }

  override remove(key: string): void {
    this.whole.remove(this.prefix + key);
  }

  override keys(): string[] {
    return this.whole
      .keys()
      .filter((key) => key.startsWith(this.prefix))
      .map((key) => key.slice(this.prefix.length));
  }

  override toJSON(): Record<string, JsonValue> {
    return Object.fromEntries(this.keys().map((key) => [key, this.get(key)!]));
  }
}

/** Deeper values are refused, which also ends the search in a value that contains itself. */
const MAX_DEPTH = 100;

function assertJson(value: unknown, path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw notJson(path, 'contains itself, or is nested too deep');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw notJson(path, `is ${value}`);
    return;
  }
  if (Array.isArray(value)) {
    value.forEach((each, index) => assertJson(each, `${path}[${index}]`, depth + 1));
    return;
  }
  if (typeof value !== 'object') throw notJson(path, `is of type ${typeof value}`);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw notJson(path, `is a ${value.constructor.name}, which would come back as a plain object`);
  }
  for (const [name, each] of Object.entries(value)) assertJson(each, `${path}.${name}`, depth + 1);
}

const notJson = (path: string, why: string): BatchError =>
  new BatchError('CONTEXT_NOT_JSON', `The execution context keeps JSON only, and "${path}" ${why}`);
