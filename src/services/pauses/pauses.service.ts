import { Injectable, Logger } from '@nestjs/common';
import type { IPause, IPauseAnswer, IPauseRequest, IPauseState, PauseKind } from '../../interfaces/pause.js';
import { DatabaseService } from '../database/database.service.js';
import { listPauses, pause, unpause } from './pauses.js';

/** Pauses and drains lanes, tables and sources for operators. The claim and intake obey the pauses. */
@Injectable()
export class PausesService {
  private readonly logger = new Logger(PausesService.name);

  constructor(private readonly database: DatabaseService) {}

  list(): Promise<IPauseState[]> {
    return listPauses(this.database.requests);
  }

  /** @see pause */
  async pause(request: IPauseRequest, actor?: string): Promise<IPauseAnswer> {
    const answer = await pause(this.database.requests, request, actor);
    const { kind, name, drain, running } = answer;
    this.logger.log({ message: drain ? 'Drained' : 'Paused', kind, name, running, by: actor });
    return answer;
  }

  /** @see unpause */
  async unpause(kind: PauseKind, name: string, actor?: string): Promise<IPause> {
    const ended = await unpause(this.database.requests, kind, name, actor);
    this.logger.log({ message: 'No longer paused', kind, name: ended.name, by: actor });
    return ended;
  }
}
