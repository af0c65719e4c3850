import type { LoggerService } from '@nestjs/common';
import { spanRecorder, traceIdOf } from '@headrace/tracing';
import { destination, pino, type Logger, type LoggerOptions } from 'pino';

export type { Logger } from 'pino';

/** One JSON line an entry, on stdout unless that is for a command's result. What is logged inside of a span carries its trace's id. */
export function createLogger(service: string, level: string, to: 'stdout' | 'stderr' = 'stdout'): Logger {
  const options: LoggerOptions = {
    level,
    base: { service },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    mixin: () => {
      const context = spanRecorder()?.current();
      return context === undefined ? {} : { trace_id: traceIdOf(context) };
    },
    formatters: { level: (label) => ({ level: label }) },
  };
  return to === 'stdout' ? pino(options) : pino(options, destination({ fd: 2, sync: true }));
}

/** Nest's own words through the same logger. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }
  error(message: unknown, stack?: string, context?: string): void {
    this.logger.error({ context, stack }, String(message));
  }
  warn(message: unknown, context?: string): void {
    this.logger.warn({ context }, String(message));
  }
  debug(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }
  verbose(message: unknown, context?: string): void {
    this.logger.trace({ context }, String(message));
  }
}
