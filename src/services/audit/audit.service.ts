import { Injectable } from '@nestjs/common';
import type { AuditAct, AuditSubject, IAuditEntry, IAuditQuery } from '../../interfaces/audit.js';
import type { Json } from '../../interfaces/json.js';
import type { IPage } from '../../interfaces/operation.js';
import { DatabaseService } from '../database/database.service.js';
import { checkCursor, FIRST_PAGE } from '../outcomes/cursor.js';
import { selectAudit } from './audit.sql.js';

const DEFAULT_LIMIT = 100;

interface AuditRow {
  id: string;
  at: Date;
  act: AuditAct;
  actor: string | null;
  kind: AuditSubject;
  subject: string;
  details: Record<string, Json>;
}

/** Shows who did what. The code that acts writes the entries, in the transaction of the act: see `insertAudit`. */
@Injectable()
export class AuditService {
  constructor(private readonly database: DatabaseService) {}

  /** @throws ServiceError INVALID_REQUEST */
  async list(query: IAuditQuery): Promise<IPage<IAuditEntry>> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const cursor = checkCursor(query.cursor) ?? FIRST_PAGE;
    const { rows } = await this.database.requests.query<AuditRow>(selectAudit(query, cursor, limit));
    const nextCursor = rows.length === limit ? rows.at(-1)?.id : undefined;
    return { items: rows.map(toEntry), ...(nextCursor !== undefined && { nextCursor }) };
  }
}

function toEntry({ id, at, act, actor, kind, subject, details }: AuditRow): IAuditEntry {
  return {
    id,
    at: at.toISOString(),
    act,
    ...(actor !== null && { by: actor }),
    subject: { kind, id: subject },
    details,
  };
}
