import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { HealthService, type Readiness } from '../../services/health/health.service.js';

const READY = { status: 'ready', parts: { database: { status: 'up' }, migrations: { status: 'up' } } };
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
        properties: { status: { type: 'string', enum: ['up', 'down'] }, reason: { type: 'string' } },
      },
    },
  },
};

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('live')
  @ApiOperation({
    summary: 'Does the process answer?',
    description: 'Asks nothing else, so that no restart is made for a database that is down.',
  })
  @ApiOkResponse({
    description: 'It does.',
    schema: {
      type: 'object',
      properties: { status: { type: 'string' }, uptimeSeconds: { type: 'number' } },
      example: { status: 'alive', uptimeSeconds: 86_400 },
    },
  })
  live(): { status: 'alive'; uptimeSeconds: number } {
    return { status: 'alive', uptimeSeconds: Math.floor(process.uptime()) };
  }

  @Get('ready')
  @ApiOperation({
    summary: 'Can the service do its work?',
    description: 'Each part with its state; a part that is down says why.',
  })
  @ApiOkResponse({ description: 'All parts are up.', schema: { ...READINESS_SCHEMA, example: READY } })
  @ApiServiceUnavailableResponse({
    description: 'At least one part is down.',
    content: { 'application/json': { schema: { ...READINESS_SCHEMA, example: NOT_READY } } },
  })
  async ready(@Res({ passthrough: true }) response: Response): Promise<Readiness> {
    const readiness = await this.health.readiness();
    response.status(readiness.status === 'ready' ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
    response.setHeader('cache-control', 'no-store');
    return readiness;
  }
}
