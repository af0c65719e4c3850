// Which errors mean "later it can work": the database or the broker is away, or two transactions met.
const SQL_STATES = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock not available
  '42501', // refused by rights: the data folder was made read-only, or a grant is missing; an operator mends both
  '25006', // read-only transaction: failed over, or the disk was made read-only
  '25P03', // idle in transaction too long
  '57P01', // administrator shut it down
  '57P02',
  '57P03', // starting up
  '57P05',
]);
/** Connection, resources (disk full, too many connections), system errors. */
const SQL_CLASSES = ['08', '53', '58'];
const SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
const NAMES = new Set(['QueryRunnerAlreadyReleasedError', 'BrokerSilent']);
/** pg and TypeORM give no code for these. */
const MESSAGES = [
  'Connection terminated',
  'Connection ended unexpectedly',
  'Client has encountered a connection error',
  'Client was closed and is not queryable',
  'timeout exceeded when trying to connect',
  'Query runner already released',
  'Driver not Connected',
];

export function isTransient(error: unknown): boolean {
  for (let current: unknown = error, depth = 0; isObject(current) && depth < 5; depth += 1) {
    if (isTransientItself(current)) return true;
    const { driverError, cause } = current as { driverError?: unknown; cause?: unknown };
    current = driverError ?? cause;
  }
  return false;
}

function isTransientItself(error: object): boolean {
  const { code, message, name } = error as { code?: unknown; message?: unknown; name?: unknown };
  if (typeof code === 'string') {
    if (SYSTEM_CODES.has(code) || SQL_STATES.has(code)) return true;
    if (code.length === 5 && SQL_CLASSES.some((prefix) => code.startsWith(prefix))) return true;
  }
  if (typeof name === 'string' && (name.startsWith('KafkaJS') || NAMES.has(name))) return true;
  return typeof message === 'string' && MESSAGES.some((text) => message.includes(text));
}

/** Not `instanceof`: errors of Node's own modules may come from another realm. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

export function messageOf(error: unknown): string {
  return isObject(error) && 'message' in error ? String(error.message) : String(error);
}

export function stackOf(error: unknown): string {
  return isObject(error) && 'stack' in error ? String(error.stack) : messageOf(error);
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error), { cause: error });
}
