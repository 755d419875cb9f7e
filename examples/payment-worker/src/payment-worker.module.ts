import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { WorkerModule } from 'batch-service/worker';
import { OutcomeGateway } from './outcome-gateway.js';
import { OUTCOME_QUEUE } from './outcome.js';
import { OutcomeProcessor } from './outcome.processor.js';
import { PaymentProvider } from './payment-provider.js';
import { PaymentProcessor } from './payment.processor.js';
import { PaymentTables } from './payment.tables.js';

/** Two queues: payments, and the outcomes to be told. A gateway that is down delays no payment. */
@Module({
  imports: [WorkerModule.forRoot(), BullModule.registerQueue({ name: OUTCOME_QUEUE })],
  providers: [
    PaymentTables,
    PaymentProcessor,
    OutcomeProcessor,
    { provide: PaymentProvider, useFactory: () => new PaymentProvider(addressIn('PAYMENT_PROVIDER_URL')) },
    { provide: OutcomeGateway, useFactory: () => new OutcomeGateway(addressIn('OUTCOME_GATEWAY_URL')) },
  ],
})
export class PaymentWorkerModule {}

function addressIn(variable: string): string {
  const value = process.env[variable];
  if (value !== undefined && URL.canParse(value)) return value;
  throw new Error(
    `${variable}: expected a URL such as https://provider.example; it is ${value ? 'no URL' : 'missing'}`,
  );
}
