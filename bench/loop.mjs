// npm run bench -- loop: the figures of the whole loop, from one demo and one gateway run, printed with the machine.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const demo = spawnSync(process.execPath, [join(repository, 'apps', 'cli', 'bin', 'headrace.mjs'), 'demo'], {
  cwd: repository,
  stdio: 'inherit',
});
if (demo.status !== 0) process.exit(demo.status ?? 1);
const summary = JSON.parse(readFileSync(join(repository, '.headrace', 'demo', 'summary.json'), 'utf8'));

const gateway = spawnSync(
  process.execPath,
  [join(repository, 'bench', 'gateway.mjs'), '--without-mlserver', '--without-attacks'],
  {
    cwd: repository,
    encoding: 'utf8',
  },
);
process.stdout.write(gateway.stdout);
process.stderr.write(gateway.stderr);

const rows = [
  ['demo, wall', `${summary.wallSeconds.toFixed(1)} s`, '≤ 120 s'],
  ['memory at most, everything together', `${summary.peakRssMiB} MiB`, '≤ 6,144 MiB'],
  ['last needed label → promoted version', `${summary.drift.lastLabelToPromotedSeconds.toFixed(1)} s`, '≤ 45 s'],
  ['deciding label → bad candidate rolled back', `${summary.rollback.afterSeconds.toFixed(1)} s`, ''],
  ['drift decided → promoted', `${summary.drift.promotedAfterSeconds.toFixed(1)} s`, ''],
  [
    'answers of the application, p50 / p99',
    `${summary.predictions.p50Milliseconds} / ${summary.predictions.p99Milliseconds} ms`,
    '',
  ],
];
process.stdout.write(
  `\n${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}\n`,
);
for (const [what, figure, aim] of rows) process.stdout.write(`  ${what.padEnd(44)} ${figure.padStart(14)}   ${aim}\n`);
process.exit(gateway.status ?? 1);
