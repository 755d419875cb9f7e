import { isLostConnection } from '../../interfaces/lost-connection.js';
import { isDatabaseFault } from '../databases/database-fault.js';
import { redisRefusal } from './redis-refusal.js';

/** True when the server of the queue, Redis or PostgreSQL, cannot be reached, or does not serve now. Waiting helps. */
export const isQueueAway = (error: unknown): boolean =>
  isLostConnection(error) || isDatabaseFault(error) || redisRefusal(error)?.passes === true;
