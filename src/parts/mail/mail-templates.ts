import { MailTemplate, type MailTemplateSource } from './mail-template.js';

/** Loads templates of mails from MAIL_TEMPLATE_DIR. It is injected by this class. */
export class MailTemplates {
  /** @param folder undefined: all templates are the defaults */
  constructor(private readonly folder: string | undefined) {}

  /**
   * Loads a template. Do it once, when the application starts, so that a fault is told then.
   *
   * @param name the files are `<name>.subject.mustache`, `<name>.text.mustache` and `<name>.html.mustache`
   * @param fields the names that the template may use
   * @param defaults what is used where there is no such file
   * @throws MailTemplateError with every fault
   */
  load(name: string, fields: readonly string[], defaults: MailTemplateSource): Promise<MailTemplate> {
    return MailTemplate.load(name, defaults, fields, this.folder);
  }
}
