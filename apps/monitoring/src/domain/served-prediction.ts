// One answered request, as far as monitoring needs it.
import { createHash } from 'node:crypto';

/** Which features a request was served with, and in which order. */
export interface FeatureLayout {
  /** A digest of the names. */
  readonly id: string;
  readonly names: readonly string[];
}

/** Stable: rows in tables name it. */
export function layoutOf(names: readonly string[]): FeatureLayout {
  return { id: createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16), names };
}

/** What another version said about the same request. */
export interface ShadowScore {
  readonly version: number;
  readonly output: number;
}

export interface ServedPrediction {
  readonly predictionId: string;
  readonly endpoint: string;
  readonly model: string;
  /** That answered; 0 for the fallback value. */
  readonly version: number;
  readonly assignment: string;
  readonly joinKey: string;
  readonly asOfMicros: number;
  readonly layout: FeatureLayout;
  /** Of the layout, in its order: doubles, little-endian, as they are on the log; NaN = missing. */
  readonly features: Buffer;
  /** Probability of class 1, or the predicted number. */
  readonly output: number;
  readonly shadowScores: readonly ShadowScore[];
  readonly fallback: boolean;
  readonly rolloutId: string;
}

export const FLOAT8_BYTES = 8;
