// Open Inference Protocol over REST on a port of its own: the same use cases as over gRPC. What a client can hold or send is
// bounded: headers, body, time.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { DomainError } from '@headrace/contracts';
import { ModelMetadataResponse, ModelStatisticsResponse } from '@headrace/contracts/inference';
import { ModelConfig } from '@headrace/contracts/inference-config';
import { authorise, tlsOptions, type Access, type ServerTls, type TokenTable } from '@headrace/grpc';
import type { TensorRequest } from '../open-inference/tensor-request';
import { Seldom } from '../seldom';
import type { DescribeModels } from '../use-cases/describe-models';
import type { InferTensors, TensorAnswer, TensorCall, TensorObserver } from '../use-cases/infer-tensors';
import { faultOf, HttpFault } from './errors';
import { BodyBudget, readBody, receiveBody, type Body } from './read-body';
import { parseJson, readInfer, type RestInference } from './read-infer';
import { routeOf, type RestRoute } from './rest-routes';
import { traced } from './rest-trace';
import { toSnakeJson } from './snake-json';
import { writeInfer } from './write-infer';

export interface RestOptions {
  readonly inferTensors: InferTensors;
  readonly describe: DescribeModels;
  readonly observer: TensorObserver;
  /** Who may ask models and read about them. Health is public, load and unload need the role operator. */
  readonly access: Access;
  readonly tokens: TokenTable;
  /** Of one body, also of what it unpacks to. */
  readonly maxBodyBytes: number;
  /** Of all bodies in memory. */
  readonly maxBodiesBytes: number;
  /** Undefined: plain connections. */
  readonly tls?: ServerTls | undefined;
  readonly log: { error(fields: object, message: string): void };
}

/** Milliseconds. */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 30_000;
const IDLE_TIMEOUT = 75_000;
const CHECK_INTERVAL = 2_000;
const JSON_TYPE = 'application/json';

type Described = Exclude<RestRoute, { readonly kind: 'infer' | 'index' | 'load' | 'unload' }>;

export class RestServer {
  private readonly server: Server;
  private readonly budget: BodyBudget;
  private readonly faults = new Seldom();

  constructor(private readonly options: RestOptions) {
    this.budget = new BodyBudget(options.maxBodiesBytes);
    const { tls } = options;
    const limits = {
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      keepAliveTimeout: IDLE_TIMEOUT,
      connectionsCheckingInterval: CHECK_INTERVAL,
      noDelay: true,
    };
    const serve = (request: IncomingMessage, response: ServerResponse): void => this.serve(request, response);
    this.server = tls ? createTlsServer({ ...limits, ...tlsOptions(tls) }, serve) : createServer(limits, serve);
    // A caller that does not read its answer.
    this.server.setTimeout(IDLE_TIMEOUT);
  }

