const NAME = '[A-Za-z_][\\w:.-]*';
const ATTRIBUTE = `\\s+(${NAME})\\s*=\\s*("[^"<]*"|'[^'<]*')`;
const TOKEN = new RegExp(
  [
    '<!--(?:(?!--)[^])*-->',
    '<!\\[CDATA\\[(?:(?!\\]\\]>)[^])*\\]\\]>',
    `<(?<closing>/?)(?<name>${NAME})(?<attributes>(?:${ATTRIBUTE})*)\\s*(?<empty>/?)>`,
    '(?<text>[^<]+)',
  ].join('|'),
  'y',
);
const LOOSE_AMPERSAND = /&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)/;

/**
 * Reads the text as an XML document, without what no plot has in it: a declaration, processing instructions, a document type.
 *
 * @returns the name of its root
 * @throws where it is not well-formed
 */
export function rootOfXml(xml: string): string {
  const token = new RegExp(TOKEN);
  const open: string[] = [];
  const roots: string[] = [];
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const fail = (what: string): never => {
      throw new Error(`${what} at ${at}: ${xml.slice(at, at + 60)}`);
    };
    const groups = token.exec(xml)?.groups ?? fail('No XML');
    if (LOOSE_AMPERSAND.test(`${groups.text ?? ''}${groups.attributes ?? ''}`))
      fail('An ampersand that begins nothing');
    if (groups.text !== undefined && groups.text.trim() !== '' && open.length === 0) fail('Text outside of the root');
    if (groups.name === undefined) continue;
    if (groups.closing === '/') {
      if (open.pop() !== groups.name || groups.attributes !== '') fail('A tag that closes no other');
      continue;
    }
    const names = [...groups.attributes!.matchAll(new RegExp(ATTRIBUTE, 'g'))].map(([, name]) => name);
    if (new Set(names).size < names.length) fail('An attribute twice');
    if (open.length === 0) roots.push(groups.name);
    if (groups.empty !== '/') open.push(groups.name);
  }
  if (open.length > 0) throw new Error(`Never closed: ${open.join(', ')}`);
  if (roots.length !== 1) throw new Error(`${roots.length} roots`);
  return roots[0]!;
}
