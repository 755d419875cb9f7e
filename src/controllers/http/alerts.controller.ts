import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IAlerts } from '../../interfaces/alert.js';
import { AlertsService } from '../../services/alerts/alerts.service.js';
import { RequireScope } from '../require-scope.js';
import { API_PREFIX } from './api-prefix.js';
import { ApiProblems } from './api-problems.js';
import { AlertsDto } from './dto/alert.dto.js';

@ApiTags('alerts')
@Controller(`${API_PREFIX}/alerts`)
export class AlertsController {
  constructor(private readonly alerts: AlertsService) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({
    summary: 'List the alerts that go on, and recent ones',
    description:
      'Each with its messages: to which channel, whether they were sent, and why not. The rules are evaluated by one process of all, if a ' +
      'channel is configured (Slack, e-mail or webhook, see docs/alerts.md). Alerts that are over are kept for 30 days.',
  })
  @ApiOkResponse({ type: AlertsDto })
  @ApiProblems()
  list(): Promise<IAlerts> {
    return this.alerts.list();
  }
}
