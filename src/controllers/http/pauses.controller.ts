import { Body, Controller, Delete, Get, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IPause, IPauseAnswer, IPauseState } from '../../interfaces/pause.js';
import { callerName, type Access } from '../../services/access/access.js';
import { PausesService } from '../../services/pauses/pauses.service.js';
import { CallerAccess } from '../caller-access.js';
import { namedFieldsPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, BODY_REFUSALS } from './api-problems.js';
import { NewPauseDto, PauseAnswerDto, PauseDto, PauseNameDto, PauseStateDto } from './dto/pause.dto.js';
import { readPauseRequest } from './read-pause-request.js';

@ApiTags('pauses')
@Controller(`${API_PREFIX}/pauses`)
export class PausesController {
  constructor(private readonly pauses: PausesService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List what is paused or drained',
    description: '`remaining` says how many operations of it wait. A drain has ended when it is 0.',
  })
  @ApiOkResponse({ type: [PauseStateDto] })
  @ApiProblems()
  list(): Promise<IPauseState[]> {
    return this.pauses.list();
  }

  @Post()
  @RequireScope('admin')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Pause or drain a lane, a table or a source',
    description:
      'Paused: new operations are accepted, and none of them is executed. A table pauses its whole lane, because the tables of a lane ' +
      'depend on one another. A source pauses only its own operations; later operations of others on the same rows wait behind them. ' +
      'Drained: new operations are refused, and what waits is executed. The same request again changes nothing.',
  })
  @ApiBody({ type: NewPauseDto })
  @ApiOkResponse({ type: PauseAnswerDto })
  @ApiProblems('INVALID_REQUEST', 'UNKNOWN_TARGET', ...BODY_REFUSALS)
  pause(@Body() body: unknown, @CallerAccess() access: Access): Promise<IPauseAnswer> {
    return this.pauses.pause(readPauseRequest(body), callerName(access));
  }

  @Delete(':kind/:name')
  @RequireScope('admin')
  @ApiOperation({
    summary: 'End a pause or a drain',
    description: 'What waited is executed at once, in its order.',
  })
  @ApiOkResponse({ type: PauseDto })
  @ApiProblems('ORIGIN_NOT_ALLOWED', 'INVALID_REQUEST', 'PAUSE_NOT_FOUND')
  unpause(@Param(namedFieldsPipe) { kind, name }: PauseNameDto, @CallerAccess() access: Access): Promise<IPause> {
    return this.pauses.unpause(kind, name, callerName(access));
  }
}
