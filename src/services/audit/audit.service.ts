import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, type Repository } from 'typeorm';
import { AuditEntity } from '../../entities/audit.entity.js';
import type { IAuditEntry, IAuditQuery } from '../../interfaces/audit.js';
import type { Json } from '../../interfaces/json.js';
import type { IPage } from '../../interfaces/operation.js';
import { DatabaseService } from '../database/database.service.js';
import { checkCursor, FIRST_PAGE, pageOf } from '../outcomes/cursor.js';

const DEFAULT_LIMIT = 100;

/** Lists the entries of the audit. Each entry is written in the transaction of its act, see `insertAudit`. */
@Injectable()
export class AuditService {
  constructor(
    @InjectRepository(AuditEntity) private readonly audit: Repository<AuditEntity>,
    private readonly database: DatabaseService,
  ) {}

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
