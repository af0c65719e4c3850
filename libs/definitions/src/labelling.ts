import { z } from 'zod';
import { Duration } from './scalars';

/** Predictions that people are asked about: the most uncertain, the most drifted and random ones, a third each. */
export const Labelling = z.strictObject({
  /** Most that wait for an answer. */
  queue: z.int().min(3).max(10_000).default(300),
  /** Predictions of so long before the newest one (event time). */
  within: Duration.default('1d'),
  /** How long one belongs to who took it (wall clock). */
  lease: Duration.default('15m'),
});
