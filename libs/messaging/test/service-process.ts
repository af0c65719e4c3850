// Runs service-program.js: a service that a spec may kill, stop or let hang.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { testKafkaBrokers } from '@headrace/testing';
import type { Tuning } from '@headrace/messaging';

export interface ProcessOptions {
  readonly service: string;
  readonly databaseUrl: string;
  readonly stream: string;
  readonly kind?: 'single' | 'batch';
  readonly tuning?: Partial<Tuning>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServiceProcess {
  /** Resolves when it consumes; rejects when it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Ended>;
  /** What it logged so far. */
  log(): string;
  signal(signal: NodeJS.Signals): void;
}

const QUICK: Partial<Tuning> = {
  backoffMinMs: 20,
  backoffMaxMs: 200,
  parkedRetryMs: 50,
  topicsDebounceMs: 20,
  maxWaitMs: 100,
  sessionTimeoutMs: 1000,
  heartbeatMs: 200,
};

export function startProcess({ kind = 'single', tuning, ...rest }: ProcessOptions): ServiceProcess {
  const settings = { ...rest, kind, brokers: testKafkaBrokers(), tuning: { ...QUICK, ...tuning } };
  const child = spawn(process.execPath, [join(__dirname, 'service-program.js'), JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<Ended>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    void ended.then(({ code, signal }) => reject(new Error(`it ended with ${code ?? signal}:\n${log}`)));
  });
  // Who does not wait for it need not care.
  ready.catch(() => undefined);
  return { ready, ended, log: () => log, signal: (signal) => void child.kill(signal) };
}
