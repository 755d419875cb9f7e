import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { TcpContext } from '@nestjs/microservices';
import { assertMeets, type Access } from '../services/access/access.js';
import { AccessService } from '../services/access/access.service.js';
import { RateLimitService } from '../services/access/rate-limit.service.js';
import { carrierOf, grantAccess, grantedAccess } from './caller-access.js';
import { requirementOf } from './require-scope.js';
import { OrderedRmqContext } from './rpc/ordered-rmq-context.js';

/**
 * Accepts a caller whose key has what `RequireScope` declares. An endpoint that declares nothing is closed to
 * everybody. Over RabbitMQ the broker's users count: a user who may write to the queue may do everything.
 */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly access: AccessService,
    private readonly limits: RateLimitService,
  ) {}

  /** @throws ServiceError API_KEY_REQUIRED, INVALID_API_KEY, SCOPE_REQUIRED, USER_ID_REQUIRED, RATE_LIMITED */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const requirement = requirementOf(this.reflector, context);
    if (requirement === undefined) {
      throw new Error(`${context.getClass().name}.${context.getHandler().name} declares no scope: see RequireScope`);
    }
    if (requirement === 'none') return true;
    const carrier = carrierOf(context);
    const access = grantedAccess(carrier) ?? (await this.identify(carrier));
    assertMeets(access, requirement);
    // Requests over REST were counted before their bodies were read, see `limitRequests`. RabbitMQ knows no keys.
    if (carrier instanceof TcpContext) await this.limits.count(access.keyId);
    grantAccess(carrier, access);
    return true;
  }

  /** Callers of REST were identified before, see `identifyCallers`. A caller that was not identified has no key. */
  private async identify(carrier: object): Promise<Access> {
    if (carrier instanceof OrderedRmqContext) return this.access.ofBrokerUser(carrier.user);
    return this.access.authenticate(carrier instanceof TcpContext ? carrier.getMetadata()?.apiKey : undefined);
  }
}
