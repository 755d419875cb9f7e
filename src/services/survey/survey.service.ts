import { Injectable } from '@nestjs/common';
import type { SqlClient } from '../database/sql.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { NOTHING_KNOWN, type Knowledge } from '../planner/knowledge.js';

/**
 * Reads what the planner has to know of the rows that operations name, under lock, before anything is changed. It promises
 * to leave the transaction usable and to know nothing rather than something wrong. What follows from it is the planner's.
 */
@Injectable()
export class SurveyService {
  read(_tx: SqlClient, _operations: readonly BoundOperation[]): Promise<Knowledge> {
    return Promise.resolve(NOTHING_KNOWN);
  }
}
