import { Controller, UseFilters, UseGuards } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { ICreateBatchOperationResult } from '../../interfaces/operation.js';
import type { IOperationsPlan } from '../../interfaces/plan.js';
import { RPC_PATTERNS, type ICreateBatchOperationsResponse } from '../../interfaces/rpc.js';
import type { Access } from '../../services/access/access.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { ExplainService } from '../../services/explain/explain.service.js';
import { IntakeService } from '../../services/intake/intake.service.js';
import type { PipelinePlace } from '../../services/intake/submission-pipeline.js';
import { OperationsService } from '../../services/outcomes/operations.service.js';
import type { GivenOperation } from '../../services/outcomes/to-operation.js';
import { AccessGuard } from '../access.guard.js';
import { CallerAccess } from '../caller-access.js';
import { parseOperationId } from '../operation-id.js';
import { RequireScope } from '../require-scope.js';
import { DEFAULT_WAIT_MS, parseWaitTime } from '../wait-time.js';
import { MessagePlace } from './ordered-rmq-context.js';
import { RpcErrorFilter } from './rpc-error.filter.js';

/** The message patterns of the service. Intake checks the contents of a request, as for REST. */
@Controller()
@UseFilters(RpcErrorFilter)
@UseGuards(AccessGuard)
export class OperationsRpcController {
  constructor(
    private readonly intake: IntakeService,
    private readonly explainer: ExplainService,
    private readonly operations: OperationsService,
  ) {}

  @MessagePattern(RPC_PATTERNS.createOperation)
  @RequireScope('write')
  create(
    @Payload() request: unknown,
    @CallerAccess() access: Access,
    @MessagePlace() place?: PipelinePlace,
  ): Promise<ICreateBatchOperationResult> {
    return this.intake.accept(request, access, place);
  }

  @MessagePattern(RPC_PATTERNS.createOperations)
  @RequireScope('write')
  createMany(
    @Payload() request: unknown,
    @CallerAccess() access: Access,
    @MessagePlace() place?: PipelinePlace,
  ): Promise<ICreateBatchOperationsResponse> {
    return this.intake.acceptMany(request, access, place);
  }

  @MessagePattern(RPC_PATTERNS.planOperations)
  @RequireScope('write')
  plan(@Payload() request: unknown, @CallerAccess() access: Access): Promise<IOperationsPlan> {
    return this.explainer.explain(request, access);
  }

  @MessagePattern(RPC_PATTERNS.getOperation)
  @RequireScope('read')
  async get(@Payload() request: unknown, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.get(operationIdOf(request), access);
  }

  @MessagePattern(RPC_PATTERNS.waitForOperation)
  @RequireScope('read')
  async wait(@Payload() request: unknown, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.wait(operationIdOf(request), timeoutOf(request), access);
  }

  @MessagePattern(RPC_PATTERNS.cancelOperation)
  @RequireScope('write')
  async cancel(@Payload() request: unknown, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.cancel(operationIdOf(request), access);
  }

  @MessagePattern(RPC_PATTERNS.retryOperation)
  @RequireScope('write')
  async retry(@Payload() request: unknown, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.retry(operationIdOf(request), access);
  }
}

function operationIdOf(request: unknown): string {
  if (typeof request !== 'object' || request === null || !('id' in request)) {
    throw new ServiceError('INVALID_REQUEST', `The request names no operation; expected { "id": "<uuid>" }`, {
      parameter: 'id',
    });
  }
  return parseOperationId(request.id);
}

function timeoutOf(request: unknown): number {
  const { timeoutMs } = request as { timeoutMs?: unknown };
  return timeoutMs === undefined ? DEFAULT_WAIT_MS : parseWaitTime('timeoutMs', timeoutMs);
}
