// For threads and processes that specs start on TypeScript sources: `node --require` this. Compiles as the build does.
const { existsSync, readFileSync } = require('node:fs');
const Module = require('node:module');
const { join, resolve } = require('node:path');
const { transformSync } = require('@swc/core');

const repository = resolve(__dirname, '..', '..', '..');
const generated = join(repository, 'libs', 'contracts', 'src', 'generated');

/** As jest.config.mjs maps them. */
function sourceOf(request) {
  const [, name, path] = /^@headrace\/([^/]+)(?:\/(.+))?$/.exec(request) ?? [];
  if (name === undefined) return undefined;
  if (path === undefined) return join(repository, 'libs', name, 'src', 'index.ts');
  if (path === 'inference') return join(generated, 'inference', 'grpc_service.ts');
  return join(generated, 'headrace', `${path.replace(/^proto\//, '')}.ts`);
}

const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, parent, ...rest) {
  const source = sourceOf(request);
  return source !== undefined && existsSync(source) ? source : resolveFilename.call(this, request, parent, ...rest);
};

Module._extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    configFile: join(repository, '.swcrc'),
    sourceMaps: 'inline',
  });
  module._compile(code, filename);
};
