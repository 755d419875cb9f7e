import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { IStats } from '../../interfaces/stats.js';
import { MetricsService } from '../../services/observability/metrics.service.js';
import { withTimeout } from '../../services/observability/with-timeout.js';
import { StatsService } from '../../services/outcomes/stats.service.js';
import { RequireScope } from '../require-scope.js';
import { ApiProblems } from './api-problems.js';

const STATS_TIMEOUT_MS = 2000;

@ApiTags('health')
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: MetricsService,
    private readonly statsService: StatsService,
  ) {}

  @Get()
  @RequireScope('read', { everyTarget: true })
  @ApiOperation({ summary: 'Metrics of this process and of the queue, for Prometheus' })
  @ApiProduces('text/plain')
  @ApiOkResponse({
    description: "Prometheus' text format. The gauges of the queue are NaN while the database does not answer.",
    content: { 'text/plain': { schema: { type: 'string' }, example: 'batch_operations_pending 42\n' } },
  })
  @ApiProblems()
  async render(@Res({ passthrough: true }) response: Response): Promise<string> {
    const { contentType, body } = await this.metrics.render(await this.queue());
    response.setHeader('content-type', contentType);
    return body;
  }

  /** A scrape has to be answered even if the database does not answer. */
  private queue(): Promise<IStats | undefined> {
    return withTimeout(this.statsService.sharedStats(), STATS_TIMEOUT_MS).catch(() => undefined);
  }
}
