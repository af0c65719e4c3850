import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { overview } from './grafana/src/overview';
import { exposedMetrics, metricsIn } from './exposed-metrics';

const repository = resolve(__dirname, '..');
const folder = join(repository, 'docs/runbooks');
const pages = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

/** The CLI's commands are declared where it begins and in the files of its larger ones. */
function commandSources(): string[] {
  const cli = join(repository, 'apps/cli/src');
  const files = readdirSync(join(cli, 'commands')).filter((name) => name.endsWith('.ts'));
  return ['main.ts', ...files.map((name) => join('commands', name))].map((file) =>
    readFileSync(join(cli, file), 'utf8'),
  );
}

describe('runbooks', () => {
  it.each(pages)('$name names only commands that the CLI has', ({ text }) => {
    const commands = new Set(
      commandSources().flatMap((source) => [...source.matchAll(/\.command\('([a-z-]+)/g)].map((match) => match[1])),
    );
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
