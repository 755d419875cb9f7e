import { Global, Module } from '@nestjs/common';
import { AccessService } from './access.service.js';
import { RateLimitService } from './rate-limit.service.js';

/** Decides for every transport who may do what, and how often. */
@Global()
@Module({ providers: [AccessService, RateLimitService], exports: [AccessService, RateLimitService] })
export class AccessModule {}
