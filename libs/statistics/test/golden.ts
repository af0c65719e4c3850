// Reads the numbers that the libraries' own scripts (golden/*.py) wrote, and makes the inputs that those made.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../src/numerics/random';

/** golden/golden-<name>.json; the words NaN, Infinity and -Infinity stand for themselves. */
export function golden<T>(name: string): T {
  const text = readFileSync(join(__dirname, `../golden/golden-${name}.json`), 'utf8');
  return JSON.parse(text, (_, value: unknown) => (isWord(value) ? Number(value) : value)) as T;
}

function isWord(value: unknown): value is string {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity';
}

/** Seed, size, mean, deviation, digits. */
export type Sample = readonly [number, number, number, number, number | null];

/** As golden/portable.py has it, number for number. */
export function normals([seed, count, mean, deviation, digits]: Sample): number[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    let total = 0;
    for (let i = 0; i < 12; i += 1) total += random.next();
    const value = mean + deviation * (total - 6);
    return digits === null ? value : Math.trunc(value * 10 ** digits) / 10 ** digits;
  });
}

export function uniforms(seed: number, count: number): number[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.next());
}

/** Equal to 1e-9 of the expected value's size (of `floor` when it is smaller). */
export function expectClose(actual: number, expected: number, floor = 0): void {
  if (Number.isNaN(expected) || !Number.isFinite(expected)) {
    expect(actual).toBe(expected);
    return;
  }
  const tolerance = 1e-9 * Math.max(Math.abs(expected), floor);
  if (!(Math.abs(actual - expected) <= tolerance)) {
    throw new Error(
      `expected ${expected}, got ${actual}: off by ${(actual - expected) / Math.max(Math.abs(expected), floor)} of it`,
    );
  }
}

export function expectAllClose(actual: readonly number[], expected: readonly number[], floor = 0): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expectClose(actual[index] ?? Number.NaN, value, floor);
}
