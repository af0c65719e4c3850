import { runBounded, type BoundedCommand, type ChildOutcome } from './child-process';

function run(script: string, changed: Partial<BoundedCommand> = {}): Promise<ChildOutcome> {
  return runBounded({
    command: process.execPath,
    arguments: ['-e', script],
    directory: process.cwd(),
    environment: {},
    timeoutMs: 20_000,
    maxOutputBytes: 100_000,
    onLine: () => undefined,
    signal: new AbortController().signal,
    ...changed,
  });
}

/** Says that it runs, then ends when its input does. */
const PATIENT = `process.stdin.resume(); process.stdin.on('end', () => process.exit(9)); console.log('here')`;

describe('a child process', () => {
  it('gives its lines and its exit code', async () => {
    const lines: string[] = [];
    const outcome = await run(`console.log('one'); console.log('two'); console.error('why'); process.exit(3)`, {
      onLine: (line) => lines.push(line),
    });
    expect(outcome).toEqual({ kind: 'exited', code: 3, stderr: 'why\n' });
    expect(lines).toEqual(['one', 'two']);
  });

  it('gets the given environment and nothing of ours', async () => {
    const lines: string[] = [];
    await run('console.log(JSON.stringify(process.env))', {
      environment: { A: '1' },
      onLine: (line) => lines.push(line),
    });
    expect(JSON.parse(lines[0] ?? '{}')).toEqual({ A: '1' });
  });

  it('is ended when it takes too long', async () => {
    expect(await run(PATIENT, { timeoutMs: 300 })).toEqual({ kind: 'timeout', seconds: 0.3 });
  });

  it('is ended when it floods its output', async () => {
    const outcome = await run(`for (;;) process.stdout.write('x'.repeat(1000))`, { maxOutputBytes: 5_000 });
    expect(outcome).toEqual({ kind: 'too-much-output', bytes: 5_000 });
  });

  it('is ended when it is no longer wanted', async () => {
    const stop = new AbortController();
    expect(await run(PATIENT, { signal: stop.signal, onLine: () => stop.abort() })).toEqual({ kind: 'interrupted' });
  });

  it('is not even started when that was known before', async () => {
    expect(await run(PATIENT, { signal: AbortSignal.abort() })).toEqual({ kind: 'interrupted' });
  });

  it('is ended by force when it does not listen', async () => {
    const stop = new AbortController();
    const deaf = `process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1000); console.log('here')`;
    expect(await run(deaf, { signal: stop.signal, onLine: () => stop.abort() })).toEqual({ kind: 'interrupted' });
  });

  it('that was killed from outside says by what', async () => {
    const outcome = await run(`process.kill(process.pid, 'SIGKILL')`);
    expect(outcome).toEqual({ kind: 'killed', signal: 'SIGKILL', stderr: '' });
  });

  it('that cannot be started says why', async () => {
    expect(await run('', { command: '/nowhere/python' })).toEqual({
      kind: 'not-started',
      message: expect.stringContaining('ENOENT') as string,
    });
  });
});
