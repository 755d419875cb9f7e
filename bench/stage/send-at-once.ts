/**
 * Socket options of NestJS' clients and servers for RabbitMQ. By default small messages wait for the acknowledgement of those before;
 * between the service and its client they do not, so the contestants do not wait either.
 */
export const SEND_AT_ONCE = { connectionOptions: { noDelay: true } };
