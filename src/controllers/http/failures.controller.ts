import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IFailures } from '../../interfaces/failure.js';
import { FailuresService } from '../../services/outcomes/failures.service.js';
import { queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { FailuresDto } from './dto/failure.dto.js';
import { ListFailuresQueryDto } from './dto/queries.dto.js';

@ApiTags('operations')
@Controller(`${API_PREFIX}/failures`)
export class FailuresController {
  constructor(private readonly failures: FailuresService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'Group the failed operations by code, constraint and target',
    description:
      'Every pair of code and constraint is found, however many operations failed. Of each pair the newest failures are looked ' +
      'at, some thousand together, so counts beyond that are not exact. With `since`, at most the newest 10 000 outcomes are looked ' +
      'at, and counts are exact where there are no more. Retried operations are no failures any more.',
  })
  @ApiOkResponse({ type: FailuresDto })
  @ApiProblems('INVALID_REQUEST')
  list(@Query(queryPipe) query: ListFailuresQueryDto): Promise<IFailures> {
    return this.failures.list(query);
  }
}
