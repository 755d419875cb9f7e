import type { Transition } from './flow.js';

/** The transition whose pattern fits the exit code. The most specific one wins, whatever the order. */
export function transitionFor(transitions: readonly Transition[], exitCode: string): Transition | undefined {
  return transitions.filter(({ pattern }) => matchesPattern(pattern, exitCode)).sort(bySpecificity)[0];
}

/** `*` is any text, also none. `?` is any one character. */
export function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let position = 0;
  /** Where the last `*` stands, and how much of the text it has taken. */
  let star = -1;
  let taken = 0;
  while (position < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      taken = position;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[position])) {
      at += 1;
      position += 1;
    } else if (star === -1) {
      return false;
    } else {
      at = star + 1;
      position = ++taken;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}

/** Fewer `*` are more specific, then fewer `?`, then a longer pattern. */
function bySpecificity({ pattern: one }: Transition, { pattern: other }: Transition): number {
  return count(one, '*') - count(other, '*') || count(one, '?') - count(other, '?') || other.length - one.length;
}

const count = (text: string, character: string): number => text.split(character).length - 1;