  /** Port 0 = chosen by the system. Resolves to the port. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => resolve());
    });
    return (this.server.address() as AddressInfo).port;
  }

  /** Requests that are being answered have `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    if (!this.server.listening) return;
    const force = setTimeout(() => this.server.closeAllConnections(), deadlineMs);
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
    });
    clearTimeout(force);
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    try {
      const route = routeOf(request.method ?? '', request.url ?? '');
      authorise(
        accessTo(route, this.options.access),
        this.options.tokens.callerOf(request.headers.authorization),
        route.kind,
      );
      traced(request, response, route, () => {
        if (route.kind === 'infer') this.infer(request, response, route);
        else this.answer(request, response, route).catch((error: unknown) => this.fail(request, response, error));
      });
    } catch (error) {
      this.fail(request, response, error);
    }
  }

  private infer(
    request: IncomingMessage,
    response: ServerResponse,
    { model, version }: Extract<RestRoute, { kind: 'infer' }>,
  ): void {
    const { inferTensors, observer, maxBodyBytes } = this.options;
    const fail = (error: unknown): void => this.fail(request, response, error);
    const use = (body: Body): void => {
      try {
        const asked = readInfer(body.bytes, jsonBytesOf(request));
        inferTensors.infer(new RestCall(model, version, asked, body, response, fail), observer);
      } catch (error) {
        body.release();
        fail(error);
      }
    };
    receiveBody(request, maxBodyBytes, this.budget, use, fail);
  }

  private async answer(request: IncomingMessage, response: ServerResponse, route: RestRoute): Promise<void> {
    const { describe } = this.options;
    switch (route.kind) {
      case 'index': {
        const { ready } = await this.smallBody(request);
        send(response, 200, describe.index(ready === true));
        return;
      }
      case 'load': {
        const { parameters } = await this.smallBody(request);
        await describe.load(route.model, Object.keys(parameters ?? {}));
        send(response, 200, {});
        return;
      }
      case 'unload':
        describe.unload(route.model);
        return;
      case 'infer':
        return;
      default:
        this.describeTo(response, route);
    }
  }

  private describeTo(response: ServerResponse, route: Described): void {
    const { describe } = this.options;
    switch (route.kind) {
      case 'server':
        send(response, 200, describe.server());
        return;
      case 'live':
        send(response, 200, { live: true });
        return;
      case 'ready': {
        const ready = describe.serverReady();
        send(response, ready ? 200 : 503, { ready });
        return;
      }
      case 'models':
        send(response, 200, { models: [...new Set(describe.index(false).map(({ name }) => name))] });
        return;
      case 'statistics':
        send(response, 200, statisticsJson(describe, '', ''));
        return;
      case 'model':
        send(response, 200, toSnakeJson(ModelMetadataResponse.toJSON(describe.metadata(route.model, route.version))));
        return;
      case 'model-ready': {
        const ready = describe.ready(route.model, route.version);
        send(response, ready ? 200 : 503, { name: route.model, ready });
        return;
      }
      case 'model-config':
        send(response, 200, toSnakeJson(ModelConfig.toJSON(describe.config(route.model, route.version))));
        return;
      case 'model-statistics':
        send(response, 200, statisticsJson(describe, route.model, route.version));
    }
  }

  /** An empty body is an empty object. */
  private async smallBody(request: IncomingMessage): Promise<{ ready?: unknown; parameters?: object }> {
    const body = await readBody(request, SMALL_BODY_BYTES, this.budget);
    const { bytes } = body;
    body.release();
    const value = bytes.byteLength === 0 ? {} : parseJson(bytes);
    if (typeof value === 'object' && value !== null) return value;
    throw new DomainError('invalid', 'bad_request', 'the body: expected an object');
  }

  private fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const fault = faultOf(error);
    if (fault.status === 500) {
      this.faults.tell((notTold) => this.options.log.error({ err: error, notTold }, 'a REST request failed'));
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const name in fault.headers) response.setHeader(name, fault.headers[name] ?? '');
    // What is left of a body that nobody wants is not read.
    if (!request.complete) response.setHeader('Connection', 'close');
    send(response, fault.status, { error: fault.message });
  }
}

const SMALL_BODY_BYTES = 65_536;

class RestCall implements TensorCall {
  constructor(
    readonly model: string,
    readonly version: string,
    private readonly asked: RestInference,
    private readonly body: Body,
    private readonly response: ServerResponse,
    private readonly refuse: (error: unknown) => void,
  ) {}

  parameter(name: string): string | undefined {
    const { parameters } = this.asked;
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  }

  request(): TensorRequest {
    return this.asked.request;
  }

  answer(answer: TensorAnswer): void {
    const { id, isBinary } = this.asked;
    const { json, binary } = writeInfer(answer, id, isBinary);
    this.body.release();
    const jsonBytes = Buffer.byteLength(json);
    if (!binary) {
      this.response.writeHead(200, ['Content-Type', JSON_TYPE, 'Content-Length', String(jsonBytes)]);
      // Node joins head and text to one write; text without other letters is written as it lies.
      this.response.end(json, jsonBytes === json.length ? 'latin1' : 'utf8');
      return;
    }
    const total = binary.reduce((sum, { byteLength }) => sum + byteLength, jsonBytes);
    this.response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': jsonBytes,
      'Content-Length': total,
    });
    this.response.write(json);
    for (const bytes of binary) this.response.write(bytes);
    this.response.end();
  }

  fail(error: unknown): void {
    this.body.release();
    this.refuse(error);
  }
}

function accessTo(route: RestRoute, access: Access): Access {
  if (route.kind === 'live' || route.kind === 'ready') return 'public';
  return route.kind === 'load' || route.kind === 'unload' ? ['operator'] : access;
}

function jsonBytesOf({ headers }: IncomingMessage): number | undefined {
  const value = headers['inference-header-content-length'];
  if (value === undefined) return undefined;
  const bytes = Number(value);
  if (typeof value === 'string' && /^\d{1,10}$/.test(value)) return bytes;
  throw new HttpFault(400, 'Inference-Header-Content-Length: expected a number of bytes');
}

function statisticsJson(describe: DescribeModels, model: string, version: string): unknown {
  const modelStats = describe.modelStatistics(model, version);
  return toSnakeJson(ModelStatisticsResponse.toJSON({ modelStats }));
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, { 'Content-Type': JSON_TYPE, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
