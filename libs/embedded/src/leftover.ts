import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { EmbeddedDependencyError } from './embedded-error';

const run = promisify(execFile);
const POLL_MS = 50;
const ORDERLY_END_MS = 10_000;

interface RunningProcess {
  readonly parentPid: number;
  readonly commandLine: string;
}

export interface PidRecord {
  readonly pid: number;
  readonly parentPid: number;
}

/** Reads a pid file's text; undefined when it is not one. */
export function parsePidRecord(text: string): PidRecord | undefined {
  const match = /^\{"pid":(\d+),"parentPid":(\d+)\}$/.exec(text.trim());
  return match === null ? undefined : { pid: Number(match[1]), parentPid: Number(match[2]) };
}

/** The parent's pid in the text of /proc/<pid>/stat; the name in brackets may itself contain spaces and brackets. */
export function parentInStat(stat: string): number | undefined {
  const match = /^\S+ \S (\d+)/.exec(stat.slice(stat.lastIndexOf(')')));
  return match === null ? undefined : Number(match[1]);
}

async function runningProcess(pid: number): Promise<RunningProcess | undefined> {
  if (process.platform === 'linux') {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''),
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    ]);
    const parentPid = parentInStat(stat);
    // A zombie has an empty command line: it is gone already.
    return parentPid === undefined || commandLine === ''
      ? undefined
      : { parentPid, commandLine: commandLine.replaceAll('\0', ' ') };
  }
  const output = await run('ps', ['-o', 'ppid=,args=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => '', // ps fails when there is no such process
  );
  const match = /^\s*(\d+)\s+(.*)$/m.exec(output);
  return match === null ? undefined : { parentPid: Number(match[1]), commandLine: match[2] ?? '' };
}

async function endedWithin(pid: number, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while ((await runningProcess(pid)) !== undefined) {
    if (Date.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

interface Owner {
  readonly name: string;
  readonly dataDirectory: string;
  readonly pidFile: string;
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
}

/**
 * Ends a server of the same data directory whose parent died without ending it. Recognised by its pid file, and by its
 * command line naming the data directory (its pid may belong to another program by now). One whose parent still lives
 * is somebody's running system: that is refused.
 */
export async function endLeftover({ name, dataDirectory, pidFile, stopSignal }: Owner): Promise<void> {
  const text = await readFile(pidFile, 'utf8').catch(() => undefined);
  const record = text === undefined ? undefined : parsePidRecord(text);
  if (record === undefined) return;
  const found = await runningProcess(record.pid);
  if (found !== undefined && found.commandLine.includes(dataDirectory)) {
    if (found.parentPid === record.parentPid) {
      throw new EmbeddedDependencyError(
        'in-use',
        `${name} already runs on ${dataDirectory} (process ${record.pid}, started by process ${record.parentPid}): end that one first or choose another folder.`,
      );
    }
    process.kill(record.pid, stopSignal);
    if (!(await endedWithin(record.pid, ORDERLY_END_MS))) {
      process.kill(record.pid, 'SIGKILL');
      await endedWithin(record.pid, ORDERLY_END_MS);
    }
  }
  await rm(pidFile, { force: true });
}
