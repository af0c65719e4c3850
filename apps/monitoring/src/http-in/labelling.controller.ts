import type { IncomingMessage } from 'node:http';
import { DomainError, type DomainErrorKind } from '@headrace/contracts';
import { authorise, TokenTable, type Caller } from '@headrace/grpc';
import { LOGGER, type Logger } from '@headrace/service-kit';
import { Controller, Get, HttpCode, HttpException, Inject, Param, Post, Req } from '@nestjs/common';
import { z } from 'zod';
import { LABEL_REASONS } from '../domain/label-choice';
import { AnswerLabels } from '../use-cases/answer-labels';

const ROLES = ['operator', 'data-scientist'] as const;
const MAX_BODY_BYTES = 65_536;

const NextBody = z.strictObject({ reason: z.enum(LABEL_REASONS).optional() });
const AnswerBody = z.strictObject({
  lease: z.uuid(),
  fields: z.record(z.string().max(63), z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()])),
});

const STATUS_OF: Readonly<Record<DomainErrorKind, number>> = {
  invalid: 400,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  precondition: 409,
  exhausted: 429,
  unavailable: 503,
};

/** The label queue over HTTP, for labelling tools and the CLI. Bodies are JSON; errors are {code, message}. */
@Controller('v1/labelling')
export class LabellingController {
  constructor(
    private readonly labels: AnswerLabels,
    private readonly tokens: TokenTable,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** {"item": null} when there is none that nobody has. */
  @Post('monitors/:monitor/next')
  @HttpCode(200)
  next(@Req() request: IncomingMessage, @Param('monitor') monitor: string): Promise<object> {
    return this.answered(request, 'labelling/next', async (caller) => {
      const { reason } = await bodyOf(request, NextBody);
      const item = await this.labels.next(monitor, reason, caller.subject);
      if (!item) return { item: null };
      const { names, features, ...rest } = item;
      const values = names.map((name, index) => [name, finiteOrNull(features[index])]);
      return { item: { ...rest, features: Object.fromEntries(values) } };
    });
  }

  @Post('predictions/:prediction/answer')
  @HttpCode(200)
  answer(@Req() request: IncomingMessage, @Param('prediction') predictionId: string): Promise<object> {
    return this.answered(request, 'labelling/answer', async (caller) => {
      const { lease, fields } = await bodyOf(request, AnswerBody);
      return { label: await this.labels.answer(predictionId, lease, fields, caller.subject) };
    });
  }

  @Get('monitors/:monitor')
  list(@Req() request: IncomingMessage, @Param('monitor') monitor: string): Promise<object> {
    return this.answered(request, 'labelling', async () => ({ items: await this.labels.list(monitor) }));
  }

  private async answered(
    request: IncomingMessage,
    method: string,
    work: (caller: Caller) => Promise<object>,
  ): Promise<object> {
    const caller = this.tokens.callerOf(request.headers.authorization);
    if (!caller) {
      const message = 'expected the header "authorization: Bearer <token>" with a token that is known here';
      throw new HttpException({ code: 'unauthenticated', message }, 401);
    }
    try {
      authorise(ROLES, caller, method);
      return await work(caller);
    } catch (error) {
      if (error instanceof HttpException) throw error;
      if (error instanceof DomainError) {
        throw new HttpException({ code: error.code, message: error.message }, STATUS_OF[error.kind]);
      }
      this.logger.error({ err: error, method }, 'a request for labels failed');
      throw new HttpException({ code: 'internal', message: 'internal error: see the service log' }, 500);
    }
  }
}

function finiteOrNull(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** An empty body is {}. */
async function bodyOf<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES)
      throw new DomainError('invalid', 'too_large', `the body has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8').trim();
  let json: unknown;
  try {
    json = text === '' ? {} : JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DomainError('invalid', 'not_json', `the body is not JSON: ${why}`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  throw new DomainError('invalid', 'bad_body', faults.join('; '));
}
