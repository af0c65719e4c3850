// Paths of the Open Inference Protocol over REST, with Triton's extensions.
import { HttpFault } from './errors';

export type RestRoute =
  | { readonly kind: 'infer'; readonly model: string; readonly version: string }
  | {
      readonly kind: 'model' | 'model-ready' | 'model-config' | 'model-statistics';
      readonly model: string;
      readonly version: string;
    }
  | { readonly kind: 'load' | 'unload'; readonly model: string }
  | { readonly kind: FixedKind }
  | { readonly kind: 'index' };

type FixedKind = 'server' | 'live' | 'ready' | 'models' | 'statistics';

/** As [method, kind], by path. */
const FIXED = new Map<string, readonly ['GET' | 'POST', FixedKind | 'index']>([
  ['/v2', ['GET', 'server']],
  ['/v2/', ['GET', 'server']],
  ['/v2/health/live', ['GET', 'live']],
  ['/v2/health/ready', ['GET', 'ready']],
  ['/v2/models', ['GET', 'models']],
  ['/v2/models/stats', ['GET', 'statistics']],
  ['/v2/repository/index', ['POST', 'index']],
]);

const MODEL = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(infer|ready|config|stats))?\/?$/;
const REPOSITORY = /^\/v2\/repository\/models\/([^/]+)\/(load|unload)$/;
const OF_MODEL = {
  infer: ['POST', 'infer'],
  ready: ['GET', 'model-ready'],
  config: ['GET', 'model-config'],
  stats: ['GET', 'model-statistics'],
} as const;

/** Throws an HttpFault: 404 for a path of nothing, 405 for another method, 400 for a broken name. */
export function routeOf(method: string, url: string): RestRoute {
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const fixed = FIXED.get(path);
  if (fixed) {
    allow(fixed[0], method);
    return { kind: fixed[1] };
  }
  const model = MODEL.exec(path);
  if (model) {
    const [, name = '', version = '', rest] = model;
    const [allowed, kind] = rest === undefined ? (['GET', 'model'] as const) : OF_MODEL[rest as keyof typeof OF_MODEL];
    allow(allowed, method);
    return { kind, model: decode(name), version: decode(version) };
  }
  const repository = REPOSITORY.exec(path);
  if (repository) {
    allow('POST', method);
    return { kind: repository[2] === 'load' ? 'load' : 'unload', model: decode(repository[1] ?? '') };
  }
  throw new HttpFault(404, `there is nothing at ${path.slice(0, 200)}: the paths begin with /v2`);
}

function allow(allowed: 'GET' | 'POST', method: string): void {
  if (method === allowed || (allowed === 'GET' && method === 'HEAD')) return;
  throw new HttpFault(405, `${method} is not allowed here: expected ${allowed}`, { Allow: allowed });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpFault(400, `"${part.slice(0, 100)}" is not a percent-encoded name`);
  }
}
