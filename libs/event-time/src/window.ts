export interface Window {
  readonly startMicros: number;
  /** Exclusive. */
  readonly endMicros: number;
}

/** The tumbling window [start, end) that a time falls into; windows are aligned to the epoch (UTC). */
export function tumblingWindowOf(timeMicros: number, lengthMicros: number): Window {
  const startMicros = Math.floor(timeMicros / lengthMicros) * lengthMicros;
  return { startMicros, endMicros: startMicros + lengthMicros };
}
