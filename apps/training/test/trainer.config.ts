// The spec's only reader of the environment: which Python runs the trainer.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const repository = resolve(__dirname, '..', '..', '..');

export const trainerDirectory = resolve(repository, 'trainers', 'tabular');

/** Python with the trainer's packages: TRAINER_PYTHON, or what the installation put under .headrace; else undefined. */
export function findTrainerPython(): string | undefined {
  const candidates = [process.env['TRAINER_PYTHON'], resolve(repository, '.headrace', 'python', 'bin', 'python')];
  return candidates.find((python) => {
    if (python === undefined || python === '' || !existsSync(python)) return false;
    const probe = 'import lightgbm, onnxruntime, pyarrow, skl2onnx';
    return spawnSync(python, ['-c', probe], { stdio: 'ignore' }).status === 0;
  });
}
