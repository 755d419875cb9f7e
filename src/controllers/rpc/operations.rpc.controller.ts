import { Controller, UseFilters } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { IBatchOperation, ICreateBatchOperationResult } from '../../interfaces/operation.js';
import type { IOperationsPlan } from '../../interfaces/plan.js';
import { RPC_PATTERNS, type ICreateBatchOperationsResponse } from '../../interfaces/rpc.js';
import { ServiceError } from '../../services/errors/service-error.js';
import { ExplainService } from '../../services/explain/explain.service.js';
import { IntakeService } from '../../services/intake/intake.service.js';
import { OperationsService } from '../../services/outcomes/operations.service.js';
import { parseOperationId } from '../operation-id.js';
import { DEFAULT_WAIT_MS, parseWaitTime } from '../wait-time.js';
import { RpcErrorFilter } from './rpc-error.filter.js';

/** The message patterns of the service. What a request holds is checked where REST's is: at the intake. */
@Controller()
@UseFilters(RpcErrorFilter)
export class OperationsRpcController {
  constructor(
    private readonly intake: IntakeService,
    private readonly explainer: ExplainService,
    private readonly operations: OperationsService,
  ) {}

  @MessagePattern(RPC_PATTERNS.createOperation)
  create(@Payload() request: unknown): Promise<ICreateBatchOperationResult> {
    return this.intake.accept(request);
  }

  @MessagePattern(RPC_PATTERNS.createOperations)
  createMany(@Payload() request: unknown): Promise<ICreateBatchOperationsResponse> {
    return this.intake.acceptMany(request);
  }

  @MessagePattern(RPC_PATTERNS.planOperations)
  plan(@Payload() request: unknown): Promise<IOperationsPlan> {
    return this.explainer.explain(request);
  }

  @MessagePattern(RPC_PATTERNS.getOperation)
  async get(@Payload() request: unknown): Promise<IBatchOperation> {
    return this.operations.get(operationIdOf(request));
  }

  @MessagePattern(RPC_PATTERNS.waitForOperation)
  async wait(@Payload() request: unknown): Promise<IBatchOperation> {
    return this.operations.wait(operationIdOf(request), timeoutOf(request));
  }

  @MessagePattern(RPC_PATTERNS.cancelOperation)
  async cancel(@Payload() request: unknown): Promise<IBatchOperation> {
    return this.operations.cancel(operationIdOf(request));
  }

  @MessagePattern(RPC_PATTERNS.retryOperation)
  async retry(@Payload() request: unknown): Promise<IBatchOperation> {
    return this.operations.retry(operationIdOf(request));
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
