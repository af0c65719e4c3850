// A Python environment for a peer that a benchmark runs beside Headrace, in .headrace/, made when it is missing or other than wanted.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with exit code ${status}`);
}

/** Hundreds of MB and a minute, once. `peer`: its name; gives the folder of its programs. */
export async function pythonEnvironment(peer, requirements) {
  const folder = join(repository, '.headrace', `bench-${peer.toLowerCase()}`);
  const programs = join(folder, 'bin');
  const wanted = await readFile(requirements, 'utf8');
  const mark = join(folder, 'installed.txt');
  if (existsSync(mark) && (await readFile(mark, 'utf8')) === wanted) return programs;
  console.log(`Installing ${peer}, once`);
  await rm(folder, { recursive: true, force: true });
  run('python3', '-m', 'venv', folder);
  run(join(programs, 'pip'), 'install', '--quiet', '--requirement', requirements);
  await writeFile(mark, wanted);
  return programs;
}
