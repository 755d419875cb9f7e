import { Controller, UseFilters, UseGuards } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { ApiExcludeController } from '@nestjs/swagger';
import type { ICreateBatchOperationResult, IPage } from '../../interfaces/operation.js';
import type { IBulkAction, IBulkActionCount } from '../../interfaces/bulk-action.js';
import type { IOperationsPlan } from '../../interfaces/plan.js';
import { RPC_PATTERNS, type ICreateBatchOperationsResponse } from '../../interfaces/rpc.js';
import type { Access } from '../../services/access/access.js';
import { BulkActionsService } from '../../services/bulk-actions/bulk-actions.service.js';
import { ExplainService } from '../../services/explain/explain.service.js';
import { IntakeService } from '../../services/intake/intake.service.js';
import type { PipelinePlace } from '../../services/intake/submission-pipeline.js';
import { OperationsService } from '../../services/outcomes/operations.service.js';
import type { GivenOperation } from '../../services/outcomes/to-operation.js';
import { AccessGuard } from '../access.guard.js';
import { CallerAccess } from '../caller-access.js';
import { BulkActionIdDto, OperationIdDto, WaitForOperationDto } from '../dto/ids.dto.js';
import { PageDto } from '../dto/page.dto.js';
import { namedFieldsPipe } from '../pipes/validation.pipes.js';
import { RequireScope } from '../require-scope.js';
import { MessagePlace } from './ordered-rmq-context.js';
import { RpcErrorFilter } from './rpc-answer.js';

/** The message patterns of the service, which Swagger does not describe. Intake checks what is created, as for REST. */
@ApiExcludeController()
@Controller()
@UseFilters(RpcErrorFilter)
@UseGuards(AccessGuard)
export class OperationsRpcController {
  constructor(
    private readonly intake: IntakeService,
    private readonly explainer: ExplainService,
    private readonly operations: OperationsService,
    private readonly bulkActions: BulkActionsService,
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
  get(@Payload(namedFieldsPipe) { id }: OperationIdDto, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.get(id, access);
  }

  @MessagePattern(RPC_PATTERNS.waitForOperation)
  @RequireScope('read')
  wait(
    @Payload(namedFieldsPipe) { id, timeoutMs }: WaitForOperationDto,
    @CallerAccess() access: Access,
  ): Promise<GivenOperation> {
    return this.operations.wait(id, timeoutMs, access);
  }

  @MessagePattern(RPC_PATTERNS.cancelOperation)
  @RequireScope('write')
  cancel(@Payload(namedFieldsPipe) { id }: OperationIdDto, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.cancel(id, access);
  }

  @MessagePattern(RPC_PATTERNS.retryOperation)
  @RequireScope('write')
  retry(@Payload(namedFieldsPipe) { id }: OperationIdDto, @CallerAccess() access: Access): Promise<GivenOperation> {
    return this.operations.retry(id, access);
  }

  @MessagePattern(RPC_PATTERNS.retryOperations)
  @RequireScope('write')
  retryAll(@Payload() request: unknown, @CallerAccess() access: Access): Promise<IBulkActionCount | IBulkAction> {
    return this.bulkActions.request('retry', request, access);
  }

  @MessagePattern(RPC_PATTERNS.cancelOperations)
  @RequireScope('write')
  cancelAll(@Payload() request: unknown, @CallerAccess() access: Access): Promise<IBulkActionCount | IBulkAction> {
    return this.bulkActions.request('cancel', request, access);
  }

  @MessagePattern(RPC_PATTERNS.eraseOperations)
  @RequireScope('admin')
  eraseAll(@Payload() request: unknown, @CallerAccess() access: Access): Promise<IBulkActionCount | IBulkAction> {
    return this.bulkActions.request('erase', request, access);
  }

  @MessagePattern(RPC_PATTERNS.getBulkAction)
  @RequireScope('read')
  getBulkAction(
    @Payload(namedFieldsPipe) { id }: BulkActionIdDto,
    @CallerAccess() access: Access,
  ): Promise<IBulkAction> {
    return this.bulkActions.get(id, access);
  }

  @MessagePattern(RPC_PATTERNS.listBulkActions)
  @RequireScope('read')
  listBulkActions(
    @Payload(namedFieldsPipe) page: PageDto,
    @CallerAccess() access: Access,
  ): Promise<IPage<IBulkAction>> {
    return this.bulkActions.list(page, access);
  }

  @MessagePattern(RPC_PATTERNS.stopBulkAction)
  @RequireScope('write')
  stopBulkAction(
    @Payload(namedFieldsPipe) { id }: BulkActionIdDto,
    @CallerAccess() access: Access,
  ): Promise<IBulkAction> {
    return this.bulkActions.stop(id, access);
  }
}
