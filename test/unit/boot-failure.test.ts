import { describe, expect, it } from 'vitest';
import pg from 'pg';
import { databaseReason, explainStartFailure, portReason } from '../../src/bootstrap/explain-start-failure.js';
import { listenedPorts } from '../../src/bootstrap/listened-ports.js';
import { StartError } from '../../src/bootstrap/start-error.js';
import { testSettings } from '../support/test-settings.js';

const DATABASE = testSettings({ DB_HOST: 'db', DB_NAME: 'shop', DB_USERNAME: 'writer' }).database;

const refusedBy = (code: string, message: string): Error =>
  Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code });
const nodeError = (fields: object, message = ''): Error => Object.assign(new Error(message), fields);

describe('why a start failed', () => {
  it.each<[what: string, error: Error, told: RegExp]>([
    ['a wrong password', refusedBy('28P01', 'password authentication failed'), /db:5432.*"writer".*DB_PASSWORD/],
    ['no password at all', new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be'), /DB_PASSWORD/],
    ['a database that is not there', refusedBy('3D000', 'does not exist'), /db:5432.*"shop".*DB_NAME/],
    ['a right that is missing', refusedBy('42501', 'permission denied'), /"writer".*"shop".*permission denied/],
    ['a standby', refusedBy('25006', 'cannot execute INSERT in a read-only transaction'), /standby.*DB_HOST.*primary/],
    [
      'a pooler',
      refusedBy('08P01', 'unsupported startup parameter: lock_timeout'),
      /pooler on db:5432.*lock_timeout.*DB_HOST/,
    ],
    ['a server that is full', refusedBy('53300', 'too many clients'), /too many clients/],
    ['a server that is down', nodeError({ code: 'ECONNREFUSED' }), /db:5432.*ECONNREFUSED.*DB_HOST.*DB_PORT/],
  ])('is told for %s', (_what, error, told) => {
    expect(databaseReason(error, DATABASE)).toMatch(told);
    expect(databaseReason(error, DATABASE)).not.toContain('\n');
  });

  it.each([
    ['EADDRINUSE', /3000.*in use.*HTTP_PORT/],
    ['EACCES', /3000.*HTTP_PORT/],
    ['EADDRNOTAVAIL', /HTTP_HOST and HTTP_PORT/],
  ])('names the variable of a port that answers %s', (code, told) => {
    const [place] = listenedPorts(testSettings());
    expect(portReason(nodeError({ code }), place!)).toMatch(told);
  });

  it('is found by the port when Node tells it later', () => {
    const error = nodeError({ syscall: 'listen', code: 'EADDRINUSE', port: 3001 });

    expect(explainStartFailure(error, testSettings())).toEqual(
      new StartError(
        'Port 3001 is in use on 127.0.0.1: set BATCH_RPC_TCP_PORT to a free one, or stop the program that listens there',
      ),
    );
  });

  it('stays as it is when nobody but a programmer can cure it', () => {
    const bug = new TypeError('x is not a function');

    expect(explainStartFailure(bug, testSettings())).toBe(bug);
  });
});

describe('the ports of a process', () => {
  it('are those of its role and transport', () => {
    const variables = (environment: Parameters<typeof testSettings>[0]): string[] =>
      listenedPorts(testSettings(environment)).map(({ portVariable }) => portVariable);

    expect(variables({})).toEqual(['HTTP_PORT', 'BATCH_RPC_TCP_PORT']);
    expect(variables({ BATCH_ROLE: 'api', BATCH_SERVICE_RMQ_URL: 'amqp://broker' })).toEqual(['HTTP_PORT']);
    expect(variables({ BATCH_ROLE: 'worker' })).toEqual([]);
    expect(variables({ BATCH_ROLE: 'worker', BATCH_WORKER_HEALTH_PORT: '9000' })).toEqual(['BATCH_WORKER_HEALTH_PORT']);
  });
});
