// Writes the files of `template` for a name. In paths and texts `__NAME__` becomes `card-payment`, `__CLASS__` `CardPayment`,
// `__CAMEL__` `cardPayment`, `__SNAKE__` `card_payment`. A file `dot.gitignore` becomes `.gitignore`: with its real name it would act here.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as prettier from 'prettier';
import { camelCase, pascalCase } from './check-name.mjs';

const TEMPLATE = join(import.meta.dirname, 'template');
const FORMATTED = /\.(ts|js|json|md|yml)$/;

/** @param folder of the new worker */
export async function renderTemplate(name, folder) {
  const values = { NAME: name, CLASS: pascalCase(name), CAMEL: camelCase(name), SNAKE: name.replaceAll('-', '_') };
  const fill = (text) => text.replace(/__(NAME|CLASS|CAMEL|SNAKE)__/g, (_all, key) => values[key]);
  const style = JSON.parse(readFileSync(join(TEMPLATE, 'dot.prettierrc.json'), 'utf8'));
  const files = readdirSync(TEMPLATE, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const file of files) {
    const source = join(file.parentPath, file.name);
    const path = fill(source.slice(TEMPLATE.length + 1)).replace(/(^|\/)dot\./, '$1.');
    const target = join(folder, path);
    const text = fill(readFileSync(source, 'utf8'));
    mkdirSync(dirname(target), { recursive: true });
    // A long name makes a line longer than is allowed.
    writeFileSync(target, FORMATTED.test(path) ? await prettier.format(text, { ...style, filepath: path }) : text);
  }
}
