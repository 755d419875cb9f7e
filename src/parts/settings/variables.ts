import type { z } from 'zod';

/** An environment variable: what it takes in words, and its schema. */
export interface Variable<Schema extends z.ZodType = z.ZodType> {
  /** It ends the sentence "expected …". */
  expected: string;
  schema: Schema;
}

export type Variables = Readonly<Record<string, Variable>>;
export type ValuesOf<Named extends Variables> = { [Name in keyof Named]: z.output<Named[Name]['schema']> };
/** The environment without empty variables. */
export type Given = Readonly<Record<string, string | undefined>>;

/** What was read: the settings, undefined when the part is not configured or has a fault; and every fault. */
export interface Read<Settings> {
  settings: Settings | undefined;
  faults: readonly string[];
}

const LONGEST_SHOWN = 100;
/** A log must not show a password, and a URL may contain one. */
const MAY_BE_SECRET = /URL|SECRET|ACCOUNT/;

export function variable<Schema extends z.ZodType>(expected: string, schema: Schema): Variable<Schema> {
  return { expected, schema };
}

/** Reads each variable by itself. Zod's own messages are written for developers, so operators never see them. */
export function readVariables<Named extends Variables>(
  variables: Named,
  given: Given,
): { values: ValuesOf<Named> | undefined; faults: string[] } {
  const texts = new Map(Object.entries(given));
  const read = Object.entries(variables).map(([name, { expected, schema }]) => {
    const { success, data } = schema.safeParse(texts.get(name));
    return { name, data, fault: success ? undefined : faultOf(name, expected, texts.get(name)) };
  });
  const faults = read.flatMap(({ fault }) => fault ?? []);
  if (faults.length > 0) return { values: undefined, faults };
  return { values: Object.fromEntries(read.map(({ name, data }) => [name, data])) as ValuesOf<Named>, faults };
}

function faultOf(name: string, expected: string, value: string | undefined): string {
  const shown =
    value === undefined || MAY_BE_SECRET.test(name) ? '' : `; got ${JSON.stringify(value.slice(0, LONGEST_SHOWN))}`;
  return `${name}: expected ${expected}${shown}`;
}

/** What is wrong when some of the variables of a part are given, and others that it needs are not. */
export function missingFaults(given: Given, needed: readonly string[], others: readonly string[] = []): string[] {
  const isGiven = (name: string): boolean => Object.hasOwn(given, name);
  const first = [...needed, ...others].find(isGiven);
  if (first === undefined) return [];
  return needed.filter((name) => !isGiven(name)).map((name) => `${name}: required, because ${first} is set`);
}
