import { Controller, Delete, Get, HttpCode, HttpStatus, Param, Post, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IParkedMessage, IParkedMessages } from '../../interfaces/parked-message.js';
import { callerName, type Access } from '../../services/access/access.js';
import { ParkedMessagesService } from '../../services/rabbitmq/parked-messages.service.js';
import { CallerAccess } from '../caller-access.js';
import { ParkedMessageIdDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems, NO_BODY_REFUSALS } from './api-problems.js';
import { ParkedMessageDto, ParkedMessagesDto } from './dto/parked-message.dto.js';
import { ListParkedMessagesQueryDto } from './dto/queries.dto.js';

/** Messages that the service could not execute. */
@ApiTags('parked messages')
@Controller(`${API_PREFIX}/parked-messages`)
export class ParkedMessagesController {
  constructor(private readonly parked: ParkedMessagesService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List the messages that could not be executed, oldest first',
    description:
      'They wait in the queue `<BATCH_SERVICE_RMQ_QUEUE>.parked` for a decision. The first 1000 of the queue are shown, or the first ' +
      '64 MiB of them; others when these are gone. While their number stays the same, the answer may be 15 seconds old. Without a ' +
      'broker, the request is refused with `NOT_SUPPORTED`.',
  })
  @ApiOkResponse({ type: ParkedMessagesDto })
  @ApiProblems('INVALID_REQUEST', 'NOT_SUPPORTED')
  list(@Query(queryPipe) query: ListParkedMessagesQueryDto): Promise<IParkedMessages> {
    return this.parked.list(query);
  }

  @Post(':id/replays')
  @RequireScope('admin')
  @HttpCode(HttpStatus.OK)
  @ApiOperation({
    summary: 'Send a parked message again, as it was sent first',
    description: 'If it cannot be executed again, it is parked again, with a new id.',
  })
  @ApiOkResponse({ type: ParkedMessageDto, description: 'The message is in its queue again.' })
  @ApiProblems('INVALID_REQUEST', 'PARKED_MESSAGE_NOT_FOUND', 'NOT_SUPPORTED', ...NO_BODY_REFUSALS)
  replay(@Param(namedFieldsPipe) { id }: ParkedMessageIdDto, @CallerAccess() access: Access): Promise<IParkedMessage> {
    return this.parked.replay(id, callerName(access));
  }

  @Delete(':id')
  @RequireScope('admin')
  @ApiOperation({ summary: 'Delete a parked message' })
  @ApiOkResponse({ type: ParkedMessageDto, description: 'The message, which is gone.' })
  @ApiProblems('ORIGIN_NOT_ALLOWED', 'INVALID_REQUEST', 'PARKED_MESSAGE_NOT_FOUND', 'NOT_SUPPORTED')
  discard(@Param(namedFieldsPipe) { id }: ParkedMessageIdDto, @CallerAccess() access: Access): Promise<IParkedMessage> {
    return this.parked.discard(id, callerName(access));
  }
}
