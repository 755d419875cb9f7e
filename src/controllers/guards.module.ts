import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ThrottlerModule } from '@nestjs/throttler';
import { RateLimitStorage } from '../services/access/rate-limit.storage.js';
import { SETTINGS } from '../services/config/settings.js';
import { AccessGuard } from './access.guard.js';
import { rateLimits } from './rate-limit.guard.js';

/**
 * Checks who may call what, for every endpoint of HTTP, and limits the messages of RPC, whose patterns name their
 * guards themselves. The limit of HTTP requests is checked before bodies are read, see `limitRequests`.
 */
@Module({
  imports: [ThrottlerModule.forRootAsync({ inject: [SETTINGS, RateLimitStorage], useFactory: rateLimits })],
  providers: [{ provide: APP_GUARD, useClass: AccessGuard }],
})
export class GuardsModule {}
