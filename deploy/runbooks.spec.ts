import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { overview } from './grafana/src/overview';
import { exposedMetrics, metricsIn } from './exposed-metrics';

const repository = resolve(__dirname, '..');
const folder = join(repository, 'docs/runbooks');
const pages = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

describe('runbooks', () => {
  it.each(pages)('$name names only commands that the CLI has', ({ text }) => {
    const cli = readFileSync(join(repository, 'apps/cli/src/main.ts'), 'utf8');
    const commands = new Set([...cli.matchAll(/\.command\('([a-z-]+)/g)].map((match) => match[1]));
    const named = [...text.matchAll(/npx headrace ([a-z-]+)/g)].map((match) => match[1]);
    expect(named.filter((command) => !commands.has(command))).toEqual([]);
  });

  it.each(pages)('$name names only metrics that a service exposes', ({ text }) => {
    expect(metricsIn(text).filter((metric) => !exposedMetrics().has(metric))).toEqual([]);
  });

  it.each(pages)('$name names only panels that the dashboard has', ({ text }) => {
    const titles = (overview().panels ?? []).flatMap((panel) => ('title' in panel ? [panel.title ?? ''] : []));
    const named = [...text.matchAll(/panels? ((?:"[^"]+"(?:, | and )?)+)/gi)].flatMap(([, list = '']) =>
      [...list.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? ''),
    );
    expect(named.filter((name) => !titles.some((title) => title.startsWith(name)))).toEqual([]);
  });

  it.each(pages)('$name links only to pages that are there', ({ text }) => {
    const linked = [...text.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]);
    expect(linked.filter((page) => !pages.some(({ name }) => name === page))).toEqual([]);
  });
});
