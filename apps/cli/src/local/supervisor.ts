// Runs processes and keeps them running: a crash is shown with its last log lines and followed by a restart with backoff.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Answers 200 when the process can work. */
  readonly readyUrl: string;
}

export interface SupervisorOptions {
  readonly logDirectory: string;
  readonly say: (line: string) => void;
  readonly stopTimeoutMs?: number;
}

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 10_000;
/** A process that ran this long begins again with the first backoff. */
const STEADY_MS = 30_000;
const SHOWN_LOG_LINES = 12;
const READY_POLL_MS = 50;
/** A process that ends so often before it was ready will not start. */
const CRASHES_AT_START = 4;

interface Child {
  readonly spec: ProcessSpec;
  process: ChildProcess | undefined;
  log: WriteStream;
  lastLines: string[];
  backoffMs: number;
  restarts: number;
  restartTimer: NodeJS.Timeout | undefined;
}

export class Supervisor {
  private readonly children = new Map<string, Child>();
  private stopping = false;

  constructor(private readonly options: SupervisorOptions) {}

  async start(specs: readonly ProcessSpec[]): Promise<void> {
    await mkdir(this.options.logDirectory, { recursive: true });
    for (const spec of specs) {
      const log = createWriteStream(join(this.options.logDirectory, `${spec.name}.log`), { flags: 'a' });
      const child: Child = {
        spec,
        process: undefined,
        log,
        lastLines: [],
        backoffMs: FIRST_BACKOFF_MS,
        restarts: 0,
        restartTimer: undefined,
      };
      this.children.set(spec.name, child);
      this.launch(child);
    }
  }

  /** Resolves when every process answers ready; rejects with what is missing when the time is over. */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    const reasons = new Map<string, string>();
    await Promise.all(
      [...this.children.values()].map(async ({ spec }) => {
        for (;;) {
          const reason = await notReadyReason(spec.readyUrl);
          if (reason === undefined) return;
          reasons.set(spec.name, reason);
          const crashes = this.restartsOf(spec.name);
          if (crashes >= CRASHES_AT_START) {
            const words = this.children.get(spec.name)?.lastLines.join('\n  ') ?? '';
            throw new Error(`${spec.name} does not start, it ended ${crashes} times; its last words:\n  ${words}`);
          }
          if (this.stopping || signal?.aborted) throw new Error('stopped while starting');
          if (Date.now() > deadline) {
            throw new Error(
              `${spec.name} is not ready after ${timeoutMs / 1_000} s: ${reason} (log: ${join(this.options.logDirectory, `${spec.name}.log`)})`,
            );
          }
          await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
        }
      }),
    );
  }

  /** Ends one process as a crash would; it is restarted like after any crash. */
  kill(name: string): void {
    this.children.get(name)?.process?.kill('SIGKILL');
  }

  restartsOf(name: string): number {
    return this.children.get(name)?.restarts ?? 0;
  }

  /** Pids that run now, by name. */
  pids(): Map<string, number> {
    const pids = new Map<string, number>();
    for (const [name, child] of this.children) {
      if (child.process?.pid !== undefined) pids.set(name, child.process.pid);
    }
    return pids;
  }

  /** SIGTERM to all, SIGKILL to those that do not leave in time. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all([...this.children.values()].map((child) => this.end(child)));
    for (const child of this.children.values()) child.log.end();
  }

  private launch(child: Child): void {
    const { spec } = child;
    const startedAt = Date.now();
    // A group of its own: Ctrl-C in the terminal reaches only the supervisor, which then stops things in order.
    // stdin stays open as a life line: a service whose supervisor was killed sees it close and leaves.
    const process = spawn(spec.command, [...spec.args], {
      cwd: spec.directory,
      env: { ...spec.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    child.process = process;
    const take = (chunk: Buffer): void => {
      child.log.write(chunk);
      child.lastLines = [
        ...child.lastLines,
        ...chunk
          .toString('utf8')
          .split('\n')
          .filter((line) => line !== ''),
      ].slice(-SHOWN_LOG_LINES);
    };
    process.stdout?.on('data', take);
    process.stderr?.on('data', take);
    // A write to a process that just ended is no fault of ours.
    process.stdin?.on('error', () => process.stdin?.destroy());
    process.once('error', (error) => take(Buffer.from(`${error.message}\n`)));
    process.once('close', (code, signal) => {
      child.process = undefined;
      if (this.stopping) return;
      if (Date.now() - startedAt > STEADY_MS) child.backoffMs = FIRST_BACKOFF_MS;
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      this.options.say(`${spec.name} ${how}, restarting in ${child.backoffMs} ms`);
      if (signal !== 'SIGKILL')
        for (const line of child.lastLines) this.options.say(`  ${spec.name} | ${line.slice(0, 400)}`);
      child.restarts += 1;
      child.restartTimer = setTimeout(() => this.launch(child), child.backoffMs);
      child.backoffMs = Math.min(child.backoffMs * 2, LONGEST_BACKOFF_MS);
    });
  }

  private async end(child: Child): Promise<void> {
    clearTimeout(child.restartTimer);
    const { process } = child;
    if (!process || process.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => process.kill('SIGKILL'), this.options.stopTimeoutMs ?? 20_000);
      process.once('close', () => {
        clearTimeout(force);
        resolve();
      });
      process.kill('SIGTERM');
    });
  }
}

async function notReadyReason(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    if (response.ok) return undefined;
    return (await response.text()).slice(0, 300);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
