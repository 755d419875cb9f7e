import type { Request } from 'express';

/** A path that Express knows, with its methods in lower case. */
interface Layer {
  route?: { methods: Readonly<Record<string, boolean>> };
  match(path: string): boolean;
}

/**
 * The methods that the path of this request supports, by the routes of the application. Empty: there is no such path.
 */
export function allowedMethods({ app, path }: Request): string[] {
  const { stack } = app.router as unknown as { stack: readonly Layer[] };
  const taken = stack.flatMap((layer) => (layer.route !== undefined && layer.match(path) ? [layer.route.methods] : []));
  const methods = new Set(taken.flatMap((each) => Object.keys(each)).map((method) => method.toUpperCase()));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}
