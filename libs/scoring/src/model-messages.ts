// What ModelProcess and its child say to each other.

export interface ScoreRequest {
  readonly rows: number;
  /** Row-major [rows, columns]. */
  readonly features: Float32Array;
}

export type ChildMessage =
  | { readonly kind: 'ready' }
  /** One score for each row, in their order. */
  | { readonly kind: 'scores'; readonly scores: Float64Array }
  | { readonly kind: 'fault'; readonly code: string; readonly message: string };

/** The trainer's contract: one input, float32 [N, columns]. */
export const INPUT_NAME = 'features';

/** Where a score stands in the answer. */
export const OUTPUT_OF = {
  binary: { name: 'probabilities', width: 2, index: 1 },
  regression: { name: 'prediction', width: 1, index: 0 },
} as const;

export type Task = keyof typeof OUTPUT_OF;
