import { isService } from '../contestants.js';

export const PAPER = '#ffffff';
export const INK = '#1f2933';
export const MUTED = '#5f6c7b';
export const RULE = '#e6e9ee';
/** Without quotation marks: they would end the attribute of the SVG in which they stand. */
export const FONT = 'Helvetica, Arial, sans-serif';

/** The service has the only warm colour on every plot; the others have cool colours. */
export const SERVICE = '#e8590c';
export const SERVICE_PALE = '#f4a261';
export const LIMIT = '#2f4b6e';
export const CONTROL = '#9db2c9';

export function colourOf(contestant: string): string {
  if (contestant === 'Batch Service') return SERVICE;
  if (isService(contestant)) return SERVICE_PALE;
  return contestant === 'direct' ? LIMIT : CONTROL;
}
