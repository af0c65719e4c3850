// Lets the generated gRPC services encode their messages by encodeMessage: ts-proto gives each a writer of its own and
// copies what it wrote.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { repository } from './child.mjs';

const sources = join(repository, 'libs', 'contracts', 'src');
const generated = join(sources, 'generated');
const SERIALIZE = /Buffer\.from\((\w+)\.encode\(value\)\.finish\(\)\)/g;

for (const name of await readdir(generated, { recursive: true })) {
  if (!name.endsWith('.ts')) continue;
  const file = join(generated, name);
  const text = await readFile(file, 'utf8');
  if (!text.includes('.encode(value).finish()')) continue;
  const from = relative(dirname(file), join(sources, 'encode-message'));
  const changed = text
    .replaceAll(SERIALIZE, 'encodeMessage($1, value)')
    // Below the comment that says who generated it.
    .replace(/^import /m, `import { encodeMessage } from "${from}";\nimport `);
  await writeFile(file, changed);
}
