import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Mustache from 'mustache';
import { toSubject, type Mail } from './mail-sender.js';

/** The parts of a template, in the language Mustache: `{{title}}`, `{{#isTest}}…{{/isTest}}`. */
export const MAIL_PARTS = ['subject', 'text', 'html'] as const;
export type MailPart = (typeof MAIL_PARTS)[number];
export type MailTemplateSource = Readonly<Record<MailPart, string>>;

export type MailValues = Readonly<Record<string, string | boolean | undefined>>;

/** A template that cannot be used. One sentence for each fault, with the name of the file. */
export class MailTemplateError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'MailTemplateError';
  }
}

/**
 * What a kind of mails looks like. It promises that values are escaped in HTML and that the subject stays one line, whatever the values
 * contain. A template that would break this, or that names a field that does not exist, is refused when it is loaded.
 */
export class MailTemplate {
  private constructor(
    private readonly mustache: typeof Mustache,
    private readonly source: MailTemplateSource,
  ) {}

  /**
   * Loads a template: each part from the file `<name>.<part>.mustache` of the folder, or the default where there is no such file.
   *
   * @param fields the names that the template may use
   * @throws MailTemplateError
   */
  static async load(
    name: string,
    defaults: MailTemplateSource,
    fields: readonly string[],
    folder?: string,
  ): Promise<MailTemplate> {
    const { default: mustache } = await import('mustache');
    const faults: string[] = [];
    const read = async (part: MailPart): Promise<string> => {
      const file = folder === undefined ? undefined : join(folder, `${name}.${part}.mustache`);
      try {
        const text = file === undefined ? undefined : await readIfThere(file);
        if (text !== undefined) faults.push(...faultsOf(mustache, text, fields).map((fault) => `${file}: ${fault}`));
        return text ?? defaults[part];
      } catch (error) {
        faults.push(`${file}: ${(error as Error).message}`);
        return defaults[part];
      }
    };
    const source = { subject: await read('subject'), text: await read('text'), html: await read('html') };
    if (faults.length > 0) throw new MailTemplateError(faults);
    return new MailTemplate(mustache, source);
  }

  render(values: MailValues): Required<Pick<Mail, 'subject' | 'text' | 'html'>> {
    const plain = { escape: String };
    return {
      subject: toSubject(this.mustache.render(this.source.subject, values, undefined, plain)),
      text: this.mustache.render(this.source.text, values, undefined, plain),
      html: this.mustache.render(this.source.html, values),
    };
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

type Token = ReturnType<typeof Mustache.parse>[number];

function faultsOf(mustache: typeof Mustache, text: string, fields: readonly string[]): string[] {
  return [...tokensOf(mustache.parse(text) as readonly Token[])].flatMap(([kind, name]) => {
    switch (kind) {
      case 'text':
      case '!':
      case '=':
        return [];
      case 'name':
      case '#':
      case '^':
        return name === '.' || fields.includes(name)
          ? []
          : [`there is no field "${name}"; the fields are ${fields.join(', ')}`];
      case '&':
        return [`{{{${name}}}} would not be escaped; write {{${name}}}`];
      default:
        return [`{{${kind}${name}}} is not supported`];
    }
  });
}

function* tokensOf(tokens: readonly Token[]): Generator<Token> {
  for (const token of tokens) {
    yield token;
    if (Array.isArray(token[4])) yield* tokensOf(token[4]);
  }
}
