import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { OpenToAll } from '../require-scope.js';
import { HealthService, type Liveness, type Readiness } from '../../services/health/health.service.js';

const READY = {
  status: 'ready',
  parts: {
    database: { status: 'up' },
    migrations: { status: 'up' },
    redis: { status: 'degraded', reason: 'not connected; workers wait for their interval' },
  },
};
const NOT_READY = {
  status: 'not_ready',
  parts: { database: { status: 'down', reason: 'no answer within 1000 ms' }, migrations: { status: 'up' } },
};
const READINESS_SCHEMA = {
  type: 'object',
  required: ['status', 'parts'],
  properties: {
    status: { type: 'string', enum: ['ready', 'not_ready'] },
    parts: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['status'],
        properties: { status: { type: 'string', enum: ['up', 'degraded', 'down'] }, reason: { type: 'string' } },
      },
    },
  },
};
const ALIVE = { status: 'alive', uptimeSeconds: 86_400 };
const STUCK = {
  status: 'stuck',
  uptimeSeconds: 86_400,
  reasons: { poller: 'a poll has been running for 612 s, longer than BATCH_STUCK_TIMEOUT allows' },
};
const LIVENESS_SCHEMA = {
  type: 'object',
  required: ['status', 'uptimeSeconds'],
  properties: {
    status: { type: 'string', enum: ['alive', 'stuck'] },
    uptimeSeconds: { type: 'number' },
    reasons: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

@ApiTags('health')
@Controller('health')
@OpenToAll()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('live')
  @ApiOperation({
    summary: 'Does this process work, or must it be replaced?',
    description: 'Asks only the process itself, so that it is not restarted because a database or broker is down.',
  })
  @ApiOkResponse({ description: 'It is.', schema: { ...LIVENESS_SCHEMA, example: ALIVE } })
  @ApiServiceUnavailableResponse({
    description: 'It must be replaced: a part of it has stood still for longer than `BATCH_STUCK_TIMEOUT`.',
    content: { 'application/json': { schema: { ...LIVENESS_SCHEMA, example: STUCK } } },
  })
  live(@Res({ passthrough: true }) response: Response): Liveness {
    const liveness = this.health.liveness();
    answer(response, liveness.status === 'alive');
    return liveness;
  }

  @Get('ready')
  @ApiOperation({
    summary: 'Can the service do its work?',
    description: 'Each part with its state; a part that is not up says why.',
  })
  @ApiOkResponse({
    description: 'It can. A degraded part only makes it slower.',
    schema: { ...READINESS_SCHEMA, example: READY },
  })
  @ApiServiceUnavailableResponse({
    description: 'At least one part is down.',
    content: { 'application/json': { schema: { ...READINESS_SCHEMA, example: NOT_READY } } },
  })
  async ready(@Res({ passthrough: true }) response: Response): Promise<Readiness> {
    const readiness = await this.health.readiness();
    answer(response, readiness.status === 'ready');
    return readiness;
  }
}

function answer(response: Response, well: boolean): void {
  response.status(well ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
  response.setHeader('cache-control', 'no-store');
}
