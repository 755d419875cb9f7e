import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IAuditEntry } from '../../interfaces/audit.js';
import type { IPage } from '../../interfaces/operation.js';
import { AuditService } from '../../services/audit/audit.service.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { AuditPageDto } from './dto/audit.dto.js';
import { ListAuditQueryDto } from './dto/queries.dto.js';
import { queryPipe } from '../pipes/validation.pipes.js';

@ApiTags('audit')
@Controller(`${API_PREFIX}/audit`)
export class AuditController {
  constructor(private readonly audit: AuditService) {}

  @Get()
  @RequireScope('admin')
  @ApiOperation({
    summary: 'List who did what, newest first',
    description:
      'Cancels and retries of operations, resumed lanes, notifications that were sent again, parked messages that were sent again or ' +
      'deleted, and changes of API keys. The operation itself shows who created it.',
  })
  @ApiOkResponse({ type: AuditPageDto })
  @ApiProblems('INVALID_REQUEST')
  list(@Query(queryPipe) query: ListAuditQueryDto): Promise<IPage<IAuditEntry>> {
    return this.audit.list(query);
  }
}
