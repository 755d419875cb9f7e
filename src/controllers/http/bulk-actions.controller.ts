import { Controller, Get, HttpCode, HttpStatus, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IBulkAction } from '../../interfaces/bulk-action.js';
import type { IPage } from '../../interfaces/operation.js';
import type { Access } from '../../services/access/access.js';
import { BulkActionsService } from '../../services/bulk-actions/bulk-actions.service.js';
import { CallerAccess } from '../caller-access.js';
import { BulkActionIdDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, NO_BODY_REFUSALS } from './api-problems.js';
import { BulkActionDto, BulkActionPageDto } from './dto/bulk-action.dto.js';
import { PageQueryDto } from './dto/queries.dto.js';

/** What `POST operations/retries`, `cancellations` and `erasures` have begun. */
@ApiTags('bulk actions')
@Controller(`${API_PREFIX}/bulk-actions`)
export class BulkActionsController {
  constructor(private readonly actions: BulkActionsService) {}

  @Get()
  @RequireScope('read')
  @ApiOperation({
    summary: 'List bulk actions, newest first',
    description: 'A key that is limited to targets sees its own.',
  })
  @ApiOkResponse({ type: BulkActionPageDto })
  @ApiProblems('INVALID_REQUEST')
  list(@Query(queryPipe) page: PageQueryDto, @CallerAccess() access: Access): Promise<IPage<IBulkAction>> {
    return this.actions.list(page, access);
  }

  @Get(':id')
  @RequireScope('read')
  @ApiOperation({ summary: 'Read how far a bulk action is' })
  @ApiOkResponse({ type: BulkActionDto })
  @ApiProblems('INVALID_ID', 'BULK_ACTION_NOT_FOUND')
  get(@Param(namedFieldsPipe) { id }: BulkActionIdDto, @CallerAccess() access: Access): Promise<IBulkAction> {
    return this.actions.get(id, access);
  }

  @Post(':id/stops')
  @RequireScope('write')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({ summary: 'Stop a bulk action', description: 'After its running step. What was done stays done.' })
  @ApiOkResponse({ type: BulkActionDto })
  @ApiProblems('INVALID_ID', 'BULK_ACTION_NOT_FOUND', 'BULK_ACTION_ENDED', ...NO_BODY_REFUSALS)
  stop(@Param(namedFieldsPipe) { id }: BulkActionIdDto, @CallerAccess() access: Access): Promise<IBulkAction> {
    return this.actions.stop(id, access);
  }
}
