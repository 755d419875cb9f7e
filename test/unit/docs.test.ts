import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map((name) => join(ROOT, name)),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(ROOT, 'docs', name)),
];

const textOf = (page: string): string => readFileSync(page, 'utf8');
const nameOf = (page: string): string => relative(ROOT, page);

/** Links to files of the repository, outside of code. */
function linksOf(page: string): { target: string; anchor: string | undefined }[] {
  const prose = textOf(page).replace(/^```[\s\S]*?^```/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path, anchor] = link.split('#');
      return { target: path === '' ? page : resolve(dirname(page), path!), anchor };
    });
}

/** As GitHub makes them of headings. */
function anchorsOf(page: string): Set<string> {
  return new Set(
    [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
        .replace(/ /g, '-'),
    ),
  );
}

describe('the documentation', () => {
  it.each(PAGES.map(nameOf))('%s links to pages and headings that exist', (name) => {
    const broken = linksOf(join(ROOT, name)).filter(
      ({ target, anchor }) =>
        !existsSync(target) || (anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor)),
    );

    expect(broken.map(({ target, anchor }) => `${nameOf(target)}#${anchor ?? ''}`)).toEqual([]);
  });

  it('has every page in its index', () => {
    const index = new Set(linksOf(join(ROOT, 'docs/README.md')).map(({ target }) => nameOf(target)));

    const missing = PAGES.map(nameOf).filter((name) => /^docs\/[^/]+\.md$/.test(name) && !index.has(name));
    expect(missing).toEqual(['docs/README.md']);
  });
});
