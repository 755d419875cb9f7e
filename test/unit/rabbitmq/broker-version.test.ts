import { describe, expect, it } from 'vitest';
import { checkBrokerVersion } from '../../../src/services/rabbitmq/broker-version.js';

describe('checkBrokerVersion', () => {
  it.each(['3.10.0', '3.10.8', '3.13.7', '4.0.2', '4.2.0-rc.1', '10.1.0'])('accepts RabbitMQ %s', (version) => {
    expect(() => checkBrokerVersion({ product: 'RabbitMQ', version })).not.toThrow();
  });

  it.each(['3.9.29', '3.8.0', '2.8.7'])('refuses RabbitMQ %s, naming what is needed and the variable', (version) => {
    expect(() => checkBrokerVersion({ product: 'RabbitMQ', version })).toThrow(
      new RegExp(`RabbitMQ ${version} is too old.*3\\.10.*BATCH_SERVICE_RMQ_URL`),
    );
  });

  it.each([{ product: 'LavinMQ', version: '1.2.0' }, { product: 'RabbitMQ', version: 'unknown' }, {}])(
    'lets pass what says nothing of a RabbitMQ version: %o',
    (properties) => {
      expect(() => checkBrokerVersion(properties)).not.toThrow();
    },
  );
});
