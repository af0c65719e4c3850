import type { ValueTransformer } from 'typeorm';

const transformer: ValueTransformer = {
  to: (value: number | null | undefined) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};

/** int64 that fits a JavaScript number (times in microseconds, versions, generations, counts). */
export const int64 = { type: 'bigint', transformer } as const;
