import { pathToFileURL, URL } from 'node:url';

/** A module of the service that is about to start, by its path under `dist/modules`. */
export function serviceModule(path) {
  return import(new URL(path, pathToFileURL(process.argv[1])).href);
}

/** Takes the place of a method. @throws when there is none of that name any more: the sabotage would do nothing. */
export function replaceMethod(prototype, name, replacement) {
  const original = prototype[name];
  if (typeof original !== 'function') throw new Error(`There is no method ${name} to sabotage`);
  prototype[name] = function (...args) {
    return replacement.call(this, original.bind(this), ...args);
  };
}
