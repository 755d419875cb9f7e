import { Controller, Delete, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IParkedNotification, ISkippedNotifications } from '../../interfaces/notification.js';
import type { IPage } from '../../interfaces/operation.js';
import { callerName, type Access } from '../../services/access/access.js';
import { ParkedNotificationsService } from '../../services/notification/parked-notifications.service.js';
import { CallerAccess } from '../caller-access.js';
import { ChunkIdDto } from '../dto/ids.dto.js';
import { namedFieldsPipe, queryPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { ParkedNotificationPageDto, SkippedNotificationsDto } from './dto/notification.dto.js';
import { PageQueryDto } from './dto/queries.dto.js';

/** Notifications that the broker refuses. */
@ApiTags('notifications')
@Controller(`${API_PREFIX}/notifications`)
export class NotificationsController {
  constructor(private readonly parked: ParkedNotificationsService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List the notifications that are parked, those of the oldest chunks first',
    description:
      'The broker refuses them while it accepts others, usually because they are too large. All others go on, also later ones of the same ' +
      'source. They are tried again after a minute, then with growing pauses, at least every hour. ' +
      '`POST chunks/:id/notifications` sends those of a chunk at once.',
  })
  @ApiOkResponse({ type: ParkedNotificationPageDto })
  @ApiProblems('INVALID_REQUEST')
  list(@Query(queryPipe) page: PageQueryDto): Promise<IPage<IParkedNotification>> {
    return this.parked.list(page);
  }

  @Delete(':id')
  @RequireScope('admin')
  @ApiOperation({
    summary: 'Give up the parked notifications of a chunk',
    description: 'Its sources are not notified of it. The operations do not change, and can be read.',
  })
  @ApiOkResponse({ type: SkippedNotificationsDto })
  @ApiProblems('ORIGIN_NOT_ALLOWED', 'INVALID_REQUEST', 'NOTIFICATION_NOT_FOUND')
  skip(@Param(namedFieldsPipe) { id }: ChunkIdDto, @CallerAccess() access: Access): Promise<ISkippedNotifications> {
    return this.parked.skip(id, callerName(access));
  }
}
