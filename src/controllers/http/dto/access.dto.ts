import { SCOPES, type IAccess } from '../../../interfaces/access.js';
import { Fields } from './fields.js';

@Fields<IAccess>({
  keyRequired: { description: 'False where the service asks for no keys.', example: true },
  scopes: { enum: SCOPES, enumName: 'KeyScope', isArray: true, example: ['read'] },
  everyTarget: {
    description:
      'False: the key is limited to some tables, and does not reach what shows or changes the tables of all callers.',
    example: true,
  },
  sources: {
    optional: true,
    type: [String],
    description: 'The sources for which it may send operations. Absent: any source.',
    example: ['shop'],
  },
})
export class AccessDto {}
