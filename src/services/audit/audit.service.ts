import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, type Repository } from 'typeorm';
import { AuditEntity } from '../../entities/audit.entity.js';
import type { IAuditEntry, IAuditQuery } from '../../interfaces/audit.js';
import type { Json } from '../../interfaces/json.js';
import type { IPage } from '../../interfaces/operation.js';
import { DatabaseService } from '../database/database.service.js';
import { insertAudit, type NewAuditEntry } from './audit.sql.js';
import { checkCursor, FIRST_PAGE, pageOf } from '../outcomes/cursor.js';

const DEFAULT_LIMIT = 100;

/** The audit. An entry is written in the transaction of its act where that is one of the service, see `insertAudit`. */
@Injectable()
export class AuditService {
  constructor(
    @InjectRepository(AuditEntity) private readonly audit: Repository<AuditEntity>,
    private readonly database: DatabaseService,
  ) {}

  /** Writes an entry for an act that has a transaction of its own. */
  async record(entry: NewAuditEntry): Promise<void> {
    await this.database.requests.query(insertAudit([entry]));
  }

  /** @throws ServiceError INVALID_REQUEST */
  async list({ act, by, subject, id, limit = DEFAULT_LIMIT, cursor }: IAuditQuery): Promise<IPage<IAuditEntry>> {
    const where = {
      id: LessThan(checkCursor(cursor) ?? FIRST_PAGE),
      ...(act !== undefined && { act }),
      ...(by !== undefined && { actor: by }),
      ...(subject !== undefined && { subjectKind: subject }),
      ...(id !== undefined && { subject: id }),
    };
    const found = await this.database.requests.within(() =>
      this.audit.find({ where, order: { id: 'DESC' }, take: limit }),
    );
    return pageOf(found.map(toEntry), limit);
  }
}

function toEntry({ id, at, act, actor, subjectKind, subject, details }: AuditEntity): IAuditEntry {
  return {
    id,
    at: at.toISOString(),
    act,
    ...(actor !== null && { by: actor }),
    subject: { kind: subjectKind, id: subject },
    details: details as Record<string, Json>,
  };
}
