// node tools/check-asyncapi.mjs [file]: AsyncAPI's own parser on docs/asyncapi.yaml. Prints every error and warning and
// ends with 1 when there is one; advice (a contact, a newer version of AsyncAPI) is no fault.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DiagnosticSeverity, Parser } from '@asyncapi/parser';
import { repository } from './child.mjs';

const file = process.argv[2] ?? join(repository, 'docs', 'asyncapi.yaml');
const { diagnostics } = await new Parser().parse(await readFile(file, 'utf8'));
const faults = diagnostics.filter(({ severity }) => severity <= DiagnosticSeverity.Warning);
for (const { path, message } of faults) console.error(`${path.join('.')}: ${message}`);
if (faults.length > 0) process.exitCode = 1;
