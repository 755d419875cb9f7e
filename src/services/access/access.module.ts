import { Global, Module } from '@nestjs/common';
import { AccessService } from './access.service.js';
import { RateLimitStorage } from './rate-limit.storage.js';

/** Who may do what, and how often, for every transport. */
@Global()
@Module({ providers: [AccessService, RateLimitStorage], exports: [AccessService, RateLimitStorage] })
export class AccessModule {}
