// A process that runs models for the gateway. Its crash, its hang and its memory are its own: it is killed and started
// again, and the gateway goes on.
import { spawn, type ChildProcess } from 'node:child_process';
import { DomainError } from '@headrace/contracts';
import { residentMiB } from '@headrace/scoring';
import type { HostAnswer, HostRequest } from './host-messages';
import type { Outputs, OutputSpec, PackedRows, TensorSpec } from './tensors';

export interface Death {
  readonly code: 'crashed' | 'hung' | 'too_much_memory';
  readonly message: string;
}

export interface HostOptions {
  /** Compiled model-host. */
  readonly script: string;
  /** A run that takes longer hangs: the process is killed. */
  readonly runTimeoutMs: number;
  /** Loading may take so long. */
  readonly loadTimeoutMs: number;
  /** Resident memory at which it is killed, about 90 MiB of its own included. Undefined: as much as there is. */
  readonly memoryMiB?: number;
  /** While it starts again, runs are refused at once, or wait. */
  readonly whileDown: 'refuse' | 'wait';
  onDeath(death: Death): void;
}

export interface HostedFile {
  readonly model: string;
  readonly path: string;
  readonly digest: string;
  readonly inputs: readonly TensorSpec[];
}

type Unsent<R> = R extends HostRequest ? Omit<R, 'call'> : never;

interface Job {
  readonly request: Unsent<HostRequest>;
  resolve(answer: HostAnswer): void;
  reject(error: Error): void;
}

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
const MEMORY_POLL_MS = 250;
/** The limit is counted in this many ticks of our own: a machine that stood still is no hang of the model. */
const HANG_TICKS = 4;

export class HostProcess {
  private readonly files = new Map<string, HostedFile>();
  /** One at a time, in order of arrival. A model has one run in here at most, so models that share a host take turns. */
  private readonly jobs: Job[] = [];
  private current: { readonly job: Job; readonly call: number; readonly timer: NodeJS.Timeout } | undefined;
  private child: ChildProcess | undefined;
  private memoryWatch: NodeJS.Timeout | undefined;
  private restart: NodeJS.Timeout | undefined;
  private condemned: Death | undefined;
  private calls = 0;
  private deaths = 0;
  private closed = false;

  constructor(private readonly options: HostOptions) {
    this.start();
  }

  /** Models that it holds. */
  get size(): number {
    return this.files.size;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  async load(file: HostedFile): Promise<readonly OutputSpec[]> {
    const answer = await this.ask({ op: 'load', ...file });
    if (answer.kind !== 'loaded') throw new Error(`the model's process answered "${answer.kind}" to load`);
    this.files.set(file.model, file);
    return answer.outputs;
  }

  async run(model: string, rows: PackedRows): Promise<Outputs> {
    const answer = await this.ask({ op: 'run', model, rows });
    if (answer.kind !== 'ran') throw new Error(`the model's process answered "${answer.kind}" to run`);
    this.deaths = 0;
    return answer.outputs;
  }

  async release(model: string): Promise<void> {
    this.files.delete(model);
    if (!this.closed && this.child) await this.ask({ op: 'release', model });
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.restart);
    this.child?.kill('SIGKILL');
    this.failAll(down('the gateway lets go of it'));
  }

  private ask(request: Unsent<HostRequest>): Promise<HostAnswer> {
    if (this.closed || (!this.child && this.options.whileDown === 'refuse')) {
      return Promise.reject(down('it starts again after it died'));
    }
    return new Promise((resolve, reject) => {
      this.jobs.push({ request, resolve, reject });
      this.next();
    });
  }

  private next(): void {
    if (this.current || !this.child) return;
    const job = this.jobs.shift();
    if (!job) return;
    const call = (this.calls += 1);
    const limitMs = job.request.op === 'run' ? this.options.runTimeoutMs : this.options.loadTimeoutMs;
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
      if (ticks === HANG_TICKS) this.condemn('hung', `${job.request.op} took more than ${limitMs} ms`);
    }, limitMs / HANG_TICKS);
    this.current = { job, call, timer };
    // A failed send is followed by the process's exit, which fails the job.
    this.child.send({ ...job.request, call }, () => undefined);
  }

  private heard(answer: HostAnswer): void {
    const { current } = this;
    // Of a run that was given up already.
    if (current?.call !== answer.call) return;
    this.current = undefined;
    clearInterval(current.timer);
    if (answer.kind === 'fault') current.job.reject(new Error(answer.message));
    else current.job.resolve(answer);
    this.next();
  }

  private start(): void {
    // It gets nothing of this process: no settings, no tokens, no handles.
    const child = spawn(process.execPath, ['--max-old-space-size=256', this.options.script], {
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    this.child = child;
    this.condemned = undefined;
    child.on('message', (answer: HostAnswer) => this.heard(answer));
    // `exit` follows, or there never was a process.
    child.on('error', (error) => {
      if (child.pid === undefined) this.died(`it cannot be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => this.died(signal === null ? `exit code ${code}` : signal));
    const { memoryMiB } = this.options;
    if (memoryMiB === undefined) return;
    this.memoryWatch = setInterval(() => {
      const resident = residentMiB(child.pid);
      if (resident > memoryMiB) {
        this.condemn('too_much_memory', `it took ${Math.round(resident)} MiB; at most ${memoryMiB} MiB are allowed`);
      }
    }, MEMORY_POLL_MS).unref();
  }

  private condemn(code: Death['code'], message: string): void {
    this.condemned ??= { code, message };
    this.child?.kill('SIGKILL');
  }

  private died(how: string): void {
    this.child = undefined;
    clearInterval(this.memoryWatch);
    const death = this.condemned ?? { code: 'crashed', message: `the process that runs it died (${how})` };
    const { current } = this;
    this.current = undefined;
    if (current) {
      clearInterval(current.timer);
      current.job.reject(down(death.message));
    }
    if (this.closed) return;
    if (this.options.whileDown === 'refuse') this.failAll(down(death.message));
    this.options.onDeath(death);
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** this.deaths, LONGEST_BACKOFF_MS);
    this.deaths += 1;
    this.restart = setTimeout(() => this.startAgain(), backoffMs);
  }

  /** What it held is loaded before anything that waits is run. */
  private startAgain(): void {
    this.start();
    const reloads = [...this.files.values()].map((file): Job => ({
      request: { op: 'load', ...file },
      resolve: () => undefined,
      // It was loaded before. Its runs will say what is wrong.
      reject: () => undefined,
    }));
    this.jobs.unshift(...reloads);
    this.next();
  }

  private failAll(error: DomainError): void {
    for (const job of this.jobs.splice(0)) job.reject(error);
  }
}

function down(why: string): DomainError {
  return new DomainError('unavailable', 'model_process_down', `the process of this version is down: ${why}`);
}
