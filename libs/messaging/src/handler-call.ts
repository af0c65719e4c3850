// One call of a handler: its deadline, its exception with stack, its answer checked.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { isObject, isTransient, messageOf, stackOf } from './faults';
import type { HandlerTransaction } from './handler-transaction';
import { expectFault, takeFault } from './handlers';
import type { Route } from './routes';
import type { Outcome } from './types';

export type Answer =
  | { readonly kind: 'answered'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'transient'; readonly message: string }
  | {
      readonly kind: 'fault';
      readonly reason: 'fault' | 'deadline';
      readonly code: string;
      readonly message: string;
      readonly stack: string;
    };

const DONE: Outcome = { kind: 'done' };
const DEADLINE = Symbol('deadline');
const GONE_MS = 1000;

export interface Call {
  readonly route: Route;
  /** One event, or a list of events or records. */
  readonly argument: unknown;
  /** How many outcomes a list must have. */
  readonly count: number;
  readonly transaction: HandlerTransaction;
  readonly runner: QueryRunner;
  readonly deadlineMs: number;
}

export async function callHandler(dataSource: DataSource, call: Call): Promise<Answer> {
  const { route, transaction } = call;
  expectFault(transaction);
  let timer: NodeJS.Timeout | undefined;
  try {
    const deadline = new Promise<typeof DEADLINE>((resolve) => {
      timer = setTimeout(() => resolve(DEADLINE), call.deadlineMs);
    });
    const result = await Promise.race([route.invoke(call.argument, transaction), deadline]);
    if (result === DEADLINE) {
      await endSession(dataSource, call.runner);
      const message = `the handler of ${route.name} took longer than ${call.deadlineMs} ms`;
      return { kind: 'fault', reason: 'deadline', code: 'deadline_exceeded', message, stack: message };
    }
    const fault = takeFault(transaction);
    if (fault) return answerOf(fault.error);
    return { kind: 'answered', outcomes: outcomesOf(route, result, call.count) };
  } catch (error) {
    return answerOf(error);
  } finally {
    clearTimeout(timer);
    transaction.close();
  }
}

function answerOf(error: unknown): Answer {
  if (isTransient(error)) return { kind: 'transient', message: messageOf(error) };
  return { kind: 'fault', reason: 'fault', code: codeOf(error), message: messageOf(error), stack: stackOf(error) };
}

/** A DomainError's own code when it has one. */
function codeOf(error: unknown): string {
  const code = isObject(error) && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[a-z][a-z0-9_]*$/.test(code) ? code : 'unknown_fault';
}

function outcomesOf(route: Route, result: unknown, count: number): readonly Outcome[] {
  if (result === undefined || result === null) return Array<Outcome>(count).fill(DONE);
  const outcomes = (route.kind === 'event' ? [result] : result) as Outcome[];
  if (!Array.isArray(outcomes) || outcomes.length !== count) {
    const got = Array.isArray(outcomes) ? `${outcomes.length} outcomes` : typeof outcomes;
    throw new TypeError(`the handler of ${route.name} answered ${got} for ${count} events`);
  }
  return outcomes;
}

/**
 * The handler may hang in a statement, and a rollback would wait behind it: the session is ended from outside, which
 * frees the position at once.
 */
async function endSession(dataSource: DataSource, runner: QueryRunner): Promise<void> {
  const client: unknown = await runner.connect();
  if (!isSession(client)) return;
  // Until the client knows, the pool would hand the dead connection out again.
  const gone = new Promise<void>((resolve) => {
    client.once('end', resolve);
    client.once('error', () => resolve());
  });
  await dataSource.query('SELECT pg_terminate_backend($1)', [client.processID]);
  await Promise.race([gone, sleep(GONE_MS, undefined, { ref: false })]);
}

interface Session {
  readonly processID: number;
  once(event: 'end' | 'error', listener: () => void): unknown;
}

function isSession(client: unknown): client is Session {
  return isObject(client) && 'processID' in client && typeof client.processID === 'number' && 'once' in client;
}
