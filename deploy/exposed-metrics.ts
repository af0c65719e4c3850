// Which metrics the services expose, read from their sources: a dashboard or a rule that names another would stay empty.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const repository = resolve(__dirname, '..');
let known: ReadonlySet<string> | undefined;

/** Names of Headrace's own metrics, without the suffixes that histograms add. */
export function exposedMetrics(): ReadonlySet<string> {
  return (known ??= new Set(
    ['apps', 'libs'].flatMap((group) =>
      readdirSync(join(repository, group)).flatMap((project) =>
        sourcesOf(join(repository, group, project, 'src')).flatMap((file) =>
          [...readFileSync(file, 'utf8').matchAll(/'(headrace_[a-z0-9_]+)'/g)].map((match) => match[1] ?? ''),
        ),
      ),
    ),
  ));
}

/** Names of Headrace's own metrics in a PromQL expression. */
export function metricsIn(expr: string): string[] {
  const names = [...expr.matchAll(/\bheadrace_[a-z0-9_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
  return [...new Set(names)];
}

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts') && !name.startsWith('generated'))
    .map((name) => join(folder, name));
}
