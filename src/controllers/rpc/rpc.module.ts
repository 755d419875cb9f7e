import { Module } from '@nestjs/common';
import { BulkActionsModule } from '../../services/bulk-actions/bulk-actions.module.js';
import { ExplainModule } from '../../services/explain/explain.module.js';
import { IntakeModule } from '../../services/intake/intake.module.js';
import { OutcomesModule } from '../../services/outcomes/outcomes.module.js';
import { RabbitmqModule } from '../../services/rabbitmq/rabbitmq.module.js';
import { OperationsRpcController } from './operations.rpc.controller.js';

/** The message patterns. `connectRpc` gives them a transport. */
@Module({
  imports: [BulkActionsModule, IntakeModule, ExplainModule, OutcomesModule, RabbitmqModule],
  controllers: [OperationsRpcController],
})
export class RpcModule {}
