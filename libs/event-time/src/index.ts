export { formatDuration, formatTime, MICROS, nowMicros, parseDuration, parseTime } from './duration';
export { watermarkOf, type PartitionProgress } from './watermark';
export { tumblingWindowOf, type Window } from './window';
