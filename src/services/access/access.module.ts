import { Global, Module } from '@nestjs/common';
import { AccessService } from './access.service.js';
import { RateLimitStorage } from './rate-limit.storage.js';

/** Decides for every transport who may do what, and how often. */
@Global()
@Module({ providers: [AccessService, RateLimitStorage], exports: [AccessService, RateLimitStorage] })
export class AccessModule {}
