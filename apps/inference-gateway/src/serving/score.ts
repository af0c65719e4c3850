import type { Outputs } from '../models/tensors';

/** Probability of class 1, or the predicted number, of the first row. Throws when it is no finite number. */
export function scoreOf(outputs: Outputs, task: string): number {
  const [name, index] = task === 'binary' ? ['probabilities', 1] : ['prediction', 0];
  const score = Number(outputs[name]?.data[index] ?? NaN);
  if (!Number.isFinite(score)) throw new RangeError(`the model's ${name} is ${score}`);
  return score;
}
