import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SystemUser } from './folders';
import { watchParent } from './parent-watch';

export interface ProcessPlan {
  /** Kafka or Postgres: for messages. */
  readonly name: string;
  readonly command: string;
  /** Must contain `dataDirectory` somewhere: by that the process is recognised as ours later. */
  readonly args: readonly string[];
  readonly dataDirectory: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly user?: SystemUser | undefined;
  readonly environment?: NodeJS.ProcessEnv | undefined;
  /** The signal that asks for an orderly end. */
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const STOP_GRACE_MS = 20_000;

/**
 * A server started as a child in its own process group, so that a Ctrl-C in the terminal reaches only the parent, which
 * ends it in the right order. If the parent dies without doing so, a watcher ends it; if that dies too, the next start
 * on the same data directory does.
 */
export class ManagedProcess {
  private constructor(
    private readonly plan: ProcessPlan,
    private readonly child: ChildProcess,
    readonly pid: number,
    readonly exited: Promise<ExitStatus>,
  ) {}

  static async start(plan: ProcessPlan): Promise<ManagedProcess> {
    await mkdir(dirname(plan.logFile), { recursive: true });
    const log = await open(plan.logFile, 'a');
    const child = spawn(plan.command, [...plan.args], {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      cwd: plan.dataDirectory,
      ...(plan.user ?? {}),
      ...(plan.environment === undefined ? {} : { env: plan.environment }),
    });
    const exited = new Promise<ExitStatus>((resolve) => {
      child.once('error', () => resolve({ code: null, signal: null }));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    await log.close();
    const { pid } = child;
    if (pid === undefined) throw new Error(`${plan.name} could not be started: ${plan.command} is not executable.`);
    const dismissWatch = watchParent(pid, plan.stopSignal);
    const managed = new ManagedProcess(plan, child, pid, exited);
    void exited.then(async () => {
      dismissWatch();
      await rm(plan.pidFile, { force: true });
    });
    await writeFile(plan.pidFile, JSON.stringify({ pid, parentPid: process.pid }));
    // It may have ended between the two lines above; then the removal came first.
    if (managed.hasExited) await rm(plan.pidFile, { force: true });
    return managed;
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Asks for an orderly end and waits for it; after 20 s it is killed. Does nothing when it has ended. */
  async stop(): Promise<void> {
    if (this.hasExited) return;
    this.child.kill(this.plan.stopSignal);
    const killer = setTimeout(() => this.child.kill('SIGKILL'), STOP_GRACE_MS);
    await this.exited;
    clearTimeout(killer);
  }

  /** Ends it as a crash would (SIGKILL) and waits until it is gone. */
  async kill(): Promise<void> {
    if (!this.hasExited) this.child.kill('SIGKILL');
    await this.exited;
  }

  /** The last lines of its log, for a message. */
  async lastLogLines(count = 5): Promise<string> {
    const text = await readFile(this.plan.logFile, 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-count).join('\n');
  }
}
