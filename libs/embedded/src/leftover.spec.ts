import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endLeftover, parentInStat, parsePidRecord } from './leftover';

describe('a server left over from a parent that died', () => {
  let dataDirectory: string;
  let pidFile: string;

  beforeEach(async () => {
    dataDirectory = await mkdtemp(join(tmpdir(), 'headrace-leftover-'));
    pidFile = join(dataDirectory, 'process.json');
  });

  afterEach(() => rm(dataDirectory, { recursive: true, force: true }));

  function idle(...args: string[]) {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', ...args], { stdio: 'ignore' });
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    return { child, ended };
  }

  const clean = () => endLeftover({ name: 'Kafka', dataDirectory, pidFile, stopSignal: 'SIGTERM' });
  const record = (pid: number | undefined, parentPid: number) => writeFile(pidFile, JSON.stringify({ pid, parentPid }));

  it('is ended when it names the data directory and its parent is another by now', async () => {
    const { child, ended } = idle(dataDirectory);
    await record(child.pid, 999_999_999);

    await clean();

    expect(await ended).toBe('SIGTERM');
    expect(await readdir(dataDirectory)).toEqual([]);
  });

  it('is refused, not ended, while its parent lives', async () => {
    const { child, ended } = idle(dataDirectory);
    await record(child.pid, process.pid);

    await expect(clean()).rejects.toMatchObject({ fault: 'in-use' });

    expect(child.exitCode ?? child.signalCode).toBeNull();
    child.kill('SIGKILL');
    await ended;
  });

  it('is left alone when its pid belongs to another program', async () => {
    const { child, ended } = idle('something else');
    await record(child.pid, 999_999_999);

    await clean();

    expect(child.exitCode ?? child.signalCode).toBeNull();
    child.kill('SIGKILL');
    await ended;
  });

  it('is forgotten when it is gone', async () => {
    await record(999_999_999, 1);
    await clean();
    expect(await readdir(dataDirectory)).toEqual([]);
  });

  it('is looked for in a pid file of exactly our form', () => {
    expect(parsePidRecord('{"pid":12,"parentPid":3}')).toEqual({ pid: 12, parentPid: 3 });
    expect(parsePidRecord('{"pid":-1,"parentPid":3}')).toBeUndefined();
    expect(parsePidRecord('')).toBeUndefined();
  });

  it('has its parent read from a status line whose name contains brackets and spaces', () => {
    expect(parentInStat('42 (a) 7 (x) S 17 42 42 0')).toBe(17);
    expect(parentInStat('')).toBeUndefined();
  });
});
