import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const repository = resolve(__dirname, '../../..');
const FILE = 'proto/headrace/training/v1/training_events.proto';
const run = promisify(execFile);

/** What `buf breaking` says of the protos after this edit; empty when the change is allowed. */
async function breakingAfter(edit: (text: string) => string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-protos-'));
  try {
    for (const name of ['buf.yaml', 'proto']) await cp(join(repository, name), join(folder, name), { recursive: true });
    const before = await readFile(join(folder, FILE), 'utf8');
    const after = edit(before);
    if (after === before) throw new Error('the edit changed nothing');
    await writeFile(join(folder, FILE), after);
    const buf = join(repository, 'node_modules', '.bin', 'buf');
    const answer = await run(buf, ['breaking', '--against', 'proto/baseline.binpb'], { cwd: folder }).catch(
      (error: { stdout: string; stderr: string }) => error,
    );
    return `${answer.stdout}${answer.stderr}`.trim();
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('evolution of the events, against what was released', () => {
  it('allows a new field', async () => {
    const edit = (text: string): string =>
      text.replace('message TrainingFailed {', 'message TrainingFailed {\n  string note = 99;');
    expect(await breakingAfter(edit)).toBe('');
  });

  it('refuses a removed field: what stands on the log would lose it, and its number could be taken again', async () => {
    expect(await breakingAfter((text) => text.replace('  string code = 4;\n', ''))).toMatch(
      /Previously present field .*"code" on message "TrainingFailed" was deleted/,
    );
  });

  it('refuses another type, another name and a number given anew', async () => {
    const changed = (text: string): string => text.replace('string code = 4', 'int64 code = 4');
    expect(await breakingAfter(changed)).toContain('changed type from "string" to "int64"');
    const renamed = (text: string): string => text.replace('string code = 4', 'string fault = 4');
    expect(await breakingAfter(renamed)).toContain('changed name from "code" to "fault"');
  });

  it('refuses a removed event: the log keeps what was written under its name', async () => {
    const removed = (text: string): string => text.replace(/message TrainingFailed \{[^}]*\}/, '');
    expect(await breakingAfter(removed)).toContain('message "TrainingFailed"');
  });
});
