import { FULL_ACCESS, type Access } from '../../src/services/access/access.js';

/** Where no API keys are required. */
export const everybodyLetIn = { identify: (): Promise<Access> => Promise.resolve(FULL_ACCESS) };
