// One model in a process of its own: its crash, its hang and its memory are its own.
import { fork, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@headrace/contracts';
import { OUTPUT_OF, type ChildMessage, type ScoreRequest } from './model-messages';
import { inspectOnnx } from './onnx-inspection';
import { residentMiB } from './resident-memory';

export interface ModelLimits {
  /** Loading, and each batch of rows. */
  readonly timeoutMs: number;
  /** Resident memory of the process, the runtime itself (about 90 MiB) included. */
  readonly memoryMiB: number;
}

/** The program of the process, and what Node needs to run it. */
export interface ModelChild {
  readonly script: string;
  readonly execArgv: readonly string[];
}

export const COMPILED_MODEL_CHILD: ModelChild = { script: join(__dirname, 'model-child.js'), execArgv: [] };

export interface ModelOptions {
  /** The file, verified by its digest (ArtifactStore.pathOf). */
  readonly path: string;
  readonly columns: number;
  /** binary: the probability of class 1 is the score; regression: the predicted number. */
  readonly task: string;
  readonly limits: ModelLimits;
  readonly child?: ModelChild;
}

const MEMORY_POLL_MS = 50;
const KEPT_STDERR = 2_000;

/** What one message waits for. */
interface Waiting {
  resolve(message: ChildMessage): void;
  reject(error: DomainError): void;
}

export class ModelProcess {
  private readonly memoryWatch: NodeJS.Timeout;
  private waiting: Waiting | undefined;
  private ended: DomainError | undefined;
  private stderr = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly columns: number,
    private readonly limits: ModelLimits,
  ) {
    child.on('message', (message) => this.settle(({ resolve }) => resolve(message as ChildMessage)));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-KEPT_STDERR);
    });
    child.once('error', (error) => this.end(fault('model_crashed', `its process: ${error.message}`)));
    child.once('close', (code, signal) => {
      const how = signal === null ? `exit code ${code}` : signal;
      const said = this.stderr === '' ? '' : `: ${this.stderr.trim()}`;
      this.end(fault('model_crashed', `the model's process died (${how})${said}`));
    });
    this.memoryWatch = setInterval(() => this.checkMemory(), MEMORY_POLL_MS);
  }

  /**
   * Loads the model. DomainError `precondition` with the code of the inspection, or `signature_mismatch`, `load_failed`,
   * `model_crashed`, `model_timeout`, `too_much_memory`, `unknown_task`.
   */
  static async start(options: ModelOptions): Promise<ModelProcess> {
    const { path, columns, task, limits, child: program = COMPILED_MODEL_CHILD } = options;
    if (!Object.hasOwn(OUTPUT_OF, task)) {
      const known = Object.keys(OUTPUT_OF).join(' or ');
      throw fault('unknown_task', `the version's task is "${task}": expected ${known}`);
    }
    const refused = inspectOnnx(await readFile(path));
    if (refused) throw fault(refused.code, refused.message);
    const child = fork(program.script, [path, String(columns), task], {
      // It gets nothing of this process: no settings, no tokens.
      env: {},
      execArgv: [...program.execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const started = new ModelProcess(child, columns, limits);
    try {
      const message = await started.answer(() => undefined);
      if (message.kind === 'fault') throw fault(message.code, message.message);
      return started;
    } catch (error) {
      started.stop();
      throw error;
    }
  }

  /** One score for each row of `features`, row-major [rows, columns]. One call at a time. The errors are those of `start`. */
  async score(features: Float32Array, rows: number): Promise<Float64Array> {
    if (features.length !== rows * this.columns) {
      throw new RangeError(`${features.length} values for ${rows} rows of ${this.columns} columns`);
    }
    if (rows === 0) return new Float64Array(0);
    const request: ScoreRequest = { rows, features };
    const message = await this.answer(() => this.child.send(request));
    if (message.kind === 'scores') return message.scores;
    throw message.kind === 'fault'
      ? fault(message.code, message.message)
      : fault('model_crashed', 'the model did not answer with scores');
  }

  stop(): void {
    this.end(fault('model_crashed', 'the model was let go'));
  }

  private answer(ask: () => void): Promise<ChildMessage> {
    if (this.ended) return Promise.reject(this.ended);
    if (this.waiting) return Promise.reject(new Error('one batch of rows at a time'));
    const { timeoutMs } = this.limits;
    return new Promise<ChildMessage>((resolve, reject) => {
      const timer = setTimeout(
        () => this.end(fault('model_timeout', `loading it, or one batch of rows, took more than ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.waiting = {
        resolve: (message) => (clearTimeout(timer), resolve(message)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
      ask();
    });
  }

  private settle(tell: (waiting: Waiting) => void): void {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting) tell(waiting);
  }

  /** The first reason counts. */
  private end(reason: DomainError): void {
    this.ended ??= reason;
    clearInterval(this.memoryWatch);
    this.child.kill('SIGKILL');
    const first = this.ended;
    this.settle(({ reject }) => reject(first));
  }

  private checkMemory(): void {
    const { memoryMiB } = this.limits;
    if (residentMiB(this.child.pid) <= memoryMiB) return;
    this.end(fault('too_much_memory', `the model's process took more than ${memoryMiB} MiB`));
  }
}

function fault(code: string, message: string): DomainError {
  return new DomainError('precondition', code, message);
}
